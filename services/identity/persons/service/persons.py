"""PersonService: persons and their sealed data for the other services of the hub."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from services.identity.persons import store as person_store
from services.identity.persons.domain import reveals
from services.identity.persons.refusals import answered
from services.identity.persons.store import Reveal
from services.identity.persons.subjects import person_behind
from services.identity.persons.vault_client import Sealer
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.identity.v1 import person_pb2 as pb
from shuniu.api.identity.v1 import person_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import current_caller

_MOST_PERSONS = 64


class PersonService(person_pb2_grpc.PersonServiceServicer):
    """Persons for the other services of the hub."""

    def __init__(self, base: Foundation, sealer: Sealer) -> None:
        self._base = base
        self._sealer = sealer

    async def ResolveSubject(self, request: pb.ResolveSubjectRequest, context: Any) -> pb.ResolveSubjectResponse:
        person = await self._base.store.read(person_behind, request.platform, request.subject)
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
        """Seals each; returns them only after all of them are on record."""
        service = current_caller().platform
        sealed = await asyncio.gather(*(self._seal_one(request, service) for request in requests))

        def work(conn: Connection) -> None:
            now = self._base.clock.now_us()
            for request in requests:
                receiver = request.platform or service
                fields = reveals.checked_fields(request.fields)
                id_ = new_ulid(self._base.clock)
                given = Reveal(id_, request.person_id, receiver, request.case_code, fields, request.purpose, now)
                person_store.add_reveal(conn, given)
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
            if await self._base.store.read(person_store.find_person, request.person_id) is None:
                raise errors.not_found("PERSON_UNKNOWN", "There is no such person.", "没有该人员。")
            if request.platform:
                return await self._sealer.to_platform(request.person_id, fields, request.platform, request.purpose)
            if request.receiver_jwk:
                return await self._sealer.to_key(
                    request.person_id, fields, request.receiver_jwk, service, request.purpose
                )
            raise reveals.no_key()
