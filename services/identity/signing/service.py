"""SigningService: a person's consent to sign, under the hub's token key."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from services.identity.requests.private import PrivateRequests
from services.identity.sessions.refusals import answered
from services.identity.signing import domain as signing
from services.identity.signing.consents import Consents
from services.identity.signing.domain import Item
from shuniu.api.identity.v1 import signing_pb2 as pb
from shuniu.api.identity.v1 import signing_pb2_grpc
from shuniu.kit.rpc.caller import Caller, current_caller


class SigningService(signing_pb2_grpc.SigningServiceServicer):
    """Hands a platform the consent of the person who is signed in there."""

    def __init__(self, private: PrivateRequests, consents: Consents) -> None:
        self._private = private
        self._consents = consents

    async def AuthoriseSigning(self, request: pb.AuthoriseSigningRequest, context: Any) -> pb.AuthoriseSigningResponse:
        caller = current_caller()
        items = [Item(one.flow, one.step, one.document_sha256) for one in request.items]
        hashes = list(request.hashes)
        with answered():
            signing.check(items, hashes)
            return await self._private.mutate(
                request,
                pb.AuthoriseSigningResponse,
                lambda conn: self._given(conn, caller, items, hashes),
                target=f"session/{caller.session}",
            )

    def _given(
        self, conn: Connection, caller: Caller, items: Sequence[Item], hashes: Sequence[bytes]
    ) -> pb.AuthoriseSigningResponse:
        token, life = self._consents.give(conn, caller, items, hashes)
        response = pb.AuthoriseSigningResponse(authorisation=token)
        response.expires_at.FromSeconds(life.expires_s)
        return response
