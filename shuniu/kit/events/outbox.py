"""The outbox: an event is written in the transaction that makes the change; the relay sends it later."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, insert

from shuniu.china_time import DAY_US
from shuniu.kit.store.tables import outbox_delivery, outbox_event
from shuniu.kit.store.types import announce, binding_of

# The target that stands for the hub's own streams; every other target is an organisation's code.
HUB_TARGET: Final = "evt"
# Without a receipt for so long, a delivery is archived.
MAX_AGE_US: Final = 30 * DAY_US
TOPIC: Final = "outbox"
"""Announced by units that give the relay something to send (`shuniu.kit.store.announce`)."""


class DeliveryState(StrEnum):
    """State of one delivery. Only the receiver's receipt closes it."""

    PENDING = "PENDING"
    STORED = "STORED"
    RECEIPTED = "RECEIPTED"
    PARKED = "PARKED"
    DEAD = "DEAD"
    ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvents 1.0 event before it leaves.

    id: ULID. type: "shuniu.<area>.<aggregate>.<verb>.v1". source: "//<trust domain>/<service>". aggregate: its id.
    time_us: instant in µs. data: protobuf bytes, exactly as they are sent. topic: "<area>.<aggregate>.<verb>".
    division: "" or GB/T 2260 code. traceparent: W3C. seq: position in the aggregate from 1; 0 lets `emit` assign it.
    """

    id: str
    type: str
    source: str
    aggregate: str
    time_us: int
    data: bytes
    topic: str
    division: str = ""
    traceparent: str = ""
    zone: str = ""
    secrecy: str = ""
    seq: int = 0


# Put together once: that costs more than to run them.
_EVENTS: Final = insert(outbox_event)
_DELIVERIES: Final = insert(outbox_delivery)
_EVENT_COLUMNS: Final = [field.name for field in fields(Event)]


def next_seq(conn: Connection, aggregate: str) -> int:
    """The aggregate's next sequence number, from 1; the aggregate stays locked until the unit ends.

    For payloads that carry their own number; others leave `Event.seq` at 0.
    """
    return binding_of(conn).dialect.next_value(conn, f"seq:{aggregate}")


def emit(conn: Connection, event: Event, *, to: Iterable[str] = (), internal: bool = True) -> Event:
    """Write an event and its deliveries into the caller's unit of work; returns it with its sequence number.

    `to` names the organisations, addressed and subscribed, as this unit sees them: who is subscribed when it commits
    gets the event. `internal` also sends it to the hub's own streams.
    """
    numbered = event if event.seq else replace(event, seq=next_seq(conn, event.aggregate))
    _write(conn, [(numbered, to)], internal=internal)
    return numbered


def emit_all(conn: Connection, events: Sequence[tuple[Event, Iterable[str]]]) -> list[Event]:
    """`emit` for several events, each with its organisations; at most one of an aggregate."""
    unnumbered = [event.aggregate for event, _ in events if not event.seq]
    numbers = iter(binding_of(conn).dialect.next_values(conn, [f"seq:{aggregate}" for aggregate in unnumbered]))
    numbered = [(event if event.seq else replace(event, seq=next(numbers)), to) for event, to in events]
    if numbered:
        _write(conn, numbered, internal=True)
    return [event for event, _ in numbered]


def _write(conn: Connection, events: Sequence[tuple[Event, Iterable[str]]], *, internal: bool) -> None:
    rows, deliveries = [], []
    for event, to in events:
        row = {name: getattr(event, name) for name in _EVENT_COLUMNS}
        rows.append({**row, "digest": hashlib.sha256(event.data).digest()})
        targets = dict.fromkeys(to)
        if HUB_TARGET in targets:
            raise ValueError(f"{HUB_TARGET!r} is not an organisation")
        if internal:
            targets[HUB_TARGET] = None
        look_us = event.time_us + MAX_AGE_US
        deliveries += [
            {"event_id": event.id, "target": target, "state": DeliveryState.PENDING.value, "look_us": look_us}
            for target in targets
        ]
    conn.execute(_EVENTS, rows)
    if deliveries:
        conn.execute(_DELIVERIES, deliveries)
        announce(conn, TOPIC)
