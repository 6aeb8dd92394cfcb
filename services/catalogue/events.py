"""Events of the catalogue. It publishes and reads none.

Each carries ItemChanged: to the hub's services and to organisations that subscribed to the topic for the item's
division.
"""

from typing import Final

AREA: Final = "catalogue"
ITEM_PUBLISHED: Final = "catalogue.item.published"
ITEM_SUSPENDED: Final = "catalogue.item.suspended"
ITEM_WITHDRAWN: Final = "catalogue.item.withdrawn"
