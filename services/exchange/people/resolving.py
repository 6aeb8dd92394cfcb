"""Resolves a platform's pairwise subject to a person: asks identity once, then reads the stored row."""

import grpc

from services.exchange.people import store
from services.exchange.people.store import Person
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.clock import Clock
from shuniu.kit.rpc.caller import Caller
from shuniu.kit.rpc.client import ask, ask_again
from shuniu.kit.store import Store

RESOLVE_SECONDS = 3.0
SEAL_SECONDS = 5.0
REGISTER_FIELDS = ("full_name", "document_type", "document_number")
"""Fields that a register needs to find a person."""


class People:
    """Resolves subjects through identity; stored permanently, so it works while identity is unavailable."""

    def __init__(self, channel: grpc.aio.Channel, kept: Store, clock: Clock) -> None:
        self._stub = person_pb2_grpc.PersonServiceStub(channel)
        self._store = kept
        self._clock = clock

    async def of(self, caller: Caller) -> Person:
        """The calling person. Raises UNAUTHENTICATED SUBJECT_UNKNOWN, UNAVAILABLE IDENTITY_AWAY."""
        known = await self._store.read(store.find_person, caller.platform, caller.person)
        if known is not None:
            return known
        request = person_pb2.ResolveSubjectRequest(platform=caller.platform, subject=caller.person)
        try:
            answer = await ask_again(self._stub.ResolveSubject, request, within=RESOLVE_SECONDS)
        except HubError as error:
            raise _unresolved(error) from None
        person = Person(answer.person_id, answer.display_name)
        await self._store.write(store.keep_person, caller.platform, caller.person, person, self._clock.now_us())
        return person

    async def seal_for_register(self, person_id: str, provider: str, case_code: str) -> person_pb2.SealPersonResponse:
        """The person's name and document, sealed by the vault to a provider's key. Raises HubError."""
        request = person_pb2.SealPersonRequest(
            person_id=person_id,
            fields=REGISTER_FIELDS,
            platform=provider,
            purpose="register-query",
            case_code=case_code,
        )
        try:
            answer: person_pb2.SealPersonResponse = await ask(self._stub.SealPerson, request, timeout=SEAL_SECONDS)
        except HubError as error:
            raise _away() if error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED) else error from None
        return answer


def _unresolved(error: HubError) -> HubError:
    if error.code is Code.NOT_FOUND:
        return errors.unauthenticated(
            "SUBJECT_UNKNOWN", "This person is not known to the hub; sign in again.", "无法识别该用户，请重新登录。"
        )
    return _away() if error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED) else error


def _away() -> HubError:
    return errors.unavailable(
        "IDENTITY_AWAY",
        "The identity service does not answer; retry with the same request_id.",
        "身份服务暂时不可用，请使用相同的 request_id 重试。",
    )
