"""Events of the catalogue. It publishes and reads none.

catalogue.item.published, catalogue.item.suspended and catalogue.item.withdrawn, each with ItemChanged: to the hub's
services and to organisations that subscribed to the topic for the item's division.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from services.catalogue.domain.publishing import State
from shuniu.api.catalogue.v1 import item_pb2
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.foundation import Foundation

AREA: Final = "catalogue"

TOPICS: Final[Mapping[State, str]] = {
    State.PUBLISHED: "catalogue.item.published",
    State.SUSPENDED: "catalogue.item.suspended",
    State.WITHDRAWN: "catalogue.item.withdrawn",
}


def item_changed(base: Foundation, conn: Connection, state: State, message: item_pb2.Item) -> None:
    """Tells what everybody now sees of an item, in the unit of work that made it so."""
    topic = TOPICS[state]
    payload = events_pb2.ItemChanged(item=message)
    to = base.recipients(topic, message.division)
    base.publish(conn, topic, message.id, payload, to=to, division=message.division, secrecy="public")
