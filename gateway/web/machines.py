"""The questions of programs over plain HTTP: timestamps (RFC 3161, 3.4), revocation of seal certificates (RFC 6960
appendix A, RFC 5280). Esign answers; the bytes pass through unread.
"""

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.web import bodies
from gateway.web.failures import NO_STORE, retry_headers, status_of
from gateway.web.peers import Peers, ask_again
from shuniu.api.esign.v1 import timestamp_pb2
from shuniu.kit.errors import HubError

# Digest, nonce and policy, or one question about a certificate, need a few hundred bytes.
_MOST_BYTES = 4096
_SECONDS = 10.0


class Machines:
    """Timestamp authority, OCSP responder and revocation list."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def routes(self) -> list[Route]:
        return [
            Route("/tsa", self.timestamp, methods=["POST"]),
            Route("/ocsp", self.ocsp, methods=["POST"]),
            Route("/ocsp/{asked:path}", self.ocsp_by_path, methods=["GET"]),
            Route("/crl", self.crl, methods=["GET"]),
            Route("/crl/sm2", self.sm2_crl, methods=["GET"]),
        ]

    async def timestamp(self, request: Request) -> Response:
        """A refusal of the authority comes as its answer, with status 200."""
        return await self._passed(
            request,
            "timestamp-query",
            "timestamp-reply",
            self._peers.timestamps.Timestamp,
            timestamp_pb2.TimestampRequest,
        )

    async def ocsp(self, request: Request) -> Response:
        return await self._passed(
            request, "ocsp-request", "ocsp-response", self._peers.revocation.AnswerOcsp, timestamp_pb2.AnswerOcspRequest
        )

    async def ocsp_by_path(self, request: Request) -> Response:
        """The request in Base64 in the path (RFC 6960 A.1). The edge joins slashes, so POST is the sure way."""
        try:
            asked = base64.b64decode(request.path_params["asked"][: 2 * _MOST_BYTES], validate=True)
        except binascii.Error:
            asked = b""
        return await self._answered(
            request,
            "ocsp-response",
            self._peers.revocation.AnswerOcsp,
            timestamp_pb2.AnswerOcspRequest(der=asked),
        )

    async def crl(self, request: Request) -> Response:
        """The list of the seal CA that the query names; without a query that of the first CA."""
        return await self._list(request, "")

    async def sm2_crl(self, request: Request) -> Response:
        """That of the SM2 seal CA; 400 where the hub has none."""
        return await self._list(request, "SM2")

    async def _list(self, request: Request, family: str) -> Response:
        number = request.query_params.get("ca", "0")
        if not number.isascii() or not number.isdigit() or len(number) > 4:
            return _plain(404, "No such authority.")
        asked = timestamp_pb2.GetCrlRequest(family=family, ca=int(number))
        return await self._answered(request, "pkix-crl", self._peers.revocation.GetCrl, asked)

    async def _passed(self, request: Request, asked: str, answered: str, call: Any, message: Any) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != f"application/{asked}":
            return _plain(415, f"Send application/{asked}.")
        try:
            body = await bodies.read(request, _MOST_BYTES, _SECONDS)
        except HubError as error:
            return _plain(status_of(error), error.en, reason=error.reason)
        return await self._answered(request, answered, call, message(der=body))

    async def _answered(self, request: Request, kind: str, call: Any, message: Any) -> Response:
        try:
            answer = await ask_again(request, call, message, seconds=5.0)
        except HubError as error:
            return _plain(status_of(error), error.en, reason=error.reason)
        return Response(answer.der, headers=NO_STORE, media_type=f"application/{kind}")


def _plain(status: int, text: str, *, reason: str = "") -> Response:
    told = {"x-shuniu-reason": reason} if reason else {}
    return PlainTextResponse(text + "\n", status, {**NO_STORE, **retry_headers(status), **told})
