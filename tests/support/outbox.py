"""What is in an outbox, counted exactly; a hub never asks that, since it costs by what is there."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from shuniu.kit.events.outbox import DeliveryState
from shuniu.kit.store.tables import outbox_delivery, outbox_event


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
