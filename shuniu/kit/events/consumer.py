"""Bus → effect: an event's effect and its inbox row are one transaction, then it is acknowledged.

A batch is one unit of work. If one event in it fails, the batch is taken apart and each goes by itself: those that can
be handled are, the one that cannot comes again after a while and, after ``max_deliver``, goes to the dead letters with
its cause. An event whose handling kills the process is found by the server, which counts deliveries.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from shuniu.kit.errors import HubError
from shuniu.kit.events import inbox
from shuniu.kit.events.bus import Bus
from shuniu.kit.events.bus_pull import Delivered, Pull
from shuniu.kit.events.bus_streams import ConsumerSpec
from shuniu.kit.events.cloudevents import MalformedEventError, Received, received
from shuniu.kit.events.dead_letters import DeadLetter, add, deaths, get, mark_replayed
from shuniu.kit.events.following import follow
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import LostRaceError, Store, binding_of
from shuniu.kit.store.tables import inbox as inbox_table

_log = structlog.get_logger(__name__)

Handler = Callable[[Connection, Received], None]

# Deliveries by the server beyond our own count: only a process that dies in the handler uses them.
_CRASHES: Final = 3
# From this attempt on an event is fetched and handled alone, so that one that kills the process takes none with it.
_ALONE_FROM: Final = 3


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """One reader of one stream. ``durable`` is its name there, normally the service's."""

    stream: str
    durable: str
    filters: tuple[str, ...] = ()
    batch: int = 500
    max_deliver: int = 8
    ack_wait_s: float = 30
    # Delay before attempt 2, 3, …; the last one repeats.
    backoff_s: tuple[float, ...] = (0.2, 1, 5, 30, 60)


class ConsumerWatch:
    """Hears of what happens in a consumer, for metrics and alarms."""

    def handled(self, events: int, duplicates: int) -> None: ...

    def failed(self, event: Delivered, cause: str) -> None: ...

    def dead(self, event_id: str, cause: str) -> None: ...

    def conflict(self, source: str, event_id: str) -> None:
        """A known event came with other content: an alarm."""

    def lag(self, pending: int) -> None:
        """Messages in the stream that this consumer has not been handed."""


@dataclass(slots=True)
class Consumer:
    """Hands each event of a stream to the handler of its type, once in effect. ``run`` until cancelled.

    Handlers are plain functions that do SQL on the connection they are given; a type without handler is passed over.
    """

    store: Store
    bus: Bus
    clock: Clock
    settings: ConsumerSettings
    handlers: Mapping[str, Handler]
    watch: ConsumerWatch = field(default_factory=ConsumerWatch)

    async def run(self) -> None:
        """Task: reads until cancelled; retries while store or bus is unavailable."""
        settings = self.settings
        spec = ConsumerSpec(
            settings.durable,
            settings.filters,
            ack_wait_s=settings.ack_wait_s,
            max_deliver=settings.max_deliver + _CRASHES,
        )
        # One at first: an event that kills the process takes none with it.
        await follow(self.bus, settings.stream, spec, self._take, first=1)

    async def _take(self, pull: Pull, messages: Sequence[Delivered], limit: int) -> int:
        """Handle what was fetched; returns how many to fetch next."""
        self.watch.lag(messages[-1].pending)
        if any(message.attempt >= _ALONE_FROM for message in messages):
            for message in messages:
                await self._one(pull, message)
            return 1
        try:
            await self._handle(pull, messages)
        except HubError as error:
            if not _is_of_the_store(error):
                await self._apart(pull, messages)
            else:
                raise
        except Exception:  # noqa: BLE001 - which event it was shows when each is handled by itself
            await self._apart(pull, messages)
        return min(limit * 2, self.settings.batch)

    async def _apart(self, pull: Pull, messages: Sequence[Delivered]) -> None:
        for message in messages:
            await self._one(pull, message)

    async def _one(self, pull: Pull, message: Delivered) -> None:
        try:
            await self._handle(pull, [message])
        except (inbox.InboxConflictError, MalformedEventError) as error:
            # Another attempt would find the same.
            if isinstance(error, inbox.InboxConflictError):
                self.watch.conflict(error.source, error.event_id)
            await self._bury(pull, message, repr(error))
        except Exception as error:
            if isinstance(error, HubError) and _is_of_the_store(error):
                raise
            await self._failed(pull, message, error)

    async def _handle(self, pull: Pull, messages: Sequence[Delivered]) -> None:
        """One unit of work for all, retried while the store is unavailable: the events did not fail."""
        while True:
            try:
                fresh = await self.store.write(handle_all, self.handlers, messages, self.clock.now_us())
                break
            except HubError as error:
                if not _is_of_the_store(error):
                    raise
                _log.warning("consumer_waits_for_store", stream=self.settings.stream, cause=error.reason)
                for message in messages:
                    await pull.working(message)
                await asyncio.sleep(0.5)
        for message in messages:
            await pull.ack(message)
        self.watch.handled(fresh, len(messages) - fresh)

    async def _failed(self, pull: Pull, message: Delivered, error: Exception) -> None:
        cause = f"{type(error).__name__}: {error}"
        self.watch.failed(message, cause)
        _log.warning("event_failed", subject=message.subject, attempt=message.attempt, cause=type(error).__name__)
        if message.attempt >= self.settings.max_deliver:
            await self._bury(pull, message, cause)
            return
        backoff = self.settings.backoff_s
        await pull.retry_after(message, backoff[min(message.attempt, len(backoff)) - 1])

    async def _bury(self, pull: Pull, message: Delivered, cause: str) -> None:
        await self.store.write(add, self.settings.durable, message, cause, self.clock.now_us())
        await pull.ack(message)
        event_id = message.headers.get("ce-id", "")
        self.watch.dead(event_id, cause)
        _log.error("event_dead", stream=self.settings.stream, seq=message.seq, event_id=event_id)

    async def replay(self, ids: Sequence[int]) -> list[tuple[int, str]]:
        """Handle dead letters again; returns (id, "" or the cause of the new failure). Preview them with `deaths`."""
        results: list[tuple[int, str]] = []
        for number in ids:
            try:
                await self.store.write(replay_one, self.handlers, number, self.clock.now_us())
                results.append((number, ""))
            except Exception as error:  # noqa: BLE001 - told to the operator, who asked
                results.append((number, f"{type(error).__name__}: {error}"))
        return results

    async def dead(self) -> list[DeadLetter]:
        """Open dead letters, oldest first."""
        return await self.store.read(deaths)


def handle_all(conn: Connection, handlers: Mapping[str, Handler], messages: Sequence[Delivered], now_us: int) -> int:
    """The unit of work: inbox row and effect of each event, in order; returns how many were new."""
    events = [
        received(message.subject, message.headers, message.data, stream_seq=message.seq, attempt=message.attempt)
        for message in messages
    ]
    return _handle(conn, handlers, events, now_us)


def _handle(conn: Connection, handlers: Mapping[str, Handler], events: Sequence[Received], now_us: int) -> int:
    fresh = _accept(conn, events, now_us)
    for event in fresh:
        handler = handlers.get(event.type)
        if handler is not None:
            handler(conn, event)
    return len(fresh)


def _accept(conn: Connection, events: Sequence[Received], now_us: int) -> list[Received]:
    """`inbox.accept` for many: two statements instead of two for each. Returns the new ones, in order."""
    if len(events) == 1:
        (event,) = events
        taken = inbox.accept(conn, event.source, event.id, hashlib.sha256(event.data).digest(), now_us)
        return [event] if taken is inbox.Accepted.NEW else []
    table = inbox_table.c
    ids = sorted({event.id for event in events})
    # By source and id, as the key has them: by id alone, all events there ever were would be looked at.
    sources = sorted({event.source for event in events})
    rows = conn.execute(
        select(table.source, table.event_id, table.digest).where(table.source.in_(sources), table.event_id.in_(ids))
    )
    known = {(row.source, row.event_id): bytes(row.digest) for row in rows}
    fresh: list[Received] = []
    taken_in: list[dict[str, object]] = []
    for event in events:
        digest = hashlib.sha256(event.data).digest()
        before = known.setdefault((event.source, event.id), digest)
        if before is digest:
            fresh.append(event)
            taken_in.append({"source": event.source, "event_id": event.id, "digest": digest, "time_us": now_us})
        elif before != digest:
            raise inbox.InboxConflictError(event.source, event.id)
    try:
        binding_of(conn).dialect.insert_many(conn, inbox_table, taken_in)
    except IntegrityError as overtaken:
        raise LostRaceError(ids[0]) from overtaken
    return fresh


def replay_one(conn: Connection, handlers: Mapping[str, Handler], number: int, now_us: int) -> None:
    """Handle one dead letter and close it, in one transaction; KeyError when there is no open one."""
    letter = get(conn, number)
    _handle(conn, handlers, [received(letter.subject, letter.headers, letter.data)], now_us)
    mark_replayed(conn, number, now_us)


def _is_of_the_store(error: HubError) -> bool:
    return error.reason.startswith("STORE_")
