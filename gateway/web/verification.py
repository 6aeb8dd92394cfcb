"""Verification for anybody: a document by upload, a QR code by its text. Esign judges; here it becomes readable.

Nothing is changed and no session is used, so these forms need no token.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.web import bodies, metrics
from gateway.web.config import Web
from gateway.web.documents import Kept
from gateway.web.failures import NO_STORE, json_error, retry_headers, status_of, text_of, wants_json
from gateway.web.pages import Pages, language_of
from gateway.web.peers import Peers, ask_again, ask_through_restart, sender_of, while_there
from gateway.web.texts import TEXTS, text
from gateway.web.verdicts import Shown, label, shown
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.process.places import Places
from shuniu.kit.rpc import client
from shuniu.kit.rpc.uploads import busy

_PUBLIC = {
    "cache-control": "public, max-age=60",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}
# A QR code of version 40 holds 2,953 bytes (ISO/IEC 18004).
_QR_CHARACTERS = 3000
# Nothing went wrong: the file that was chosen cannot be judged.
_UNFIT = frozenset({"DOCUMENT_EMPTY", "DOCUMENT_TOO_LARGE"})
# What scripts import by their plain names.
_IMPORTED = ("/static/qr.js", "/static/verdict.js")


class Verification:
    """The verification pages and what their scripts ask."""

    def __init__(self, settings: Web, peers: Peers, pages: Pages) -> None:
        self._peers = peers
        self._pages = pages
        self._limit = settings.web.max_document_bytes
        self._seconds = settings.web.upload_seconds
        self._places = Places(
            settings.web.max_uploads,
            busy,
            share=settings.web.max_uploads // 3,
            # Those who wait cost a socket here and their body at the edge.
            waiting_of_one=4,
            waiting=24,
        )
        self._trust: Kept[str] = Kept(self._fetch_trust, settings.web.document_seconds)

    def routes(self) -> list[Route]:
        return [
            Route("/verify", self.page, methods=["GET"]),
            Route("/verify/upload", self.upload, methods=["POST"]),
            Route("/verify/upload", self.again, methods=["GET"]),
            Route("/verify/trust", self.trust, methods=["GET"]),
            Route("/verify/qr", self.qr, methods=["POST"]),
            Route("/verify/qr", self.qr_again, methods=["GET"]),
            Route("/v", self.qr_page, methods=["GET"]),
            Route("/v/worker.js", self.worker, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        return self._verify_page(request)

    async def again(self, _request: Request) -> Response:
        """A reload after a verdict leads back to the form."""
        return self._pages.redirect("/verify")

    async def qr_again(self, _request: Request) -> Response:
        return self._pages.redirect("/v")

    async def upload(self, request: Request) -> Response:
        """Judges a document: a page for a plain form, JSON for our script."""
        language = language_of(request)
        try:
            async with self._places.hold(sender_of(request)):
                document = await bodies.upload(request, self._limit, self._seconds)
                # esign has read the document twice before it says that it cannot. Asked again, a document that ends its
                # workers would end many more.
                asked = ask_through_restart(
                    request,
                    self._peers.verification.VerifyDocument,
                    esign_pb2.VerifyDocumentRequest(pdf=document.pdf, tlog_proof=document.receipt),
                    seconds=25.0,
                )
                answer = await while_there(request, asked)
        except HubError as error:
            if wants_json(request):
                return json_error(error, language)
            return self._verify_page(request, error=error)
        metrics.VERDICTS.labels("document", label(answer.verdict)).inc()
        verdict = shown(answer.verdict, language, file=document.name, digest=sha256(document.pdf).hexdigest())
        if wants_json(request):
            return JSONResponse(verdict.as_json(), headers=NO_STORE)
        return self._verify_page(request, verdict=verdict)

    async def qr(self, request: Request) -> Response:
        """Judges a code's text as it stands now."""
        language = language_of(request)
        json_wanted = wants_json(request)
        try:
            content = await _qr_content(request)
            answer = await ask_again(
                request,
                self._peers.verification.VerifyQr,
                esign_pb2.VerifyQrRequest(content=content),
                seconds=5.0,
            )
        except HubError as error:
            return json_error(error, language) if json_wanted else self._qr_page(request, error=error)
        metrics.VERDICTS.labels("qr", label(answer.verdict)).inc()
        verdict = shown(answer.verdict, language, "qr_")
        if json_wanted:
            return JSONResponse(verdict.as_json(), headers=NO_STORE)
        return self._qr_page(request, verdict=verdict)

    async def trust(self, request: Request) -> Response:
        """Public keys of QR codes (JWKS), which the QR page keeps for the time without a network."""
        try:
            keys = await self._trust.get()
        except HubError as error:
            return json_error(error, language_of(request))
        return Response(keys, headers=_PUBLIC, media_type="application/jwk-set+json")

    async def qr_page(self, request: Request) -> Response:
        """The target of a QR code. What the code says is in the fragment, which no browser sends. Who types the address
        has no code: papers issued before say that a file may be uploaded here, so it takes one like `/verify`.
        """
        response = self._qr_page(request)
        # The worker keeps it; everybody else asks anew.
        response.headers["cache-control"] = "no-cache"
        return response

    async def worker(self, _request: Request) -> Response:
        """The service worker. Its edition changes with any of our files, which is what makes browsers renew it."""
        shown_by_page = ("style.css", "logo.svg", "page.js", "v.js", "verify.js")
        files = ["/v", "/verify/trust", *map(self._pages.asset, shown_by_page), *_IMPORTED]
        head = f"const EDITION = {json.dumps(self._pages.edition)};\nconst FILES = {json.dumps(files)};\n"
        return Response(
            head.encode() + self._pages.static["worker.js"].content,
            # The page lies at /v, beside and not below the folder of the worker.
            headers={"cache-control": "no-cache", "service-worker-allowed": "/v"},
            media_type="text/javascript",
        )

    async def _fetch_trust(self) -> str:
        answer = await client.ask(self._peers.verification.GetTrust, esign_pb2.GetTrustRequest(), timeout=3.0)
        return str(answer.qr_jwks)

    def _verify_page(
        self, request: Request, *, verdict: Shown | None = None, error: HubError | None = None
    ) -> Response:
        return self._judged(request, "verify.html", "/verify", verdict, error)

    def _qr_page(self, request: Request, *, verdict: Shown | None = None, error: HubError | None = None) -> Response:
        return self._judged(request, "qr.html", "/v", verdict, error)

    def _judged(
        self,
        request: Request,
        template: str,
        here: str,
        verdict: Shown | None,
        error: HubError | None,
    ) -> Response:
        limit = self._limit // (1024 * 1024)
        return judged(self._pages, request, template, here, verdict, error, limit=limit)


def judged(
    pages: Pages,
    request: Request,
    template: str,
    here: str,
    verdict: Shown | None = None,
    error: HubError | None = None,
    **values: Any,
) -> Response:
    """A page with a verdict, with what went wrong, or with neither yet."""
    language = language_of(request)
    status = status_of(error) if error else 200
    response = pages.render(
        request,
        template,
        status=status,
        here=here,
        verdict=verdict,
        problem=text_of(error, language) if error else "",
        unfit=error is not None and not _UNFIT.isdisjoint({error.reason, *(one.reason for one in error.violations)}),
        texts=json.dumps(_script_texts(lambda key: text(key, language)), ensure_ascii=False),
        **values,
    )
    response.headers.update(retry_headers(status))
    return response


def _script_texts(say: Callable[[str], str]) -> dict[str, str]:
    """The texts that the pages' scripts say by themselves."""
    wanted = (
        "verify_busy",
        "verify_failed",
        "verify_network",
        "verify_too_large",
        "verify_empty",
        "verify_no_document",
        "verdict_unread",
        "asked",
        "lookup_hashing",
        "lookup_unreadable",
        "qr_",
        "status_",
        "step_qr",
        "step_online",
        "fact_",
    )
    return {key: say(key) for key in TEXTS if key.startswith(wanted)}


async def _qr_content(request: Request) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        try:
            given = json.loads(await bodies.read(request, bodies.FORM_BYTES, 15.0))
        except ValueError:
            given = None
        content = given.get("content", "") if isinstance(given, dict) else ""
    else:
        content = (await bodies.form(request)).get("content", "")
    if not isinstance(content, str) or not content.strip() or len(content) > _QR_CHARACTERS:
        raise errors.invalid_field(
            "content",
            "QR_CONTENT",
            "Give the text of the QR code, at most 3,000 characters.",
            "请填写二维码内容，不超过 3000 个字符。",
        )
    return content.strip()
