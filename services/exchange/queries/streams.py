"""Questions to providers over the streams that they hold open: no provider needs an open port.

One process, one set of streams. Several streams of a provider share its load. When one ends, its questions go to the
others; the asker gets an error only when no stream takes the question in time.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from services.exchange import metrics
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError


class StreamLostError(Exception):
    """The stream ended before its answer came."""


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream: what it serves, how many questions it takes at once, which ones it has."""

    provider: str
    resources: frozenset[str]
    window: int
    _outgoing: asyncio.Queue[pb.ServeResponse | None] = field(default_factory=asyncio.Queue)
    _waiting: dict[str, asyncio.Future[pb.ServeAnswer]] = field(default_factory=dict)

    @property
    def load(self) -> float:
        return len(self._waiting) / self.window

    def put(self, question: pb.ServeResponse) -> asyncio.Future[pb.ServeAnswer]:
        answer: asyncio.Future[pb.ServeAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[question.call_id] = answer
        self._outgoing.put_nowait(question)
        return answer

    def drop(self, call_id: str) -> None:
        """Drops the waiter of an answer."""
        self._waiting.pop(call_id, None)

    def answered(self, answer: pb.ServeAnswer) -> None:
        """Hands an answer to its waiter; an answer without a waiter is dropped."""
        waiting = self._waiting.get(answer.call_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def end(self) -> None:
        """Lets `questions` return."""
        self._outgoing.put_nowait(None)

    def lost(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(StreamLostError())
        self._waiting.clear()

    async def questions(self) -> AsyncIterator[pb.ServeResponse]:
        """Questions as they come, until the stream ends."""
        while (question := await self._outgoing.get()) is not None:
            # The asker may have left while the question waited here: it is not sent then.
            if question.call_id in self._waiting:
                yield question


class ProviderStreams:
    """All streams of this process."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._streams: list[Stream] = []
        self._changed = asyncio.Event()
        self._draining = False

    def open(self, provider: str, resources: frozenset[str], window: int) -> Stream:
        stream = Stream(provider, resources, window)
        self._streams.append(stream)
        metrics.PROVIDER_STREAMS.set(len(self._streams))
        if self._draining:
            stream.end()
        self._tell()
        return stream

    def close(self, stream: Stream) -> None:
        """The stream is over; its questions go to others."""
        self._streams.remove(stream)
        metrics.PROVIDER_STREAMS.set(len(self._streams))
        stream.lost()
        self._tell()

    def drain(self) -> None:
        """Ends every stream: the process is about to stop, and providers open theirs again elsewhere or later."""
        self._draining = True
        for stream in self._streams:
            stream.end()

    async def ask(self, question: pb.ServeResponse, provider: str, seconds: float) -> pb.ServeAnswer:
        """The provider's answer. Raises UNAVAILABLE PROVIDER_AWAY, DEADLINE_EXCEEDED PROVIDER_SLOW."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        absent_until = min(deadline, loop.time() + self._wait_seconds)
        while True:
            serving = [each for each in self._streams if self._serves(each, provider, question.resource)]
            free = min((each for each in serving if each.load < 1), key=lambda each: each.load, default=None)
            if free is None:
                if not await self._change(deadline if serving else absent_until):
                    raise provider_slow() if serving else provider_away()
                continue
            answer = free.put(question)
            try:
                async with asyncio.timeout_at(deadline):
                    return await answer
            except TimeoutError:
                raise provider_slow() from None
            except StreamLostError:
                absent_until = min(deadline, loop.time() + self._wait_seconds)
            finally:
                free.drop(question.call_id)
                self._tell()

    @staticmethod
    def _serves(stream: Stream, provider: str, resource: str) -> bool:
        return stream.provider == provider and resource in stream.resources

    async def _change(self, until: float) -> bool:
        """Waits for streams to come, go or have room; False when `until` (loop time) passed first."""
        try:
            async with asyncio.timeout_at(until):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        told, self._changed = self._changed, asyncio.Event()
        told.set()


def provider_away() -> HubError:
    return errors.unavailable(
        "PROVIDER_AWAY",
        "The provider is not connected; retry with the same request_id.",
        "数据提供方未连接，请使用相同的 request_id 重试。",
    )


def provider_slow() -> HubError:
    return HubError(
        Code.DEADLINE_EXCEEDED,
        "PROVIDER_SLOW",
        "The provider did not answer in time; retry with the same request_id.",
        "数据提供方未及时答复，请使用相同的 request_id 重试。",
    )
