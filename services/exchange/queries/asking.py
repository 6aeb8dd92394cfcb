"""Sends one question to a provider and returns the answer with its evidence."""

from collections.abc import Iterable
from typing import Final

from services.exchange import metrics
from services.exchange.directory.domain import Resource
from services.exchange.queries.digests import Digests
from services.exchange.queries.replies import Reply
from services.exchange.queries.streams import ProviderStreams
from shuniu.api.common.v1 import envelope_pb2
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit.process.clock import Clock
from shuniu.kit.process.ids import new_ulid

_MARGIN: Final = 0.2
"""Seconds of the caller's deadline that are left for keeping the evidence."""


class Asking:
    """Asks providers, each question with a deadline. `seconds`: longest time for a provider to answer."""

    def __init__(self, streams: ProviderStreams, clock: Clock, seconds: float, digests: Digests) -> None:
        self._streams = streams
        self._clock = clock
        self.seconds = seconds
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
        seconds = self.seconds if left is None else max(0.0, min(self.seconds, left - _MARGIN))
        asked_us = self._clock.now_us()
        question = pb.ServeResponse(
            call_id=call_id, resource=resource.code, subject=subject, fields=sorted(fields), purpose=purpose
        )
        question.deadline.FromMicroseconds(asked_us + int(seconds * 1e6))
        answer = await self._streams.ask(question, resource.provider, seconds)
        answered_us = self._clock.now_us()
        metrics.PROVIDER_SECONDS.observe((answered_us - asked_us) / 1e6)
        return Reply(call_id, answer, question.SerializeToString(), asked_us, answered_us, self._digests)
