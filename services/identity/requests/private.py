"""Mutations whose request or answer holds a secret (AIP-155 as `Foundation.mutate`, but nothing in clear at rest).

A plain digest of a request with an identity number could be searched through, so it is keyed; the kept answer, which
may hold a token, is encrypted and bound to its place in the log.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.identity.requests import store
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import BareFoundation, require_request_id
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.caller import CurrentCall, current_call

Response = TypeVar("Response", bound=Message)


class PrivateRequests:
    """Runs such mutations on one service's store."""

    def __init__(self, base: BareFoundation, keyring: Keyring, digest_key: bytes) -> None:
        self._base = base
        self._keyring = keyring
        self._digest_key = digest_key

    async def answered(self, request: Message, response_type: type[Response]) -> Response | None:
        """The stored answer to the same request; None for a new one. Calls to other services need not be repeated."""
        call, request_id = current_call(), require_request_id(request)
        kept = await self._base.store.read(store.find, call.caller.key, call.method, request_id)
        if kept is None:
            return None
        digest, response = kept
        if not hmac.compare_digest(digest, self._digest(request)):
            raise requests.reused(request_id)
        return response_type.FromString(self._keyring.decrypt(response, _context(call, request_id)))

    async def mutate(
        self,
        request: Message,
        response_type: type[Response],
        work: Callable[[Connection], Response],
        *,
        target: str = "",
    ) -> Response:
        """Runs a unit like `Foundation.mutate`. Raises what `work` raises, REQUEST_ID_REQUIRED, REQUEST_ID_REUSED."""
        call, request_id = current_call(), require_request_id(request)
        digest = self._digest(request)
        context = _context(call, request_id)

        def unit(conn: Connection) -> bytes:
            def first_time(inner: Connection) -> bytes:
                response = work(inner)
                if call.audit:
                    self._base.audit(inner, call.method.rsplit("/", 1)[-1], target)
                return self._keyring.encrypt(response.SerializeToString(), context)

            return requests.once(conn, call.caller.key, call.method, request_id, digest, first_time)

        return response_type.FromString(self._keyring.decrypt(await self._base.write(unit), context))

    def _digest(self, request: Message) -> bytes:
        content = type(request)()
        content.CopyFrom(request)
        content.ClearField("request_id")
        return hmac.digest(self._digest_key, content.SerializeToString(deterministic=True), hashlib.sha256)


def _context(call: CurrentCall, request_id: str) -> bytes:
    return f"request_log\0{call.caller.key}\0{call.method}\0{request_id}".encode()
