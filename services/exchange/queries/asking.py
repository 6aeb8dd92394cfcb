"""Sends one question to a provider and returns the answer with its evidence."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.exchange import metrics
from services.exchange.directory.domain import Resource
from services.exchange.domain.identity_numbers import holds_identity_number
from services.exchange.queries.digests import CallDigests, Digests
from services.exchange.queries.streams import ProviderStreams
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import Clock
from shuniu.kit.process.ids import new_ulid

_TRANSACTION_ID: Final = re.compile(r"[A-Za-z0-9._:-]{0,100}")
_RESULT: Final = re.compile(r"[A-Z0-9_]{1,40}")
_MARGIN: Final = 0.2
"""Seconds of the caller's deadline that are left for keeping the evidence."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer with its evidence: digests of the exact bytes, instants in µs."""

    call_id: str
    answer: pb.ServeAnswer
    question: bytes
    asked_us: int
    answered_us: int
    digests: Digests

    @property
    def of_fields(self) -> CallDigests:
        """Of the question and of the fields as they came."""
        return self.digests.of(self.question, self.answer.answer_json)

    @property
    def of_message(self) -> CallDigests:
        """The same of the whole answer, for those whose result code says all."""
        return self.digests.of(self.question, self.answer.SerializeToString(deterministic=True))

    @property
    def result(self) -> str:
        """The provider's result code; UNREADABLE for what is no code."""
        return self.answer.result if _RESULT.fullmatch(self.answer.result) else "UNREADABLE"

    @property
    def transaction_id(self) -> str:
        """The provider's own transaction id; empty for one that must not be stored."""
        given = self.answer.transaction_id
        return given if _TRANSACTION_ID.fullmatch(given) and not holds_identity_number(given) else ""


class Asking:
    """Asks providers, each question with a deadline."""

    def __init__(self, streams: ProviderStreams, clock: Clock, seconds: float, digests: Digests) -> None:
        self._streams = streams
        self._clock = clock
        self._seconds = seconds
        self._digests = digests

    def new_call(self) -> str:
        return new_ulid(self._clock)

    async def ask(
        self,
        call_id: str,
        resource: Resource,
        subject: envelope_pb2.SealedData,
        *,
        fields: Iterable[str],
        purpose: str,
        left: float | None,
    ) -> Reply:
        """The answer. `left` is what remains of the caller's deadline, in seconds. Raises as ProviderStreams.ask."""
        seconds = self._seconds if left is None else max(0.0, min(self._seconds, left - _MARGIN))
        asked_us = self._clock.now_us()
        question = pb.ServeResponse(
            call_id=call_id, resource=resource.code, subject=subject, fields=sorted(fields), purpose=purpose
        )
        question.deadline.FromMicroseconds(asked_us + int(seconds * 1e6))
        answer = await self._streams.ask(question, resource.provider, seconds)
        answered_us = self._clock.now_us()
        metrics.PROVIDER_SECONDS.observe((answered_us - asked_us) / 1e6)
        return Reply(call_id, answer, question.SerializeToString(), asked_us, answered_us, self._digests)


def answer_invalid(cause: str, result: str = "") -> HubError:
    return errors.precondition(
        "PROVIDER_ANSWER_INVALID",
        "The provider's answer cannot be handed on; ask the provider, giving the case code.",
        "数据提供方返回的内容不符合约定，无法转交，请联系提供方。",
        cause=cause,
        result=result,
    )
