"""An item with its standing: what its owner drafts, what everybody sees, and who edited it since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from services.catalogue.items.domain.canonical import canonical
from services.catalogue.items.domain.item import BaseItem, ImplementingItem

Item = BaseItem | ImplementingItem


class ItemState(StrEnum):
    """State of an item."""

    DRAFT = "DRAFT"
    REVIEW = "REVIEW"
    PUBLISHED = "PUBLISHED"
    SUSPENDED = "SUSPENDED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Record:
    """An item with its standing. ``version`` counts every change from 1; times are µs UTC."""

    draft: Item
    state: ItemState
    version: int
    # Everybody who edited since the last publication: any of them may not publish.
    editors: frozenset[str]
    changed_us: int
    submitted_by: str = ""
    published_by: str = ""
    note: str = ""
    published: Item | None = None
    # True from suspension until the next publication, so that an edit does not bring the suspended content back.
    suspended: bool = False
    # Why everybody finds the published content suspended or withdrawn. A draft beside it has a note of its own.
    reason: str = ""

    @property
    def etag(self) -> str:
        """Changes with every change of content, state or version."""
        seed = f"{self.version}\n{self.state}\n".encode() + canonical(self.draft)
        return hashlib.sha256(seed).hexdigest()[:32]

    @property
    def visible(self) -> Item | None:
        """The item as the public is served it now."""
        return None if self.suspended or self.state is ItemState.WITHDRAWN else self.published

    @property
    def public_state(self) -> ItemState | None:
        """The published item, which everybody may know; None while it never was published."""
        if self.published is None:
            return None
        if self.state is ItemState.WITHDRAWN:
            return ItemState.WITHDRAWN
        return ItemState.SUSPENDED if self.suspended else ItemState.PUBLISHED
