"""Routes an application to the agency that handles it, by the implementing item of (item, division)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.exchange.domain.time_limits import Limit
from shuniu.national_numbers import upwards
from shuniu.rules import RuleError, Violation


class ItemState(StrEnum):
    """State of an item, as the catalogue publishes it."""

    PUBLISHED = "PUBLISHED"
    SUSPENDED = "SUSPENDED"
    WITHDRAWN = "WITHDRAWN"


class RoutingError(RuleError):
    """No agency handles it; the reason is ITEM_UNKNOWN, ITEM_NOT_OPEN, NO_HANDLING_AGENCY or about a field."""


@dataclass(frozen=True, slots=True)
class Item:
    """A base or implementing item, as far as a case needs it. ``base_code`` is empty for a base item."""

    code: str
    base_code: str
    title: str
    division: str
    handler: str
    state: ItemState
    min_ial: int = 0
    result_template: str = ""
    limit: Limit | None = None
    begins: date | None = None
    ends: date | None = None
    other_code: str = ""

    def is_open(self, today: date) -> bool:
        if self.state is not ItemState.PUBLISHED:
            return False
        return (self.begins is None or self.begins <= today) and (self.ends is None or today < self.ends)


@dataclass(slots=True)
class ItemBook:
    """The items known, by code of either scheme and by (base, division)."""

    _items: dict[str, Item] = field(default_factory=dict)
    _aliases: dict[str, str] = field(default_factory=dict)
    _of_base: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Add an item, or replace the one with its code."""
        known = self._items.get(item.code)
        if known is not None:
            self._of_base.get(known.base_code, {}).get(known.division, set()).discard(known.code)
            self._aliases.pop(known.other_code, None)
        self._items[item.code] = item
        if item.other_code:
            self._aliases[item.other_code] = item.code
        if item.base_code:
            self._of_base.setdefault(item.base_code, {}).setdefault(item.division, set()).add(item.code)

    def replace(self, items: Iterable[Item]) -> None:
        """Begin anew with these items; until all are read the old ones are found."""
        fresh = ItemBook()
        for item in items:
            fresh.put(item)
        self._items, self._aliases, self._of_base = fresh._items, fresh._aliases, fresh._of_base

    def find(self, code: str) -> Item | None:
        return self._items.get(self._aliases.get(code, code))

    def route(self, code: str, division: str, today: date) -> Item:
        """The implementing item that an application goes to. Raises RoutingError.

        ``code`` names an implementing item, or a base item together with ``division`` (6 digits). A division without an
        implementing item of its own belongs to the one of its city, then of its province.
        """
        item = self.find(code)
        if item is None:
            raise _error(
                "item_code", "ITEM_UNKNOWN", "no such item: search the catalogue", "事项不存在，请先查询事项目录"
            )
        if item.base_code:
            if division and division != item.division:
                raise _error(
                    "division",
                    "DIVISION_NOT_EXPECTED",
                    "an implementing code names its division already: leave it empty",
                    "实施编码已包含行政区划，请勿另填",
                )
            return self._opened([item], today)
        if len(division) != 6 or not (division.isascii() and division.isdecimal()):
            raise _error(
                "division", "DIVISION_FORM", "with a base code give a division of 6 digits", "请填写 6 位行政区划代码"
            )
        if not item.is_open(today):
            raise _closed()
        for place in upwards(division):
            found = [self._items[each] for each in sorted(self._of_base.get(item.code, {}).get(place, ()))]
            if found:
                return self._opened(found, today)
        raise _error(
            "division",
            "NO_HANDLING_AGENCY",
            "no agency offers this item there yet",
            "该地区暂无办理该事项的机构",
        )

    def _opened(self, found: Iterable[Item], today: date) -> Item:
        for item in found:
            if item.is_open(today):
                return item
        raise _closed()


def _closed() -> RoutingError:
    return _error(
        "item_code",
        "ITEM_NOT_OPEN",
        "this item cannot be applied for at present",
        "该事项目前不可申请",
    )


def _error(where: str, reason: str, en: str, zh: str) -> RoutingError:
    return RoutingError([Violation(where, reason, en, zh)])
