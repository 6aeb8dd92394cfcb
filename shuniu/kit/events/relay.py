"""Outbox → bus: every delivery is sent until the receiver's stream has it, in order for each target.

A delivery is STORED on the PubAck of the receiver's stream and RECEIPTED on the receiver's receipt. A target whose
stream is full or absent is parked; other targets are not affected. The number in each PubAck tells whether the stream
is still the one that took the deliveries before it; if not, everything without a receipt is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from sqlalchemy import Connection

from shuniu.china_time import DAY_US
from shuniu.kit.errors import HubError
from shuniu.kit.events import cloudevents, outbox_rows, outbox_upkeep
from shuniu.kit.events.bus import (
    Bus,
    BusAwayError,
    BusError,
    DuplicateInBatchError,
    MessageRefusedError,
    NobodyListensError,
    Outgoing,
    Stored,
    StreamFullError,
)
from shuniu.kit.events.bus_streams import (
    advisory_stream,
    begun_again,
    event_stream,
    is_of_another,
    receipt_consumer,
    receipts_durable,
    submit_stream,
)
from shuniu.kit.events.outbox import HUB_TARGET, DeliveryState
from shuniu.kit.events.outbox_rows import Pending
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store, lease

_log = structlog.get_logger(__name__)

# Beside the payload: headers and framing of one event, bytes.
_ENVELOPE: Final = 600
# After trouble that is not the bus's, s; and between looks at a target that is due.
_PAUSE: Final = 0.5
_SHORTEST_IDLE: Final = 0.05
_LEASE: Final = "relay"
_LEASE_SECONDS: Final = 10.0
_RENEW_SECONDS: Final = 3.0
_OPEN: Final = (DeliveryState.PENDING, DeliveryState.PARKED)


class RelayWatch:
    """Hears of what happens in the relay, for metrics; override what you count."""

    def stored(self, target: str, deliveries: int) -> None: ...

    def parked(self, target: str, cause: str, seconds: float) -> None: ...

    def dead(self, target: str, event_id: str, cause: str) -> None: ...

    def resent(self, target: str, deliveries: int) -> None:
        """A stream was lost and so many deliveries go out again."""

    def archived(self, deliveries: int) -> None: ...

    def unreceipted(self, waiting: Sequence[tuple[str, int]]) -> None:
        """(organisation, deliveries) stored more than 24 h ago without receipt; called at each sweep."""


@dataclass(slots=True)
class Relay:
    """Sends what is in a store's outbox. ``run`` until cancelled; ``wake`` after a commit that emitted."""

    store: Store
    bus: Bus
    clock: Clock
    settings: RelaySettings
    watch: RelayWatch = field(default_factory=RelayWatch)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _sending: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    # Until when parked targets wait, µs.
    _parked: dict[str, int] = field(default_factory=dict)
    # Targets that a round found while they were being sent to: looked at again when that ends.
    _again: set[str] = field(default_factory=set)
    _gate: asyncio.Semaphore = field(init=False)
    _generation: int = -1
    # Targets whose stream owes us receipts and was not found alive on this connection yet.
    _unprobed: set[str] = field(default_factory=set)
    # The last number that each target's stream gave, and targets whose stream has begun again since.
    _known: dict[str, int] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)
    # Targets whose stream was asked and whose answer was lost.
    _doubted: set[str] = field(default_factory=set)
    # Targets whose next batch goes one by one: nobody knows what their stream already has.
    _careful: set[str] = field(default_factory=set)
    _probe_at: dict[str, float] = field(default_factory=dict)
    # When each target's stream last answered whether it was still there, s of the loop.
    _asked_at: dict[str, float] = field(default_factory=dict)
    _holds_until: float = 0.0
    _sweep_at: float = 0.0

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.settings.parallel)
        self.bus.listen(self.wake)

    def wake(self) -> None:
        """Tells the relay that the outbox has new rows."""
        self._wake.set()

    async def run(self) -> None:
        """Task: sends until cancelled; retries while store or bus is unavailable."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self.bus.wait_connected()
                    await self._round()
                except BusAwayError:
                    await asyncio.sleep(_SHORTEST_IDLE)
                    continue
                except (BusError, HubError) as error:
                    _log.warning("relay_delayed", area=self.settings.area, cause=str(error))
                    await asyncio.sleep(_PAUSE)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_s()):
                        await self._wake.wait()
        finally:
            await self._settle()
            await self._give_back()

    async def _give_back(self) -> None:
        """Releases the lease, so that another replica need not wait for its end. Ignores a store that cannot write."""
        if self._holds_until:
            with contextlib.suppress(HubError, TimeoutError):
                async with asyncio.timeout(_PAUSE):
                    await self.store.write(lease.release, _LEASE, self.settings.holder)

    def _idle_s(self) -> float:
        """Until the next look at the outbox, when nobody wakes the relay: a parked target may be due before."""
        longest = self.settings.idle_shared_s if self.store.is_shared else self.settings.idle_s
        parked = [(until - self.clock.now_us()) / 1e6 for until in self._parked.values()]
        now = asyncio.get_running_loop().time()
        return min([longest, *(max(_SHORTEST_IDLE, wait) for wait in [*parked, *self._probe_waits(now)])])

    def _probe_waits(self, now: float) -> list[float]:
        """Seconds until each stream that has not answered yet may be asked again."""
        return [at - now for target, at in self._probe_at.items() if target not in self._parked]

    async def drain(self) -> None:
        """Send everything that is due now, wait for it and return; for benches, tests and an orderly stop."""
        await self._round()
        await asyncio.gather(*self._sending.values())

    async def _round(self) -> None:
        if not await self._leader():
            return
        await self._prepare()
        waiting = await self.store.read(outbox_rows.targets_in, _OPEN)
        self._parked = {target: until for target, until in self._parked.items() if target in waiting}
        for target in self._due_now({*waiting, *self._unprobed}):
            # One sender for each target: a slow one keeps nobody waiting.
            if target in self._sending:
                self._again.add(target)
            else:
                task = asyncio.create_task(self._send_target(target), name=f"relay {target}")
                self._sending[target] = task
                task.add_done_callback(functools.partial(self._sent, target))
        await self._sweep_when_due()

    def _due_now(self, targets: set[str]) -> list[str]:
        """Those of the targets that are neither parked nor asked in vain a moment ago: these cost a round nothing."""
        now_us, now = self.clock.now_us(), asyncio.get_running_loop().time()
        return sorted(
            target
            for target in targets
            if not outbox_rows.waits(self._parked.get(target, 0), now_us) and self._probe_at.get(target, 0.0) <= now
        )

    def _sent(self, target: str, _task: asyncio.Task[None]) -> None:
        self._sending.pop(target, None)
        if target in self._again:
            self._again.discard(target)
            self.wake()

    async def _settle(self) -> None:
        for task in self._sending.values():
            task.cancel()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def _send_target(self, target: str) -> None:
        async with self._gate:
            try:
                await self._drain_target(target)
            except BusAwayError:
                # Known to the connection already; the rows wait.
                self._again.add(target)
                await asyncio.sleep(0.05)
            except Exception as error:  # noqa: BLE001 - one target's trouble must not end the relay
                self._again.add(target)
                _log.warning("target_delayed", target=target, cause=repr(error))
                await asyncio.sleep(_PAUSE)

    async def _leader(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._holds_until:
            return True
        ttl = int(_LEASE_SECONDS * 1e6)
        if await self.store.write(lease.acquire, _LEASE, self.settings.holder, ttl):
            self._holds_until = now + _RENEW_SECONDS
            return True
        await asyncio.sleep(_RENEW_SECONDS / 3)
        return False

    async def _prepare(self) -> None:
        """On each new connection: our streams exist, and what they lost is queued again."""
        if self._generation == self.bus.generation:
            return
        generation = self.bus.generation
        await self._settle()
        self._probe_at.clear()
        replicas = self.settings.replicas
        await self.bus.ensure_stream(submit_stream(replicas=replicas))
        await self.bus.ensure_consumer("SUBMIT", receipt_consumer(receipts_durable(self.settings.area)))
        await self.bus.ensure_stream(advisory_stream(replicas=replicas))
        now_s = self.clock.now_us() // 1_000_000
        state = await self.bus.ensure_stream(event_stream(self.settings.area, now_s=now_s, replicas=replicas))
        known = await self.store.read(outbox_rows.last_stream_seq, HUB_TARGET)
        if known and (state.last_seq < known or is_of_another(known, state.last_seq)):
            await self._resend(HUB_TARGET)
        self._known[HUB_TARGET] = state.last_seq
        self._unprobed = {*await self.store.read(outbox_rows.targets_in, (DeliveryState.STORED,))} - {HUB_TARGET}
        self._careful.update(await self.store.read(outbox_rows.targets_in, _OPEN))
        self._generation = generation

    async def _resend(self, target: str) -> None:
        deliveries = await outbox_rows.requeue_all(self.store, target, DeliveryState.STORED)
        self._careful.add(target)
        self._lost.discard(target)
        self.watch.resent(target, deliveries)
        _log.warning("stream_lost", target=target, resent=deliveries)

    async def _drain_target(self, target: str) -> None:
        if target in self._lost:
            await self._resend(target)
        found = await self._due(target)
        if found is None:
            return
        if target in self._unprobed:
            if not await self._probe(target):
                return
            # A stream that was lost gets the older ones first.
            found = await self._due(target) or []
        marking: asyncio.Task[None] | None = None
        try:
            while rows := self._fitting(found):
                marks, held = await self._send(target, rows)
                if marking is not None:
                    await marking
                if target in self._lost:
                    # Earlier deliveries were lost with the old stream: they are sent again first.
                    await self._resend(target)
                    self._again.add(target)
                    held = True
                # While these are noted, the next ones are on their way.
                marking = asyncio.create_task(self._mark(target, marks)) if marks else None
                if held or (len(rows) == len(found) and len(found) < self.settings.batch):
                    # What came meanwhile woke the relay.
                    break
                found = await self.store.read(outbox_rows.next_pending, target, rows[-1].position, self.settings.batch)
        finally:
            if marking is not None:
                await marking

    async def _due(self, target: str) -> Sequence[Pending] | None:
        """The next deliveries to a target; None while it is parked."""
        until, found = await self.store.read(outbox_rows.due, target, self.clock.now_us(), self.settings.batch)
        self._parked.pop(target, None)
        if until:
            self._parked[target] = until
            return None
        return found

    def _fitting(self, rows: Sequence[Pending]) -> Sequence[Pending]:
        size = 0
        for number, row in enumerate(rows):
            size += len(row.data) + _ENVELOPE
            if number and size > self.settings.batch_bytes:
                return rows[:number]
        return rows

    async def _mark(self, target: str, marks: Sequence[tuple[int, int]]) -> None:
        now_us, terms = self.clock.now_us(), self.settings.terms
        look_us = now_us + (terms.keep_internal_us if target == HUB_TARGET else terms.resend_us)
        await self.store.write(outbox_rows.mark_stored, marks, now_us, look_us)
        self.watch.stored(target, len(marks))

    async def _probe(self, target: str) -> bool:
        """Tells whether the target's stream answers: the oldest delivery without receipt is sent once more.

        A stream that has it answers "duplicate" with the number it gave before, or takes it under a higher one;
        receivers know events by their id. One that answers otherwise has begun again from nothing. After an answer that
        was lost, "duplicate" may mean no more than that the question came before.
        """
        oldest = await self.store.read(outbox_rows.oldest_stored, target)
        if oldest is not None:
            row, number = oldest
            stored = await self.store.read(outbox_rows.last_stream_seq, target)
            self._known[target] = max(stored, self._known.get(target, 0))
            try:
                ack = await self._publish(target, row)
            except BusAwayError:
                self._doubted.add(target)
                raise
            except MessageRefusedError:
                # It answers: it is there, and takes other messages.
                ack = None
            except BusError as refusal:
                self._probe_at[target] = asyncio.get_running_loop().time() + self.settings.backoff_s[-1]
                # The current wait was computed without this time: the relay looks again.
                self._again.add(target)
                await self._park_head(target, refusal)
                return False
            self._asked_at[target] = asyncio.get_running_loop().time()
            if ack is None:
                pass
            elif target in self._lost or (ack.duplicate and (ack.seq != number or target in self._doubted)):
                await self._resend(target)
            elif not ack.duplicate:
                await self.store.write(outbox_rows.renumber, row.position, ack.seq)
        self._unprobed.discard(target)
        self._doubted.discard(target)
        self._probe_at.pop(target, None)
        return True

    async def _park_head(self, target: str, refusal: BusError) -> None:
        head = await self.store.read(outbox_rows.next_pending, target, 0, 1)
        if head:
            await self._park(target, head[0], refusal)

    async def _send(self, target: str, rows: Sequence[Pending]) -> tuple[list[tuple[int, int]], bool]:
        """((position, stream sequence) of what is stored, whether the target must wait)."""
        self._refuse_unprepared()
        if target in self._careful:
            return await self._send_each(target, rows)
        try:
            last = await self.bus.publish_batch(
                [_outgoing(target, row) for row in rows], timeout_s=self.settings.timeout_s
            )
        except (NobodyListensError, StreamFullError, DuplicateInBatchError):
            # One by one: what fits goes in, what is known is answered "duplicate", and the rest says why not.
            return await self._send_each(target, rows)
        except BusAwayError:
            self._careful.add(target)
            raise
        except BusError:
            return await self._send_each(target, rows)
        first = last.seq - len(rows) + 1
        self._look_at_number(target, replace(last, seq=first))
        self._known[target] = last.seq
        return [(row.position, first + number) for number, row in enumerate(rows)], False

    async def _send_each(self, target: str, rows: Sequence[Pending]) -> tuple[list[tuple[int, int]], bool]:
        marks: list[tuple[int, int]] = []
        for row in rows:
            try:
                marks.append((row.position, (await self._publish(target, row)).seq))
            except BusAwayError:
                self._careful.add(target)
                if marks and target not in self._lost:
                    await self._mark(target, marks)
                raise
            except MessageRefusedError as refusal:
                await self.store.write(outbox_rows.bury, row.position, str(refusal))
                self.watch.dead(target, row.id, str(refusal))
                _log.error("delivery_dead", target=target, event_id=row.id, cause=str(refusal))
            except BusError as refusal:
                # Whatever it is, it may pass: only what no stream will ever take is given up.
                await self._park(target, row, refusal)
                return marks, True
        self._careful.discard(target)
        return marks, False

    def _refuse_unprepared(self) -> None:
        """Raises BusAwayError on a connection whose streams were not looked at: one that was lost would get new
        deliveries before those that it has lost.
        """
        if self._generation != self.bus.generation:
            raise BusAwayError(0, "the streams of this connection were not looked at yet")

    async def _publish(self, target: str, row: Pending) -> Stored:
        self._refuse_unprepared()
        ack = await self.bus.publish(_outgoing(target, row), timeout_s=self.settings.timeout_s)
        self._look_at_number(target, ack)
        return ack

    def _look_at_number(self, target: str, ack: Stored) -> None:
        """Notes a stream that begins again under our eyes: no connection is lost with it."""
        known = self._known.get(target, 0)
        if begun_again(known, ack.seq, duplicate=ack.duplicate):
            self._lost.add(target)
            known = 0
        self._known[target] = max(known, ack.seq)

    async def _park(self, target: str, head: Pending, refusal: BusError) -> None:
        if target == HUB_TARGET:
            # Our own stream is gone: the next round makes it again.
            self._generation = -1
        backoff = self.settings.backoff_s
        seconds = backoff[min(head.attempts, len(backoff) - 1)]
        until = self.clock.now_us() + int(seconds * 1e6)
        cause = _park_cause(refusal)
        await self.store.write(outbox_rows.park, head.position, f"{cause} {refusal}", until)
        self._parked[target] = until
        # It may be due before the wait ends that began without it.
        self._again.add(target)
        self.watch.parked(target, cause, seconds)
        _log.warning("target_parked", target=target, cause=cause, seconds=seconds, attempts=head.attempts + 1)

    def _look(self, conn: Connection, now_us: int) -> outbox_upkeep.Looked:
        """A relay whose lease went to another while it was held up changes nothing."""
        if not lease.held(conn, _LEASE, self.settings.holder):
            self._holds_until = 0.0
            return outbox_upkeep.NOTHING
        return outbox_upkeep.look(conn, self.settings.terms, now_us)

    def _long_unasked(self, targets: Iterable[str], now: float) -> set[str]:
        """Those that were not asked lately: each question is one more copy of an event in a stream that is not read."""
        pause = self.settings.terms.resend_us / 1e6
        return {target for target in targets if now - self._asked_at.get(target, -pause) >= pause}

    async def _sweep_when_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._sweep_at:
            return
        self._sweep_at = now + self.settings.sweep_s
        now_us = self.clock.now_us()
        while True:
            looked = await self.store.write(self._look, now_us)
            if looked.archived:
                self.watch.archived(looked.archived)
                _log.warning("deliveries_archived", deliveries=looked.archived)
            if looked.resent:
                self.watch.resent("", looked.resent)
                _log.info("deliveries_without_receipt_resent", deliveries=looked.resent)
            # The next round asks their streams whether they still have what they took.
            asked = self._long_unasked(looked.owing, now)
            self._unprobed |= asked
            if asked:
                self.wake()
            if looked.rows < outbox_upkeep.BATCH:
                break
        self.watch.unreceipted(await self.store.read(outbox_upkeep.unreceipted, now_us - DAY_US))


def _park_cause(refusal: BusError) -> str:
    match refusal:
        case NobodyListensError():
            return "INBOX_ABSENT"
        case StreamFullError():
            return "INBOX_FULL"
    return "BUS_REFUSED"


def _outgoing(target: str, row: Pending) -> Outgoing:
    prefix = HUB_TARGET if target == HUB_TARGET else f"deliver.{target}"
    return Outgoing(f"{prefix}.{row.topic}.v1", row.data, cloudevents.headers(row))
