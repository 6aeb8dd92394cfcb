"""The relay's queries and updates of the outbox, as units of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, func, or_, select, update

from shuniu.kit.events.outbox import HUB_TARGET, TOPIC, DeliveryState
from shuniu.kit.store.tables import outbox_delivery, outbox_event
from shuniu.kit.store.types import announce

_delivery = outbox_delivery.c
_event = outbox_event.c
# PARKED is the head of a target that waits: it is sent first, and tells everybody why the target stands still.
_OPEN: Final = (DeliveryState.PENDING.value, DeliveryState.PARKED.value)
# Spelled out: an IN list cannot be bound in executemany.
_IS_OPEN: Final = or_(_delivery.state == _OPEN[0], _delivery.state == _OPEN[1])
# Rows deleted in one unit, so that housekeeping never holds the writer for long.
_SWEEP: Final = 1000


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
        next_at_us=0,
        cause="",
    )
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


def due(conn: Connection, target: str, now_us: int, limit: int) -> tuple[int, list[Pending]]:
    """Until when a target waits, µs, with nothing to send; or 0 and its next deliveries."""
    parked = int(conn.execute(_PARKED_UNTIL, {"to": target}).scalar() or 0)
    return (parked, []) if parked > now_us else (0, next_pending(conn, target, 0, limit))


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


def oldest_stored(conn: Connection, target: str) -> Pending | None:
    """The oldest delivery that the target's stream took and nobody receipted."""
    query = _deliveries().where(_delivery.state == DeliveryState.STORED.value, _delivery.target == target)
    row = conn.execute(query.order_by(_delivery.position).limit(1)).first()
    return None if row is None else _pending(row)


def last_stream_seq(conn: Connection, target: str) -> int:
    """The highest number that the target's stream gave to a delivery without receipt."""
    found = conn.execute(
        select(func.max(_delivery.stream_seq)).where(
            _delivery.state == DeliveryState.STORED.value, _delivery.target == target
        )
    ).scalar()
    return int(found or 0)


def mark_stored(conn: Connection, marks: Sequence[tuple[int, int]], now_us: int) -> None:
    """Note (position, stream sequence) of what a stream took; a receipt that was faster stays."""
    conn.execute(_MARK_STORED, [{"at": position, "number": seq, "now": now_us} for position, seq in marks])


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
    """Sends again all of a target's deliveries that stand in a state; returns how many."""
    announce(conn, TOPIC)
    return conn.execute(
        update(outbox_delivery)
        .where(_delivery.target == target, _delivery.state == state.value)
        .values(state=DeliveryState.PENDING.value, stream_seq=0, next_at_us=0, cause="")
    ).rowcount


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
        closed.append({"at": row.position, "got": note.digest, "now": now_us})
    if closed:
        conn.execute(_CLOSE, closed)
    return len(closed), wrong


def _note_mismatch(conn: Connection, position: int, digest: bytes) -> None:
    conn.execute(
        update(outbox_delivery)
        .where(_delivery.position == position)
        .values(receipt_digest=digest, cause="RECEIPT_MISMATCH")
    )


def archive(conn: Connection, before_us: int) -> int:
    """Stop trying deliveries to organisations whose event is older than an instant; returns how many."""
    old = (
        select(_delivery.position)
        .join(outbox_event, _event.id == _delivery.event_id)
        .where(
            _delivery.state.in_((*_OPEN, DeliveryState.STORED.value)),
            _delivery.target != HUB_TARGET,
            _event.time_us < before_us,
        )
        .limit(_SWEEP)
    )
    positions = list(conn.execute(old).scalars())
    if positions:
        conn.execute(
            update(outbox_delivery)
            .where(_delivery.position.in_(positions))
            .values(state=DeliveryState.ARCHIVED.value, next_at_us=0)
        )
    return len(positions)


def forget(conn: Connection, receipted_before_us: int, internal_before_us: int) -> int:
    """Delete deliveries closed long enough and events without any; returns how many deliveries went."""
    receipted = select(_delivery.position).where(
        _delivery.state == DeliveryState.RECEIPTED.value, _delivery.receipted_us < receipted_before_us
    )
    internal = select(_delivery.position).where(
        _delivery.state == DeliveryState.STORED.value,
        _delivery.target == HUB_TARGET,
        _delivery.stored_us < internal_before_us,
    )
    gone = 0
    for query in (receipted, internal):
        positions = list(conn.execute(query.limit(_SWEEP)).scalars())
        if positions:
            gone += conn.execute(delete(outbox_delivery).where(_delivery.position.in_(positions))).rowcount
    if gone:
        held = exists().where(_delivery.event_id == _event.id)
        conn.execute(delete(outbox_event).where(_event.time_us < max(receipted_before_us, internal_before_us), ~held))
    return gone


def unreceipted(conn: Connection, stored_before_us: int) -> list[tuple[str, int]]:
    """(organisation, deliveries) stored before an instant and never receipted."""
    rows = conn.execute(
        select(_delivery.target, func.count())
        .where(
            _delivery.state == DeliveryState.STORED.value,
            _delivery.target != HUB_TARGET,
            _delivery.stored_us < stored_before_us,
        )
        .group_by(_delivery.target)
        .order_by(_delivery.target)
    )
    return [(target, int(number)) for target, number in rows]
