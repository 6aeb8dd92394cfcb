"""RevealService: a person's data for the handling agency of an open case."""

from typing import Any

import grpc
from sqlalchemy import Connection

from services.identity.config import IdentitySettings
from services.identity.keys.secrets import Secrets
from services.identity.persons import store as person_store
from services.identity.persons.domain import reveals
from services.identity.persons.refusals import answered
from services.identity.persons.store import Reveal
from services.identity.persons.subjects import person_behind
from services.identity.persons.vault_client import Sealer, receiver_key
from services.identity.requests.private import PrivateRequests
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from shuniu.api.identity.v1 import person_pb2 as pb
from shuniu.api.identity.v1 import person_pb2_grpc
from shuniu.china_time import DAY_US
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc import paging
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.client import ask_again


class RevealService(person_pb2_grpc.RevealServiceServicer):
    """Purpose-bound reveal to the agency that handles a case, on a record that the person reads."""

    def __init__(
        self,
        base: Foundation,
        settings: IdentitySettings,
        keys: Secrets,
        private: PrivateRequests,
        sealer: Sealer,
        exchange: grpc.aio.Channel,
    ) -> None:
        self._base = base
        self._days = settings.reveal_days
        self._keys = keys
        self._private = private
        self._sealer = sealer
        self._cases = case_pb2_grpc.CaseRegistryServiceStub(exchange)

    async def RevealApplicant(self, request: pb.RevealApplicantRequest, context: Any) -> pb.RevealApplicantResponse:
        caller = current_caller().platform
        with answered():
            fields = reveals.checked_fields(request.fields)
            purpose = reveals.checked_purpose(request.purpose)
            parties = await self._parties(request.case_code)
            state = case_pb2.CaseState.Name(parties.state).removeprefix("CASE_STATE_")
            reveals.check_case(caller, parties.handler_platform, state)
            # Decided each time: a stored answer is for the agency that may still have it.
            answer = await self._private.answered(request, pb.RevealApplicantResponse)
            if answer is not None:
                return answer
            sealed = await self._sealer.to_platform(parties.person_id, fields, caller, reveals.CASE_PURPOSE)

        def work(conn: Connection) -> pb.RevealApplicantResponse:
            receiver_key(conn, caller)
            now = self._base.clock.now_us()
            given = Reveal(
                new_ulid(self._base.clock), parties.person_id, caller, request.case_code, fields, purpose, now
            )
            person_store.add_reveal(conn, given)
            response = pb.RevealApplicantResponse(sealed=sealed)
            response.expires_at.FromMicroseconds(now + self._days * DAY_US)
            return response

        with answered():
            return await self._private.mutate(
                request, pb.RevealApplicantResponse, work, target=f"case/{request.case_code}"
            )

    async def ListReveals(self, request: pb.ListRevealsRequest, context: Any) -> pb.ListRevealsResponse:
        caller = current_caller()
        size = paging.page_size(request.page_size, default=20, most=100)
        position = paging.decode_token(self._keys.page_token, caller.key, b"reveals", request.page_token)
        before = str(position[0]) if position else ""
        found = await self._base.store.read(_reveals_of, caller.platform, caller.person, before, size + 1)
        response = pb.ListRevealsResponse()
        for given in found[:size]:
            row = response.reveals.add(
                receiver=given.receiver, case_code=given.case_code, fields=given.fields, purpose=given.purpose
            )
            row.time.FromMicroseconds(given.time_us)
        if len(found) > size:
            position = (found[size - 1].reveal_id,)
            response.next_page_token = paging.encode_token(self._keys.page_token, caller.key, b"reveals", position)
        return response

    async def _parties(self, case_code: str) -> case_pb2.GetCasePartiesResponse:
        try:
            found: case_pb2.GetCasePartiesResponse = await ask_again(
                self._cases.GetCaseParties, case_pb2.GetCasePartiesRequest(case_code=case_code)
            )
        except HubError as error:
            if error.code in (Code.NOT_FOUND, Code.INVALID_ARGUMENT):
                # Only its parties may learn whether a case exists.
                raise reveals.not_handling() from None
            raise
        return found


def _reveals_of(conn: Connection, platform: str, subject: str, before: str, limit: int) -> list[Reveal]:
    person = person_behind(conn, platform, subject)
    return [] if person is None else list(person_store.reveals(conn, person.person_id, before, limit))
