"""SigningService: a person's consent to sign, under the hub's token key."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from services.identity.openid.tokens import Tokens
from services.identity.persons import store as person_store
from services.identity.platforms import store as platform_store
from services.identity.requests.private import PrivateRequests
from services.identity.sessions.domain import sessions
from services.identity.sessions.domain.sessions import SessionEndedError
from services.identity.sessions.refusals import answered
from services.identity.sessions.store import sessions as session_store
from services.identity.signing import domain as signing
from services.identity.signing.domain import Item, Signer
from shuniu.api.identity.v1 import signing_pb2 as pb
from shuniu.api.identity.v1 import signing_pb2_grpc
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import Caller, current_caller


class SigningService(signing_pb2_grpc.SigningServiceServicer):
    """Levels are those of the session and the person now, not those of the access token."""

    def __init__(self, base: Foundation, private: PrivateRequests, tokens: Tokens) -> None:
        self._base = base
        self._private = private
        self._tokens = tokens

    async def AuthoriseSigning(self, request: pb.AuthoriseSigningRequest, context: Any) -> pb.AuthoriseSigningResponse:
        caller = current_caller()
        items = [Item(one.flow, one.step, one.document_sha256) for one in request.items]
        hashes = list(request.hashes)
        with answered():
            signing.check(items, hashes)
            now_us = self._base.clock.now_us()
            life = self._tokens.life(now_us)
            life = replace(life, expires_s=life.issued_s + signing.LIFE_S)

            def work(conn: Connection) -> pb.AuthoriseSigningResponse:
                signer = _signer(conn, caller, now_us)
                self._base.audit(
                    conn, "ConsentToSign", f"session/{signer.session_id}", token=life.token_id, count=str(len(items))
                )
                response = pb.AuthoriseSigningResponse(
                    authorisation=self._tokens.signed(
                        signing.assertion(self._tokens.issuer, signer, items, hashes, life), signing.TYPE
                    ),
                )
                response.expires_at.FromSeconds(life.expires_s)
                return response

            return await self._private.mutate(
                request, pb.AuthoriseSigningResponse, work, target=f"session/{caller.session}"
            )


def _signer(conn: Connection, caller: Caller, now_us: int) -> Signer:
    """Raises SessionEndedError unless the session lives and is the caller's."""
    session = sessions.live(session_store.find_session(conn, caller.session), now_us)
    platform = platform_store.find_platform(conn, caller.platform)
    person = None if platform is None else person_store.find_by_subject(conn, platform.sector, caller.person)
    if person is None or person.person_id != session.person_id:
        raise SessionEndedError
    return Signer(
        caller.platform,
        caller.person,
        session.session_id,
        person.ial,
        session.aal,
        session.authenticated_us // 1_000_000,
    )
