"""Events of the catalogue: the topics it publishes. It reads none.

Each carries ItemChanged; the contract says who hears it.
"""

from typing import Final

ITEM_PUBLISHED: Final = "catalogue.item.published"
ITEM_SUSPENDED: Final = "catalogue.item.suspended"
ITEM_WITHDRAWN: Final = "catalogue.item.withdrawn"
