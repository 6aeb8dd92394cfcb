"""Asks exchange and identity: who a case concerns, and the data that the document prints."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from joserfc.jwk import ECKey

from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc
from shuniu.kit.crypto.sealing import SealingError, unseal
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.batching import Batcher, Crowd
from shuniu.kit.rpc.client import ask, ask_again

PURPOSE = "document"
# As many as the neighbours take in one call.
_MOST = 64
SEAL_PURPOSE = "seal"
Parties = case_pb2.GetCasePartiesResponse


@dataclass(slots=True)
class Neighbours:
    """Calls to the other services. All are reads, so UNAVAILABLE is asked again for a while.

    What several callers want at the same time is asked for in one call.
    """

    exchange: grpc.aio.Channel
    identity: grpc.aio.Channel
    # Those who have a document issued: they ask for the same things, a moment apart.
    crowd: Crowd = field(default_factory=Crowd)
    _cases: "case_pb2_grpc.CaseRegistryServiceAsyncStub" = field(init=False)
    _people: "person_pb2_grpc.PersonServiceAsyncStub" = field(init=False)
    _parties: Batcher[str, Parties] = field(init=False)
    _persons: Batcher[person_pb2.SealPersonRequest, str] = field(init=False)
    # Of the key that answers were last sealed to.
    _told: tuple[ECKey, str] | None = None

    def __post_init__(self) -> None:
        # A stub makes all its calls ready: once, not at each call.
        self._cases = case_pb2_grpc.CaseRegistryServiceStub(self.exchange)
        self._people = person_pb2_grpc.PersonServiceStub(self.identity)
        self._parties = Batcher(self._ask_parties, most=_MOST, crowd=self.crowd)
        self._persons = Batcher(self._ask_persons, most=_MOST, crowd=self.crowd)

    async def parties(self, case_code: str) -> Parties:
        """Raises NOT_FOUND CASE_UNKNOWN."""
        return await self._parties.do(case_code)

    async def _ask_parties(self, case_codes: Sequence[str]) -> Sequence[Parties]:
        if len(case_codes) == 1:
            request = case_pb2.GetCasePartiesRequest(case_code=case_codes[0])
            return [await ask_again(self._cases.GetCaseParties, request, within=5)]
        several = case_pb2.BatchGetCasePartiesRequest(case_codes=case_codes)
        answer: case_pb2.BatchGetCasePartiesResponse = await ask(self._cases.BatchGetCaseParties, several, timeout=5)
        return answer.parties

    async def person(
        self, person_id: str, fields: Sequence[str], case_code: str, receiving: ECKey, purpose: str = PURPOSE
    ) -> dict[str, str]:
        """A person's data, sealed to this service and opened here. It is kept nowhere but in the document."""
        request = person_pb2.SealPersonRequest(
            person_id=person_id,
            fields=fields,
            receiver_jwk=self._jwk(receiving),
            purpose=purpose,
            case_code=case_code,
        )
        try:
            opened = unseal(receiving, await self._persons.do(request))
        except SealingError:
            raise HubError(
                Code.INTERNAL, "PERSON_UNREADABLE", "The person's data do not open here.", "无法读取申请人信息。"
            ) from None
        return {name: str(opened.get(name, "")) for name in fields}

    def _jwk(self, receiving: ECKey) -> str:
        if self._told is None or self._told[0] is not receiving:
            self._told = receiving, json.dumps(receiving.as_dict(private=False))
        return self._told[1]

    async def name_for_seal(self, person_id: str, receiving: ECKey) -> str:
        """The name that a person's seal shows; kept in its certificate and picture only."""
        found = await self.person(person_id, ("full_name",), "", receiving, SEAL_PURPOSE)
        return found["full_name"]

    async def _ask_persons(self, requests: Sequence[person_pb2.SealPersonRequest]) -> Sequence[str]:
        if len(requests) == 1:
            return [(await ask_again(self._people.SealPerson, requests[0], within=5)).sealed.jwe]
        several = person_pb2.BatchSealPersonRequest(requests=requests)
        answer: person_pb2.BatchSealPersonResponse = await ask(self._people.BatchSealPerson, several, timeout=5)
        return [one.sealed.jwe for one in answer.responses]

    async def person_id(self, platform: str, subject: str) -> str:
        """The hub's id of a pairwise subject."""
        request = person_pb2.ResolveSubjectRequest(platform=platform, subject=subject)
        answer = await ask_again(self._people.ResolveSubject, request, within=5)
        return str(answer.person_id)
