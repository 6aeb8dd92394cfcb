"""Upkeep of the outbox: every delivery says when it is looked at next, and `fate` says what becomes of it then.

So a look costs by what is due, never by what is there, and no state is left out: what nobody receipts is sent again,
later archived; what is closed, archived or dead is deleted, with its event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, exists, func, literal, select, update

from shuniu.china_time import DAY_US
from shuniu.kit.events.outbox import HUB_TARGET, MAX_AGE_US, TOPIC, DeliveryState
from shuniu.kit.events.outbox_rows import KEPT_US, MOST_COUNTED, targets_in
from shuniu.kit.store.tables import outbox_delivery, outbox_event
from shuniu.kit.store.types import announce

BATCH: Final = 1000
"""Deliveries looked at in one unit, so that upkeep never holds the writer for long."""
_delivery = outbox_delivery.c
_event = outbox_event.c


@dataclass(frozen=True, slots=True)
class Terms:
    """Periods for which deliveries stay as they are, µs."""

    max_age_us: int = MAX_AGE_US
    keep_us: int = KEPT_US
    # Of internal events, so that a lost EVT stream can be filled again.
    keep_internal_us: int = 30 * DAY_US
    # Of archived and dead ones, from the event on: an operator looks at them.
    keep_lost_us: int = 90 * DAY_US
    # The first wait for a receipt; each further one is as long as all before.
    resend_us: int = 3600 * 1_000_000


class Act(Enum):
    LEAVE = auto()
    ARCHIVE = auto()
    RESEND = auto()
    DELETE = auto()


@dataclass(frozen=True, slots=True)
class Aged:
    """A delivery that is due. `overtaken`: the receiver has receipted a later one."""

    state: DeliveryState
    internal: bool
    time_us: int
    stored_us: int
    receipted_us: int
    overtaken: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """Deliveries looked at, archived and queued again; targets that owe receipts."""

    rows: int
    archived: int
    resent: int
    owing: frozenset[str]


NOTHING: Final = Looked(0, 0, 0, frozenset())


def fate(row: Aged, terms: Terms, now_us: int) -> tuple[Act, int]:
    """Decides what becomes of a delivery now, and when to look at it next, µs."""
    match row.state:
        case DeliveryState.RECEIPTED:
            return _delete_at(row.receipted_us + terms.keep_us, now_us)
        case DeliveryState.ARCHIVED | DeliveryState.DEAD:
            return _delete_at(row.time_us + max(terms.keep_lost_us, terms.max_age_us), now_us)
        case DeliveryState.STORED if row.internal:
            return _delete_at(row.stored_us + terms.keep_internal_us, now_us)
        case _ if row.internal:
            return Act.LEAVE, now_us + DAY_US
    ends_us = row.time_us + terms.max_age_us
    if ends_us <= now_us:
        return Act.ARCHIVE, row.time_us + max(terms.keep_lost_us, terms.max_age_us)
    if row.state is not DeliveryState.STORED:
        return Act.LEAVE, ends_us
    # It waits as long as it waited before it was sent: an hour, two, four.
    due_us = row.stored_us + max(terms.resend_us, row.stored_us - row.time_us)
    if due_us > now_us:
        return Act.LEAVE, min(ends_us, due_us)
    if row.overtaken:
        return Act.RESEND, ends_us
    return Act.LEAVE, min(ends_us, now_us + max(terms.resend_us, now_us - row.stored_us))


def _delete_at(at_us: int, now_us: int) -> tuple[Act, int]:
    return (Act.DELETE if at_us <= now_us else Act.LEAVE), at_us


_DUE: Final = (
    select(
        _delivery.position,
        _delivery.event_id,
        _delivery.target,
        _delivery.state,
        _delivery.stored_us,
        _delivery.receipted_us,
        _event.time_us,
    )
    .join(outbox_event, _event.id == _delivery.event_id, isouter=True)
    .where(_delivery.look_us <= bindparam("now"))
    .order_by(_delivery.look_us)
    .limit(bindparam("most"))
)
_LAST_RECEIPTED: Final = (
    select(_delivery.position)
    .where(_delivery.state == DeliveryState.RECEIPTED.value, _delivery.target == bindparam("to"))
    .order_by(_delivery.position.desc())
    .limit(1)
)
# A row whose state changed since it was read stays due, and is looked at again.
_AS_SEEN: Final = (_delivery.position == bindparam("at"), _delivery.state == bindparam("seen"))
_LATER: Final = update(outbox_delivery).where(*_AS_SEEN).values(look_us=bindparam("look"))
_ARCHIVE: Final = _LATER.values(state=DeliveryState.ARCHIVED.value, next_at_us=0)
_RESEND: Final = _LATER.values(state=DeliveryState.PENDING.value, stream_seq=0, next_at_us=0)
_DELETE: Final = delete(outbox_delivery).where(*_AS_SEEN)


def look(conn: Connection, terms: Terms, now_us: int) -> Looked:
    """Looks at the deliveries that are due, `BATCH` at most; fewer than that means that no more are."""
    rows = conn.execute(_DUE, {"now": now_us, "most": BATCH}).all()
    last = _last_receipted(conn, (row.target for row in rows if row.state == DeliveryState.STORED.value))
    changes: dict[Act, list[dict[str, Any]]] = {act: [] for act in Act}
    owing: set[str] = set()
    for row in rows:
        aged = _aged(row, last)
        act, look_us = fate(aged, terms, now_us)
        changes[act].append({"at": row.position, "seen": row.state, "look": look_us})
        if aged.state is DeliveryState.STORED and not aged.internal and act is Act.LEAVE:
            owing.add(row.target)
    for act, statement in ((Act.LEAVE, _LATER), (Act.ARCHIVE, _ARCHIVE), (Act.RESEND, _RESEND)):
        if changes[act]:
            conn.execute(statement, changes[act])
    if gone := [{"at": each["at"], "seen": each["seen"]} for each in changes[Act.DELETE]]:
        conn.execute(_DELETE, gone)
        deleted = {each["at"] for each in gone}
        _forget_events(conn, {row.event_id for row in rows if row.position in deleted})
    if changes[Act.RESEND]:
        announce(conn, TOPIC)
    return Looked(len(rows), len(changes[Act.ARCHIVE]), len(changes[Act.RESEND]), frozenset(owing))


def _last_receipted(conn: Connection, targets: Iterable[str]) -> dict[str, int]:
    found = {}
    for target in set(targets):
        found[target] = int(conn.execute(_LAST_RECEIPTED, {"to": target}).scalar() or 0)
    return found


def _aged(row: Any, last_receipted: dict[str, int]) -> Aged:
    return Aged(
        state=DeliveryState(row.state),
        internal=row.target == HUB_TARGET,
        time_us=row.time_us or 0,
        stored_us=row.stored_us,
        receipted_us=row.receipted_us,
        overtaken=row.position < last_receipted.get(row.target, 0),
    )


def _forget_events(conn: Connection, ids: set[str]) -> None:
    """Deletes those of the events that have no delivery left."""
    held = exists().where(_delivery.event_id == _event.id)
    conn.execute(delete(outbox_event).where(_event.id.in_(ids), ~held))


@dataclass(frozen=True, slots=True)
class Standing:
    """Deliveries by state, each counted up to `MOST_COUNTED`: to organisations, and to the hub's own streams; the event
    time of the oldest that no stream took yet, µs, or 0.
    """

    organisations: Mapping[DeliveryState, int]
    internal: Mapping[DeliveryState, int]
    oldest_us: int


def standing(conn: Connection) -> Standing:
    """Counts for gauges and `shuniu status`; they cost no more with what is kept."""
    organisations, internal = {}, {}
    for state in DeliveryState:
        asked = {"in_state": state.value, "most": MOST_COUNTED}
        beside = [int(conn.execute(counted, asked).scalar_one()) for counted in (_COUNT_BELOW, _COUNT_ABOVE)]
        organisations[state] = sum(beside)
        internal[state] = int(conn.execute(_COUNT_INTERNAL, asked).scalar_one())
    return Standing(organisations, internal, _oldest_open(conn))


def _oldest_open(conn: Connection) -> int:
    oldest = 0
    for state in (DeliveryState.PENDING, DeliveryState.PARKED):
        for target in targets_in(conn, (state,)):
            first = int(conn.execute(_FIRST_TIME, {"in_state": state.value, "to": target}).scalar() or 0)
            oldest = min(oldest or first, first)
    return oldest


def _counted(condition: ColumnElement[bool]) -> Select[Any]:
    found = select(literal(1)).where(_delivery.state == bindparam("in_state"), condition).limit(bindparam("most"))
    return select(func.count()).select_from(found.subquery())


_COUNT_BELOW: Final = _counted(_delivery.target < HUB_TARGET)
_COUNT_ABOVE: Final = _counted(_delivery.target > HUB_TARGET)
_COUNT_INTERNAL: Final = _counted(_delivery.target == HUB_TARGET)
_FIRST_TIME: Final = (
    select(_event.time_us)
    .join(outbox_delivery, _event.id == _delivery.event_id)
    .where(_delivery.state == bindparam("in_state"), _delivery.target == bindparam("to"))
    .order_by(_delivery.position)
    .limit(1)
)


def unreceipted(conn: Connection, stored_before_us: int) -> list[tuple[str, int]]:
    """(organisation, deliveries) stored before an instant and never receipted, of those whose oldest one is so late;
    `MOST_COUNTED` of one are so many or more.
    """
    late: list[tuple[str, int]] = []
    for target in targets_in(conn, (DeliveryState.STORED,)):
        if target == HUB_TARGET:
            continue
        oldest = conn.execute(_OLDEST_STORED, {"to": target}).scalar()
        if oldest is not None and oldest < stored_before_us:
            late.append((target, int(conn.execute(_LATE, {"to": target, "before": stored_before_us}).scalar_one())))
    return late


_STORED_TO: Final = (_delivery.state == DeliveryState.STORED.value, _delivery.target == bindparam("to"))
_OLDEST_STORED: Final = select(_delivery.stored_us).where(*_STORED_TO).order_by(_delivery.position).limit(1)
_FIRST_STORED: Final = (
    select(_delivery.stored_us).where(*_STORED_TO).order_by(_delivery.position).limit(MOST_COUNTED).subquery()
)
_LATE: Final = select(func.count()).select_from(_FIRST_STORED).where(_FIRST_STORED.c.stored_us < bindparam("before"))
