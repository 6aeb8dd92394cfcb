"""Questions to providers over the streams that they hold open: no provider needs an open port.

One process, one set of streams. Several streams of a provider share its load. When one ends, its questions go to the
others; the asker gets an error only when no stream takes the question in time. A question that was sent holds its place
in the stream's window until the provider answers, also when nobody waits for it any more: a stream that hangs fills up
and is left alone, it does not look idle. A replica without a stream that works passes the question to one that has
(`forwarding.py`); window and breaker stay where the stream is.
"""

import asyncio
import math
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.exchange import metrics
from services.exchange.queries.domain.breaker import Breaker, Standing
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError

MOST_STREAMS: Final = 32
"""Streams that a provider may hold at once."""
MOST_WAITING: Final = 256
"""Questions to a provider that may wait at once for a stream with room."""
# What counts as all of the time that a provider has: a question takes a moment to get here.
_WHOLE_TIME: Final = 0.9
LOOK_AGAIN_SECONDS: Final = 0.25
"""Pause after which an asker who found no stream here looks again whether another replica has one."""

AskElsewhere = Callable[[pb.ServeResponse, str, float], Awaitable[pb.ServeAnswer]]
"""Asks a provider (second argument) over a stream of another replica, until an instant (loop time).

Raises as `ProviderStreams.ask`.
"""
LEFT_ALONE: Final = frozenset({"PROVIDER_AWAY", "PROVIDER_STALLED"})
"""Refusals of a replica that has no stream, or none that works: the question may be answered elsewhere, or later."""


class StreamLostError(Exception):
    """The stream ended before its answer came."""


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream: what it serves, how many questions it takes at once, which ones it has.

    `_owed`: questions that nobody waits for any more and that were not answered, with the instant by which a provider
    should have answered, oldest first.
    """

    provider: str
    resources: frozenset[str]
    window: int
    id: str = field(default_factory=lambda: secrets.token_hex(10))
    breaker: Breaker = field(default_factory=Breaker)
    _outgoing: asyncio.Queue[pb.ServeResponse | None] = field(default_factory=asyncio.Queue)
    _waiting: dict[str, asyncio.Future[pb.ServeAnswer]] = field(default_factory=dict)
    _owed: dict[str, float] = field(default_factory=dict)

    @property
    def load(self) -> float:
        return (len(self._waiting) + len(self._owed)) / self.window

    def takes(self, now: float) -> bool:
        """Tells whether a question may go out; of a stream that is tried again only when it has read all others."""
        if self.breaker.standing(now) is Standing.HALF_OPEN:
            return self._outgoing.empty() and len(self._waiting) < self.window
        return self.breaker.standing(now) is Standing.CLOSED and self.load < 1

    def works(self, now: float) -> bool:
        """Tells whether an asker has a reason to wait for room. Opens the breaker of a stream that owes everything."""
        owes_all = len(self._owed) >= self.window and max(self._owed.values()) <= now
        if owes_all and self.breaker.standing(now) is Standing.CLOSED:
            self.breaker.open(now)
        return self.breaker.standing(now) is Standing.CLOSED or self.takes(now)

    def put(self, question: pb.ServeResponse, now: float) -> asyncio.Future[pb.ServeAnswer]:
        if self.load >= 1:
            # A trial: the oldest answer is not coming.
            del self._owed[next(iter(self._owed))]
        self.breaker.begin(question.call_id, now)
        answer: asyncio.Future[pb.ServeAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[question.call_id] = answer
        self._outgoing.put_nowait(question)
        return answer

    def left(self, call_id: str, due: float) -> None:
        """Nobody waits for an answer any more; the provider owes it, by an instant (loop time)."""
        if self._waiting.pop(call_id, None) is not None:
            self._owed[call_id] = due
            self.breaker.left(call_id)

    def overdue(self, call_id: str, now: float) -> None:
        """The provider had its whole time and did not answer."""
        if self._waiting.pop(call_id, None) is not None:
            self._owed[call_id] = now
            self.breaker.failed(now)

    def answered(self, answer: pb.ServeAnswer) -> None:
        """Hands an answer to its waiter; a late one returns its place, and one to no question is dropped."""
        waiting = self._waiting.pop(answer.call_id, None)
        if waiting is None and self._owed.pop(answer.call_id, None) is None:
            return
        if self.breaker.answered():
            # It answers again: what it owed from before is not coming.
            self._owed.clear()
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
            # The asker may have left while the question waited here: it is not sent then, and nothing is owed.
            if question.call_id in self._waiting:
                yield question
            else:
                self._owed.pop(question.call_id, None)


class ProviderStreams:
    """All streams of this process. A question waits `wait_seconds` at most for a provider that has none, and a provider
    has `answer_seconds` to answer. `elsewhere`: None where there is one process only.
    """

    def __init__(self, wait_seconds: float, answer_seconds: float, elsewhere: AskElsewhere | None = None) -> None:
        self._wait_seconds = wait_seconds
        self._answer_seconds = answer_seconds
        self._elsewhere = elsewhere
        self.moved = asyncio.Event()
        """Set when a stream is opened or closed; who reads `held` clears it."""
        self._streams: list[Stream] = []
        self._waiting: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._draining = False

    def open(self, provider: str, resources: frozenset[str], window: int) -> Stream:
        """A new stream. Raises RESOURCE_EXHAUSTED TOO_MANY_STREAMS."""
        if sum(each.provider == provider for each in self._streams) >= MOST_STREAMS:
            raise errors.exhausted(
                "TOO_MANY_STREAMS",
                f"Your platform holds {MOST_STREAMS} streams; use a larger window instead of more.",
                f"贵平台已打开 {MOST_STREAMS} 个数据流，请增大窗口而不是增加数据流。",
            )
        stream = Stream(provider, resources, window)
        self._streams.append(stream)
        if self._draining:
            stream.end()
        self.moved.set()
        self._tell()
        return stream

    def held(self) -> Sequence[Stream]:
        """The streams that are open now."""
        return tuple(self._streams)

    def close(self, stream: Stream) -> None:
        """The stream is over; its questions go to others."""
        self._streams.remove(stream)
        stream.lost()
        self.moved.set()
        self._tell()

    def answered(self, stream: Stream, answer: pb.ServeAnswer) -> None:
        """An answer came on a stream."""
        stream.answered(answer)
        self._tell()

    def drain(self) -> None:
        """Ends every stream: the process is about to stop, and providers open theirs again elsewhere or later."""
        self._draining = True
        for stream in self._streams:
            stream.end()

    async def ask(self, question: pb.ServeResponse, provider: str, seconds: float) -> pb.ServeAnswer:
        """The provider's answer, over a stream here or elsewhere. Raises UNAVAILABLE PROVIDER_AWAY, PROVIDER_STALLED or
        PROVIDER_BUSY, DEADLINE_EXCEEDED PROVIDER_SLOW.
        """
        return await self._ask(question, provider, seconds, self._wait_seconds, self._elsewhere)

    async def ask_here(self, question: pb.ServeResponse, provider: str, seconds: float) -> pb.ServeAnswer:
        """As `ask`, over streams of this process alone; a provider without one is not waited for."""
        return await self._ask(question, provider, seconds, 0.0, None)

    async def _ask(
        self,
        question: pb.ServeResponse,
        provider: str,
        seconds: float,
        wait_seconds: float,
        elsewhere: AskElsewhere | None,
    ) -> pb.ServeAnswer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        absent_until = min(deadline, loop.time() + wait_seconds)
        look_at, away = 0.0 if elsewhere else math.inf, provider_away()
        while True:
            now, changed = loop.time(), self._changed
            serving = [each for each in self._streams if self._serves(each, provider, question.resource)]
            stream = _best(serving, now)
            if stream is None:
                working = [each for each in serving if each.works(now)]
                if elsewhere and not working and now >= look_at:
                    try:
                        return await elsewhere(question, provider, deadline)
                    except HubError as error:
                        if error.reason not in LEFT_ALONE:
                            raise
                        away = error
                    # Time that another replica took is no waiting for a provider that is absent.
                    absent_until = min(deadline, absent_until + loop.time() - now)
                    look_at = loop.time() + LOOK_AGAIN_SECONDS
                until = deadline if working else absent_until
                pause_ends = until if working else min(until, look_at)
                if not await self._change(provider, pause_ends, changed) and pause_ends >= until:
                    raise provider_slow() if working else provider_stalled() if serving else away
                continue
            answer, due = stream.put(question, now), now + self._answer_seconds
            try:
                async with asyncio.timeout_at(deadline):
                    return await answer
            except TimeoutError:
                # A question that waited here, or whose asker is in a hurry, leaves the provider less than its time.
                if deadline - now >= _WHOLE_TIME * self._answer_seconds:
                    stream.overdue(question.call_id, loop.time())
                raise provider_slow() from None
            except StreamLostError:
                absent_until = min(deadline, loop.time() + wait_seconds)
            finally:
                stream.left(question.call_id, due)
                self._tell()

    @staticmethod
    def _serves(stream: Stream, provider: str, resource: str) -> bool:
        return stream.provider == provider and resource in stream.resources

    async def _change(self, provider: str, until: float, changed: asyncio.Event) -> bool:
        """Waits for streams to come, go or have room; False when `until` (loop time) passed first. `changed`: what was
        to be set when the streams were looked at.

        Raises UNAVAILABLE PROVIDER_BUSY when too many wait already.
        """
        if self._waiting[provider] >= MOST_WAITING:
            raise provider_busy()
        self._waiting[provider] += 1
        try:
            async with asyncio.timeout_at(until):
                await changed.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting[provider] -= 1
        return True

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        metrics.PROVIDER_STREAMS.set(len(self._streams))
        stalled = sum(each.breaker.standing(now) is not Standing.CLOSED for each in self._streams)
        metrics.PROVIDER_STREAMS_STALLED.set(stalled)
        told, self._changed = self._changed, asyncio.Event()
        told.set()


def _best(streams: list[Stream], now: float) -> Stream | None:
    """The stream for the next question: of those that answer the least loaded, else one that may be tried again."""
    free = [each for each in streams if each.takes(now)]
    return min(free, key=lambda each: (each.breaker.standing(now) is not Standing.CLOSED, each.load), default=None)


def provider_away() -> HubError:
    return errors.unavailable(
        "PROVIDER_AWAY",
        "The provider is not connected; retry with the same request_id.",
        "数据提供方未连接，请使用相同的 request_id 重试。",
    )


def provider_stalled() -> HubError:
    return errors.unavailable(
        "PROVIDER_STALLED",
        "The provider is connected and did not answer the last questions; retry in a minute with the same request_id.",
        "数据提供方已连接但近期未答复，请稍后使用相同的 request_id 重试。",
    )


def provider_busy() -> HubError:
    return errors.unavailable(
        "PROVIDER_BUSY",
        "Too many questions wait for the provider; retry in a moment with the same request_id.",
        "等待该数据提供方答复的请求过多，请稍后使用相同的 request_id 重试。",
    )


def provider_slow() -> HubError:
    return HubError(
        Code.DEADLINE_EXCEEDED,
        "PROVIDER_SLOW",
        "The provider did not answer in time; retry with the same request_id.",
        "数据提供方未及时答复，请使用相同的 request_id 重试。",
    )
