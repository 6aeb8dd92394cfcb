"""The relay's queries and updates of the outbox, as units of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select, update

from shuniu.china_time import DAY_US
from shuniu.kit.events.outbox import TOPIC, DeliveryState
from shuniu.kit.store import Store
from shuniu.kit.store.tables import outbox_delivery, outbox_event
from shuniu.kit.store.types import announce

_delivery = outbox_delivery.c
_event = outbox_event.c
# PARKED is the head of a target that waits: it is sent first, and tells everybody why the target stands still.
_OPEN: Final = (DeliveryState.PENDING.value, DeliveryState.PARKED.value)
# Spelled out: an IN list cannot be bound in executemany.
_IS_OPEN: Final = or_(_delivery.state == _OPEN[0], _delivery.state == _OPEN[1])
# A receipted delivery is kept for so long, µs.
KEPT_US: Final = 7 * DAY_US
REQUEUED: Final = 1000
"""Deliveries queued again in one unit, so that it never holds the writer for long."""
MOST_COUNTED: Final = 10_000
"""Limit up to which shown deliveries are counted."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery to send: the event with its place in the outbox."""

    position: int
    attempts: int
    id: str
    type: str
    source: str
    aggregate: str
    seq: int
    time_us: int
    data: bytes
    topic: str
    division: str
    traceparent: str
    zone: str
    secrecy: str


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """An organisation's receipt, as it arrived."""

    target: str
    event_id: str
    digest: bytes


_COLUMNS: Final = (
    _delivery.position,
    _delivery.attempts,
    _event.id,
    _event.type,
    _event.source,
    _event.aggregate,
    _event.seq,
    _event.time_us,
    _event.data,
    _event.topic,
    _event.division,
    _event.traceparent,
    _event.zone,
    _event.secrecy,
)


def _deliveries() -> Select[Any]:
    return select(*_COLUMNS).join(outbox_event, _event.id == _delivery.event_id)


# Statements of the hot paths are built once: building one costs more than to run it.
_FOLLOWING: Final = (
    select(_delivery.target)
    .where(_delivery.state == bindparam("in_state"), _delivery.target > bindparam("last"))
    .order_by(_delivery.target)
    .limit(1)
)
BACKOFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after which the relay tries a parked target again, s; the last one repeats."""
LONGEST_PAUSE_S: Final = BACKOFF_S[-1]
# A longer wait than twice the longest pause means that the clock was ahead when the delivery was parked.
LONGEST_PARKED_US: Final = int(2 * LONGEST_PAUSE_S * 1_000_000)
_PARKED_UNTIL: Final = select(func.max(_delivery.next_at_us)).where(
    _delivery.state == DeliveryState.PARKED.value, _delivery.target == bindparam("to")
)
_NEXT: Final = (
    _deliveries()
    .where(
        _delivery.state == bindparam("in_state"),
        _delivery.target == bindparam("to"),
        _delivery.position > bindparam("after"),
    )
    .order_by(_delivery.position)
    .limit(bindparam("most"))
)
_MARK_STORED: Final = (
    update(outbox_delivery)
    .where(_delivery.position == bindparam("at"), _IS_OPEN)
    .values(
        state=DeliveryState.STORED.value,
        stream_seq=bindparam("number"),
        stored_us=bindparam("now"),
        look_us=bindparam("look"),
        next_at_us=0,
        cause="",
    )
)
_RECEIPTED: Final = (
    select(_delivery.position, _delivery.target, _delivery.state, _event.id, _event.digest)
    .join(outbox_event, _event.id == _delivery.event_id)
    .where(_delivery.event_id.in_(bindparam("ids", expanding=True)))
)
_CLOSE: Final = (
    update(outbox_delivery)
    .where(_delivery.position == bindparam("at"))
    .values(
        state=DeliveryState.RECEIPTED.value,
        receipt_digest=bindparam("got"),
        receipted_us=bindparam("now"),
        look_us=bindparam("look"),
        next_at_us=0,
        cause="",
    )
)


_STANDING: Final = (
    select(_delivery.position)
    .where(_delivery.state == bindparam("in_state"), _delivery.target == bindparam("to"))
    .order_by(_delivery.position)
    .limit(bindparam("most"))
)
_COUNT_STANDING: Final = select(func.count()).select_from(_STANDING.subquery())
_REQUEUE: Final = (
    update(outbox_delivery)
    .where(_delivery.position == bindparam("at"), _delivery.state == bindparam("seen"))
    .values(state=DeliveryState.PENDING.value, stream_seq=0, next_at_us=0, cause="")
)


def _pending(row: Row[Any]) -> Pending:
    return Pending(*tuple(row))


def targets_in(conn: Connection, states: Sequence[DeliveryState]) -> list[str]:
    """Targets with a delivery in one of the states, found by hopping along the index: a long queue costs nothing."""
    found: set[str] = set()
    for state in states:
        last = ""
        while True:
            following = conn.execute(_FOLLOWING, {"in_state": state.value, "last": last}).scalar()
            if following is None:
                break
            found.add(following)
            last = following
    return sorted(found)


def waits(until_us: int, now_us: int) -> bool:
    """Tells whether a target that is parked until then waits still."""
    return 0 < until_us - now_us <= LONGEST_PARKED_US


def due(conn: Connection, target: str, now_us: int, limit: int) -> tuple[int, list[Pending]]:
    """Until when a target waits, µs, with nothing to send; or 0 and its next deliveries."""
    parked = int(conn.execute(_PARKED_UNTIL, {"to": target}).scalar() or 0)
    return (parked, []) if waits(parked, now_us) else (0, next_pending(conn, target, 0, limit))


def next_pending(conn: Connection, target: str, after: int, limit: int) -> list[Pending]:
    """The next deliveries to a target in order. ``after`` is used within one run over the queue only.

    A row that commits late with a smaller position is found by the next run; order per aggregate holds all the same,
    since an aggregate's number stays locked until its transaction ends.
    """
    rows: list[Pending] = []
    for state in _OPEN:
        asked = {"in_state": state, "to": target, "after": after, "most": limit}
        rows += [_pending(row) for row in conn.execute(_NEXT, asked)]
    rows.sort(key=lambda row: row.position)
    return rows[:limit]


def oldest_stored(conn: Connection, target: str) -> tuple[Pending, int] | None:
    """The oldest delivery that the target's stream took and nobody receipted, with the number it got there."""
    asked = {"in_state": DeliveryState.STORED.value, "to": target, "after": 0, "most": 1}
    row = conn.execute(_NEXT, asked).first()
    if row is None:
        return None
    found = _pending(row)
    number = conn.execute(select(_delivery.stream_seq).where(_delivery.position == found.position)).scalar_one()
    return found, int(number)


def renumber(conn: Connection, position: int, seq: int) -> None:
    """Stores the number that a stream gave to a delivery that was sent again."""
    stored = _delivery.state == DeliveryState.STORED.value
    conn.execute(update(outbox_delivery).where(_delivery.position == position, stored).values(stream_seq=seq))


def last_stream_seq(conn: Connection, target: str) -> int:
    """The highest number that the target's stream gave to a delivery without receipt."""
    found = conn.execute(
        select(func.max(_delivery.stream_seq)).where(
            _delivery.state == DeliveryState.STORED.value, _delivery.target == target
        )
    ).scalar()
    return int(found or 0)


def mark_stored(conn: Connection, marks: Sequence[tuple[int, int]], now_us: int, look_us: int) -> None:
    """Note (position, stream sequence) of what a stream took, and when upkeep looks at it; a receipt that was faster
    stays.
    """
    rows = [{"at": position, "number": seq, "now": now_us, "look": look_us} for position, seq in marks]
    conn.execute(_MARK_STORED, rows)


def park(conn: Connection, position: int, cause: str, until_us: int) -> None:
    """Sends nothing to a target until an instant."""
    conn.execute(
        update(outbox_delivery)
        .where(_delivery.position == position, _IS_OPEN)
        .values(
            state=DeliveryState.PARKED.value, attempts=_delivery.attempts + 1, next_at_us=until_us, cause=cause[:200]
        )
    )


def bury(conn: Connection, position: int, cause: str) -> None:
    """Gives one delivery up; later ones are sent."""
    conn.execute(
        update(outbox_delivery)
        .where(_delivery.position == position, _IS_OPEN)
        .values(state=DeliveryState.DEAD.value, attempts=_delivery.attempts + 1, cause=cause[:200])
    )


def requeue(conn: Connection, target: str, state: DeliveryState) -> int:
    """Send again what stands in a state, `REQUEUED` deliveries at most: STORED after the target's stream was lost, DEAD
    or ARCHIVED by an operator. Returns how many; fewer than that means that no more are.
    """
    announce(conn, TOPIC)
    these = conn.execute(_STANDING, {"in_state": state.value, "to": target, "most": REQUEUED}).scalars().all()
    if these:
        conn.execute(_REQUEUE, [{"at": position, "seen": state.value} for position in these])
    return len(these)


async def requeue_all(store: Store, target: str, state: DeliveryState) -> int:
    """`requeue` until no more are; returns how many there were."""
    total = 0
    while (number := await store.write(requeue, target, state)) == REQUEUED:
        total += number
    return total + number


def standing_in(conn: Connection, target: str, states: Sequence[DeliveryState]) -> int:
    """Number of a target's deliveries in some states, each counted up to `MOST_COUNTED`."""
    asked = [{"in_state": state.value, "to": target, "most": MOST_COUNTED} for state in states]
    return sum(int(conn.execute(_COUNT_STANDING, each).scalar_one()) for each in asked)


def apply_receipts(conn: Connection, notes: Sequence[ReceiptNote], now_us: int) -> tuple[int, list[ReceiptNote]]:
    """Close what was receipted; returns (deliveries closed, receipts whose digest is another than what was sent).

    Receipts for events of another service, unknown ones and repeated ones change nothing.
    """
    wanted = {(note.event_id, note.target): note for note in notes}
    ids = sorted({note.event_id for note in notes})
    rows = conn.execute(_RECEIPTED, {"ids": ids}).all()
    closed: list[dict[str, object]] = []
    wrong: list[ReceiptNote] = []
    for row in rows:
        note = wanted.get((row.id, row.target))
        if note is None or row.state == DeliveryState.RECEIPTED.value:
            continue
        if bytes(row.digest) != note.digest:
            wrong.append(note)
            _note_mismatch(conn, row.position, note.digest)
            continue
        closed.append({"at": row.position, "got": note.digest, "now": now_us, "look": now_us + KEPT_US})
    if closed:
        conn.execute(_CLOSE, closed)
    return len(closed), wrong


def _note_mismatch(conn: Connection, position: int, digest: bytes) -> None:
    conn.execute(
        update(outbox_delivery)
        .where(_delivery.position == position)
        .values(receipt_digest=digest, cause="RECEIPT_MISMATCH")
    )
