"""Wiring: settings → peers → pages → routes → process."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.web.accounts import Accounts
from gateway.web.authorization import Authorization
from gateway.web.config import Web, csrf_key
from gateway.web.cookies import FormTokens
from gateway.web.failures import json_error, status_of, text_of, wants_json
from gateway.web.frame import Frame
from gateway.web.licences import LicencePage
from gateway.web.listener import WebListener
from gateway.web.lookup import Lookup
from gateway.web.machines import Machines
from gateway.web.oauth import OpenIdEndpoints
from gateway.web.pages import Pages, language_of
from gateway.web.peers import Peers, connect
from gateway.web.texts import text
from gateway.web.verification import Verification
from shuniu.kit.errors import HubError
from shuniu.kit.process.run import Process

_FOR_EVER = "public, max-age=31536000, immutable"


@contextlib.asynccontextmanager
async def build(settings: Web) -> AsyncIterator[Process]:
    """The process. Raises ConfigError for a key that cannot be used."""
    forms = FormTokens(csrf_key(settings))
    async with connect(settings) as peers:
        listener = WebListener(
            application(settings, peers, forms),
            settings.address,
            settings.web.client_tls(),
            trust_domain=settings.hub.trust_domain,
        )
        yield Process(
            listeners=[listener],
            # Ready without its peers: verification works while identity is away, and the other way round.
            ops_host=settings.web.ops_host,
            ops_port=settings.web.ops_port,
        )


def application(settings: Web, peers: Peers, forms: FormTokens) -> ASGIApp:
    """The ASGI application over given peers."""
    pages = Pages(settings.hub.name, forms)
    authorization = Authorization(settings, peers, pages)
    routes = [
        *OpenIdEndpoints(settings, peers).routes(),
        *authorization.routes(),
        *Accounts(peers, pages, authorization).routes(),
        *Verification(settings, peers, pages).routes(),
        *Lookup(peers, pages).routes(),
        *LicencePage(settings.hub.issuer, peers, pages).routes(),
        *Machines(peers).routes(),
    ]
    paths = frozenset(route.path for route in routes)

    async def static(request: Request) -> Response:
        file = pages.static.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        current = request.query_params.get("v") == file.tag
        headers = {"cache-control": _FOR_EVER if current else "no-cache", "etag": f'"{file.tag}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media_type)

    async def favicon(_request: Request) -> Response:
        # Asked for by browsers wherever no page names an icon.
        file = pages.static["logo.svg"]
        return Response(file.content, headers={"cache-control": "public, max-age=86400"}, media_type=file.media_type)

    async def robots(_request: Request) -> Response:
        return PlainTextResponse("User-agent: *\nDisallow: /\n", headers={"cache-control": "public, max-age=86400"})

    async def hub_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HubError)
        language = language_of(request)
        if wants_json(request):
            return json_error(error, language)
        return pages.message(
            request, "error_title", text_of(error, language), status=status_of(error), reason=error.reason, here="/"
        )

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        language = language_of(request)
        missing = error.status_code == 404
        if wants_json(request):
            reason, words = ("NOT_FOUND", "not_found_text") if missing else ("METHOD", "method_text")
            found = {"reason": reason, "message": text(words, language)}
            return JSONResponse(found, error.status_code, headers=error.headers)
        title = "not_found_title" if missing else "error_title"
        response = pages.message(
            request,
            title,
            text("not_found_text" if missing else "method_text", language),
            status=error.status_code,
            here="/",
        )
        response.headers.update(error.headers or {})
        return response

    async def failed(request: Request, _error: Exception) -> Response:
        language = language_of(request)
        incident = request.scope["incident"]
        paragraph = text("incident", language, incident=incident)
        if wants_json(request):
            return JSONResponse({"reason": "INCIDENT", "message": paragraph}, 500)
        return pages.message(request, "error_title", paragraph, status=500, reason="INCIDENT", here="/")

    starlette = Starlette(
        routes=[
            *routes,
            Route("/static/{name}", static, methods=["GET"]),
            Route("/favicon.ico", favicon, methods=["GET"]),
            Route("/robots.txt", robots, methods=["GET"]),
        ],
        exception_handlers={HubError: hub_error, HTTPException: http_error, Exception: failed},
    )
    return Frame(starlette, paths, secure=settings.secure)
