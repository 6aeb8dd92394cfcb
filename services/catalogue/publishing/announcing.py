"""Events of items."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from services.catalogue import events
from services.catalogue.items.domain.record import ItemState
from shuniu.api.catalogue.v1 import item_pb2
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.foundation import Foundation

_TOPICS: Final[Mapping[ItemState, str]] = {
    ItemState.PUBLISHED: events.ITEM_PUBLISHED,
    ItemState.SUSPENDED: events.ITEM_SUSPENDED,
    ItemState.WITHDRAWN: events.ITEM_WITHDRAWN,
}


def item_changed(base: Foundation, conn: Connection, state: ItemState, message: item_pb2.Item) -> None:
    """Publishes the public view of an item in the transaction that changes it."""
    topic = _TOPICS[state]
    payload = events_pb2.ItemChanged(item=message)
    base.publish(conn, topic, message.id, payload, division=message.division, secrecy="public")
