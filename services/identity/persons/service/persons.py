"""PersonService: persons and their sealed data for the other services of the hub."""

from collections.abc import Sequence
from typing import Any

from services.identity.persons.refusals import answered
from services.identity.persons.service_reveals import ServiceReveals, Wanted
from services.identity.persons.subjects import person_behind
from shuniu.api.identity.v1 import person_pb2 as pb
from shuniu.api.identity.v1 import person_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import current_caller

_MOST_PERSONS = 64


class PersonService(person_pb2_grpc.PersonServiceServicer):
    """Persons for the other services of the hub."""

    def __init__(self, base: Foundation, reveals: ServiceReveals) -> None:
        self._base = base
        self._reveals = reveals

    async def ResolveSubject(self, request: pb.ResolveSubjectRequest, context: Any) -> pb.ResolveSubjectResponse:
        person = await self._base.store.read(person_behind, request.platform, request.subject)
        if person is None:
            raise errors.not_found(
                "SUBJECT_UNKNOWN", "Nobody has this subject on that platform.", "该平台没有此用户标识。"
            )
        return pb.ResolveSubjectResponse(person_id=person.person_id, ial=person.ial, display_name=person.display_name)

    async def SealPerson(self, request: pb.SealPersonRequest, context: Any) -> pb.SealPersonResponse:
        (answer,) = await self._sealed([request])
        return answer

    async def BatchSealPerson(self, request: pb.BatchSealPersonRequest, context: Any) -> pb.BatchSealPersonResponse:
        if len(request.requests) > _MOST_PERSONS:
            raise errors.invalid_field(
                "requests", "TOO_MANY", f"At most {_MOST_PERSONS} persons at once.", f"一次最多 {_MOST_PERSONS} 人。"
            )
        return pb.BatchSealPersonResponse(responses=await self._sealed(request.requests))

    async def _sealed(self, requests: Sequence[pb.SealPersonRequest]) -> list[pb.SealPersonResponse]:
        with answered():
            sealed = await self._reveals.seal([_wanted(each) for each in requests], current_caller().platform)
        return [pb.SealPersonResponse(sealed=each) for each in sealed]


def _wanted(request: pb.SealPersonRequest) -> Wanted:
    return Wanted(
        request.person_id,
        tuple(request.fields),
        request.purpose,
        case_code=request.case_code,
        platform=request.platform,
        receiver_jwk=request.receiver_jwk,
    )
