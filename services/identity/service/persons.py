"""A person's data for those who may have them: the handling agency of an open case, and services of the hub."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from sqlalchemy import Connection

from services.identity import metrics
from services.identity.config import IdentitySettings
from services.identity.domain import reveals
from services.identity.keys import Secrets
from services.identity.private_requests import PrivateRequests
from services.identity.service.failures import answered
from services.identity.store import persons
from services.identity.store import platforms as platform_rows
from services.identity.store.persons import Person, Reveal
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from shuniu.api.identity.v1 import person_pb2 as pb
from shuniu.api.identity.v1 import person_pb2_grpc, vault_pb2, vault_pb2_grpc
from shuniu.kit import errors, paging
from shuniu.kit.caller import current_caller
from shuniu.kit.client import ask_again
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.ids import new_ulid

_MOST_PERSONS = 64
_DAY_US = 24 * 3600 * 1_000_000


class Sealer:
    """Has the vault seal fields of a person to a receiver's key."""

    def __init__(self, base: Foundation, vault: grpc.aio.Channel) -> None:
        self._base = base
        self._vault = vault_pb2_grpc.VaultServiceStub(vault)

    async def to_platform(
        self, person_id: str, fields: tuple[str, ...], platform: str, purpose: str
    ) -> envelope_pb2.SealedData:
        """Raises RevealError NO_ENCRYPTION_KEY and what the vault raises."""
        row = await self._base.store.read(platform_rows.get, platform)
        key = row.encryption_key if row is not None and row.working else ""
        if not key:
            raise reveals.no_key()
        return await self.to_key(person_id, fields, key, platform, purpose)

    async def to_key(
        self, person_id: str, fields: tuple[str, ...], jwk: str, receiver: str, purpose: str
    ) -> envelope_pb2.SealedData:
        wanted = vault_pb2.SealFieldsRequest(
            person_id=person_id, fields=fields, receiver_jwk=jwk, receiver=receiver, purpose=purpose
        )
        answer: vault_pb2.SealFieldsResponse = await ask_again(self._vault.SealFields, wanted)
        metrics.REVEALS.labels(purpose).inc()
        return answer.sealed


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
        answer = await self._private.answered(request, pb.RevealApplicantResponse)
        if answer is not None:
            return answer
        caller = current_caller().platform
        with answered():
            fields = reveals.checked_fields(request.fields)
            purpose = reveals.checked_purpose(request.purpose)
            parties = await self._parties(request.case_code)
            state = case_pb2.CaseState.Name(parties.state).removeprefix("CASE_STATE_")
            reveals.check_case(caller, parties.handler_platform, state)
            sealed = await self._sealer.to_platform(parties.person_id, fields, caller, reveals.CASE_PURPOSE)

        def work(conn: Connection) -> pb.RevealApplicantResponse:
            now = self._base.clock.now_us()
            given = Reveal(
                new_ulid(self._base.clock), parties.person_id, caller, request.case_code, fields, purpose, now
            )
            persons.add_reveal(conn, given)
            response = pb.RevealApplicantResponse(sealed=sealed)
            response.expires_at.FromMicroseconds(now + self._days * _DAY_US)
            return response

        return await self._private.mutate(request, pb.RevealApplicantResponse, work, target=f"case/{request.case_code}")

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
                # Whether a case exists is nobody's business but its parties'.
                raise reveals.not_handling() from None
            raise
        return found


class PersonService(person_pb2_grpc.PersonServiceServicer):
    """Persons for the other services of the hub."""

    def __init__(self, base: Foundation, sealer: Sealer) -> None:
        self._base = base
        self._sealer = sealer

    async def ResolveSubject(self, request: pb.ResolveSubjectRequest, context: Any) -> pb.ResolveSubjectResponse:
        person = await self._base.store.read(_resolved, request.platform, request.subject)
        if person is None:
            raise errors.not_found(
                "SUBJECT_UNKNOWN", "Nobody has this subject on that platform.", "该平台没有此用户标识。"
            )
        return pb.ResolveSubjectResponse(person_id=person.person_id, ial=person.ial, display_name=person.display_name)

    async def SealPerson(self, request: pb.SealPersonRequest, context: Any) -> pb.SealPersonResponse:
        (answer,) = await self._seal([request])
        return answer

    async def BatchSealPerson(self, request: pb.BatchSealPersonRequest, context: Any) -> pb.BatchSealPersonResponse:
        if len(request.requests) > _MOST_PERSONS:
            raise errors.invalid_field(
                "requests", "TOO_MANY", f"At most {_MOST_PERSONS} persons at once.", f"一次最多 {_MOST_PERSONS} 人。"
            )
        return pb.BatchSealPersonResponse(responses=await self._seal(request.requests))

    async def _seal(self, requests: Sequence[pb.SealPersonRequest]) -> list[pb.SealPersonResponse]:
        """Seals each; they are given away, all of them, only once that is on record."""
        service = current_caller().platform
        sealed = await asyncio.gather(*(self._seal_one(request, service) for request in requests))

        def work(conn: Connection) -> None:
            now = self._base.clock.now_us()
            for request in requests:
                receiver = request.platform or service
                fields = reveals.checked_fields(request.fields)
                id_ = new_ulid(self._base.clock)
                given = Reveal(id_, request.person_id, receiver, request.case_code, fields, request.purpose, now)
                persons.add_reveal(conn, given)
            self._base.audit_all(
                conn,
                [
                    self._base.audit_record(
                        "SealPerson", f"person/{request.person_id}", receiver=request.platform or service
                    )
                    for request in requests
                ],
            )

        await self._base.write(work)
        return [pb.SealPersonResponse(sealed=one) for one in sealed]

    async def _seal_one(self, request: pb.SealPersonRequest, service: str) -> envelope_pb2.SealedData:
        with answered():
            fields = reveals.checked_fields(request.fields)
            reveals.check_service(service, request.purpose)
            if await self._base.store.read(persons.get, request.person_id) is None:
                raise errors.not_found("PERSON_UNKNOWN", "There is no such person.", "没有该人员。")
            if request.platform:
                return await self._sealer.to_platform(request.person_id, fields, request.platform, request.purpose)
            if request.receiver_jwk:
                return await self._sealer.to_key(
                    request.person_id, fields, request.receiver_jwk, service, request.purpose
                )
            raise reveals.no_key()


def _resolved(conn: Connection, platform: str, subject: str) -> Person | None:
    row = platform_rows.get(conn, platform)
    return None if row is None else persons.by_subject(conn, row.sector, subject)


def _reveals_of(conn: Connection, platform: str, subject: str, before: str, limit: int) -> list[Reveal]:
    person = _resolved(conn, platform, subject)
    return [] if person is None else list(persons.reveals(conn, person.person_id, before, limit))
