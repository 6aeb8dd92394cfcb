"""Dead letters: events that could not be handled, stored whole with their cause until an operator replays them."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.store.sweeping import BATCH
from shuniu.kit.store.tables import dead_letter

_c = dead_letter.c
_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead event. ``time_us`` is when it was given up."""

    id: int
    stream: str
    consumer: str
    subject: str
    event_id: str
    source: str
    type: str
    headers: Mapping[str, str]
    data: bytes
    stream_seq: int
    attempts: int
    cause: str
    time_us: int


def add(conn: Connection, consumer: str, message: Delivered, cause: str, now_us: int) -> bool:
    """Keep a message; False when this consumer's letter for it is here already."""
    known = select(_c.id).where(
        _c.stream == message.stream, _c.consumer == consumer, _c.stream_seq == message.seq, _c.replayed_us == 0
    )
    if conn.execute(known).first() is not None:
        return False
    headers = dict(message.headers)
    conn.execute(
        insert(dead_letter),
        {
            "stream": message.stream,
            "consumer": consumer,
            "subject": message.subject,
            "event_id": headers.get("ce-id", ""),
            "source": headers.get("ce-source", ""),
            "type": headers.get("ce-type", ""),
            "headers": json.dumps(headers),
            "data": message.data,
            "stream_seq": message.seq,
            "attempts": message.attempt,
            # A cause may quote what a handler saw; it is cut, and never leaves this table.
            "cause": cause[:500],
            "time_us": now_us,
        },
    )
    return True


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        stream=row.stream,
        consumer=row.consumer,
        subject=row.subject,
        event_id=row.event_id,
        source=row.source,
        type=row.type,
        headers=json.loads(row.headers),
        data=bytes(row.data),
        stream_seq=row.stream_seq,
        attempts=row.attempts,
        cause=row.cause,
        time_us=row.time_us,
    )


def deaths(conn: Connection, limit: int = 1000, after: int = 0) -> list[DeadLetter]:
    """A page of the open dead letters, oldest first, behind one of them."""
    query = select(dead_letter).where(_c.replayed_us == 0, _c.id > after).order_by(_c.id).limit(limit)
    return [_letter(row) for row in conn.execute(query)]


def open_ids(conn: Connection, wanted: Collection[str] = ()) -> list[tuple[int, str]]:
    """(number, event id) of all open dead letters, or of those of some events, oldest first: what a replay sends."""
    rows = conn.execute(select(_c.id, _c.event_id).where(_c.replayed_us == 0).order_by(_c.id))
    return [(row.id, row.event_id) for row in rows if not wanted or row.event_id in wanted]


def count(conn: Connection) -> int:
    """Number of open dead letters, counted up to 10,000."""
    open_ones = select(_c.id).where(_c.replayed_us == 0).limit(_COUNTED)
    return int(conn.execute(select(func.count()).select_from(open_ones.subquery())).scalar_one())


def get(conn: Connection, number: int) -> DeadLetter:
    """One open dead letter; KeyError when there is none."""
    row = conn.execute(select(dead_letter).where(_c.id == number, _c.replayed_us == 0)).first()
    if row is None:
        raise KeyError(number)
    return _letter(row)


def mark_replayed(conn: Connection, number: int, now_us: int) -> None:
    conn.execute(update(dead_letter).where(_c.id == number).values(replayed_us=now_us))


def prune(conn: Connection, replayed_before_us: int, dead_before_us: int) -> int:
    """Deletes letters replayed before an instant, and open ones that died before another, a batch at most; returns how
    many.
    """
    replayed = select(_c.id).where(_c.replayed_us > 0, _c.replayed_us < replayed_before_us).limit(BATCH)
    gone = list(conn.execute(replayed).scalars())
    oldest = select(_c.id, _c.time_us).where(_c.replayed_us == 0).order_by(_c.id).limit(BATCH - len(gone))
    gone += [row.id for row in conn.execute(oldest) if row.time_us < dead_before_us]
    if gone:
        conn.execute(delete(dead_letter).where(_c.id.in_(gone)))
    return len(gone)


def from_stored(found: Mapping[str, Any], stream: str, seq: int, attempts: int) -> Delivered:
    """A message as `Bus.stored_message` gives it."""
    raw = base64.b64decode(found.get("hdrs", "")).decode("utf-8", "replace")
    headers: dict[str, str] = {}
    for line in raw.split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return Delivered(
        subject=found["subject"],
        data=base64.b64decode(found.get("data", "")),
        headers=headers,
        stream=stream,
        seq=seq,
        attempt=attempts,
        pending=0,
        reply="",
    )
