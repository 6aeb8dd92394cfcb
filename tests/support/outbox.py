"""A store with an outbox alone, events for it, and exact counts of its deliveries, which a hub never asks for."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, func, select

from shuniu.kit.events import outbox
from shuniu.kit.events.outbox import DeliveryState
from shuniu.kit.process.clock import Clock
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.store import Store, kit_tables
from shuniu.kit.store.tables import outbox_delivery, outbox_event

KIT = MetaData()
kit_tables(KIT)


@contextlib.asynccontextmanager
async def kit_store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """A new store with the tables that every service has."""
    opened = Store.unchecked(url, KIT, clock=clock)
    await opened.create_schema()
    try:
        yield opened
    finally:
        await opened.close()


def emitted(
    conn: Connection,
    clock: Clock,
    to: Iterable[str] = (),
    data: bytes = b"payload",
    topic: str = "exchange.case.submitted",
) -> str:
    """Emits an event; returns its id."""
    event = outbox.Event(
        id=new_ulid(clock),
        type=f"shuniu.{topic}.v1",
        source="//hub.test/exchange",
        aggregate="case-1",
        time_us=clock.now_us(),
        data=data,
        topic=topic,
    )
    return outbox.emit(conn, event, to=to).id


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """Number of deliveries to a target in a state, and the event time of the oldest, µs."""

    target: str
    state: DeliveryState
    deliveries: int
    oldest_us: int


def counts(conn: Connection) -> list[OutboxCount]:
    """Deliveries by target and state."""
    delivery = outbox_delivery.c
    rows = conn.execute(
        select(delivery.target, delivery.state, func.count(), func.min(outbox_event.c.time_us))
        .join(outbox_event, outbox_event.c.id == delivery.event_id)
        .group_by(delivery.target, delivery.state)
        .order_by(delivery.target, delivery.state)
    )
    return [OutboxCount(target, DeliveryState(state), number, oldest) for target, state, number, oldest in rows]
