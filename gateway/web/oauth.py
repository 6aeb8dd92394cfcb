"""The machine side of OpenID Connect: discovery, keys, tokens, userinfo, revocation. The rules are identity's."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.web import bodies
from gateway.web.config import Web
from gateway.web.documents import Kept
from gateway.web.failures import NO_STORE, bearer_error, json_error, oauth_error
from gateway.web.peers import Peers, ask_again
from shuniu.api.identity.v1 import signin_pb2
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc import client
from shuniu.kit.rpc.caller import CERTIFICATE_HEADER, ClientCertificate, parse_certificate_header

# A client may keep keys this long: identity publishes a new one at least twice this long before it signs.
_PUBLIC = {"cache-control": "public, max-age=60", "access-control-allow-origin": "*"}
_PUBLIC_READING = {**_PUBLIC, "cross-origin-resource-policy": "cross-origin"}


class OpenIdEndpoints:
    """The endpoints that programs call."""

    def __init__(self, settings: Web, peers: Peers) -> None:
        self._trust_domain = settings.hub.trust_domain
        self._peers = peers
        self._documents: Kept[signin_pb2.GetProviderDocumentsResponse] = Kept(
            self._fetch_documents, settings.web.document_seconds
        )

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self.discovery, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", self.discovery, methods=["GET"]),
            Route("/oauth2/jwks", self.jwks, methods=["GET"]),
            Route("/oauth2/token", self.token, methods=["POST"]),
            Route("/oauth2/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/oauth2/revoke", self.revoke, methods=["POST"]),
        ]

    async def discovery(self, _request: Request) -> Response:
        """OpenID Connect Discovery 1.0, 4; also under the name of RFC 8414."""
        return await self._document("discovery", "application/json")

    async def jwks(self, _request: Request) -> Response:
        return await self._document("jwks", "application/jwk-set+json")

    async def token(self, request: Request) -> Response:
        """RFC 6749 3.2, with the client certificate as the client's proof (RFC 8705 2)."""
        try:
            certificate = _certificate(request)
            form = await bodies.form(request)
            # Safe to repeat: identity answers a code or refresh token that comes again as it did the first time.
            answer = await ask_again(
                request,
                self._peers.open_id.IssueToken,
                signin_pb2.IssueTokenRequest(
                    grant_type=_required(form, "grant_type"),
                    client_id=_required(form, "client_id"),
                    certificate_sha256=certificate.sha256,
                    certificate_uri=certificate.uri,
                    **{name: form.get(name, "") for name in _TOKEN_FIELDS},
                ),
            )
        except HubError as error:
            return oauth_error(error)
        body: dict[str, Any] = {
            "access_token": answer.access_token,
            "token_type": "Bearer",
            "expires_in": answer.expires_in,
            "scope": answer.scope,
        }
        if answer.id_token:
            body["id_token"] = answer.id_token
        if answer.refresh_token:
            body["refresh_token"] = answer.refresh_token
        return JSONResponse(body, headers=NO_STORE)

    async def userinfo(self, request: Request) -> Response:
        """OpenID Connect Core 5.3; the token comes in the Authorization header only (RFC 6750 2.1)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            # RFC 6750 3.1: no error code for a request without any token.
            return Response(status_code=401, headers={**NO_STORE, "www-authenticate": "Bearer"})
        try:
            certificate = parse_certificate_header(request.headers.get(CERTIFICATE_HEADER, ""))
            answer = await ask_again(
                request,
                self._peers.open_id.GetUserInfo,
                signin_pb2.GetUserInfoRequest(
                    access_token=token.strip(), certificate_sha256=certificate.sha256 if certificate else ""
                ),
                seconds=3.0,
            )
        except HubError as error:
            return bearer_error(error)
        claims: dict[str, Any] = {"sub": answer.sub, "ial": answer.ial}
        if answer.name:
            claims["name"] = answer.name
        if answer.HasField("birthdate"):
            claims["birthdate"] = _iso(answer.birthdate)
        return JSONResponse(claims, headers=NO_STORE)

    async def revoke(self, request: Request) -> Response:
        """RFC 7009: answered 200 for an unknown token, too."""
        try:
            certificate = _certificate(request)
            form = await bodies.form(request)
            code = certificate.uri.removeprefix(f"spiffe://{self._trust_domain}/platform/")
            if code == certificate.uri or form.get("client_id", code) != code:
                raise _client_unproved()
            await ask_again(
                request,
                self._peers.open_id.RevokeToken,
                signin_pb2.RevokeTokenRequest(
                    request_id=new_ulid(SystemClock()), token=_required(form, "token"), client_id=code
                ),
                seconds=3.0,
            )
        except HubError as error:
            return oauth_error(error)
        return Response(status_code=200, headers=NO_STORE)

    async def _document(self, name: str, media_type: str) -> Response:
        try:
            documents = await self._documents.get()
        except HubError as error:
            return json_error(error, "en")
        content: bytes = getattr(documents, name)
        return Response(content, headers=_PUBLIC_READING, media_type=media_type)

    async def _fetch_documents(self) -> signin_pb2.GetProviderDocumentsResponse:
        # Not in the name of one request: several may wait for it.
        answer: signin_pb2.GetProviderDocumentsResponse = await client.ask(
            self._peers.open_id.GetProviderDocuments, signin_pb2.GetProviderDocumentsRequest(), timeout=3.0
        )
        return answer


_TOKEN_FIELDS = ("scope", "code", "redirect_uri", "code_verifier", "refresh_token")


def _certificate(request: Request) -> ClientCertificate:
    found = parse_certificate_header(request.headers.get(CERTIFICATE_HEADER, ""))
    if found is None:
        raise _client_unproved()
    return found


def _client_unproved() -> HubError:
    return errors.unauthenticated(
        "CLIENT_UNPROVED",
        "Connect to the platforms' listener with the client certificate of this client_id.",
        "请使用与 client_id 对应的客户端证书，通过平台入口访问。",
        oauth_error="invalid_client",
    )


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise errors.invalid_field(name, "PARAMETER_MISSING", f"Give the parameter {name}.", f"缺少参数 {name}。")
    return value


def _iso(date: Any) -> str:
    """OpenID Connect Core 5.1: a birthdate whose year alone is known is YYYY."""
    return f"{date.year:04}-{date.month:02}-{date.day:02}" if date.month else f"{date.year:04}"
