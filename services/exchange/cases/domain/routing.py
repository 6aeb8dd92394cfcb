"""Routes an application to the agency that handles it, by the implementing item of (item, division)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Self

from services.exchange.domain.time_limits import Limit
from shuniu.national_numbers import upwards
from shuniu.rules import RuleError, Violation


class ItemState(StrEnum):
    """State of an item, as the catalogue publishes it."""

    PUBLISHED = "PUBLISHED"
    SUSPENDED = "SUSPENDED"
    WITHDRAWN = "WITHDRAWN"


class RoutingError(RuleError):
    """No agency handles it: ITEM_UNKNOWN, ITEM_NOT_OPEN, NO_HANDLING_AGENCY, AGENCY_AMBIGUOUS, or a field is wrong.

    `codes` are the implementing items to choose from, where there are several. `why` is the publisher's reason for
    suspending or withdrawing the item.
    """

    def __init__(self, violation: Violation, codes: tuple[str, ...] = (), why: str = "") -> None:
        super().__init__([violation])
        self.codes = codes
        self.why = why


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
    closed_because: str = ""

    def is_open(self, today: date) -> bool:
        return self.state is ItemState.PUBLISHED and self.is_in_force(today)

    def is_in_force(self, today: date) -> bool:
        """Tells whether the agency offers the item at all: a suspended one is its own still; one that is withdrawn,
        over or not yet begun leaves people to the agency above.
        """
        if self.state is ItemState.WITHDRAWN:
            return False
        return (self.begins is None or self.begins <= today) and (self.ends is None or today < self.ends)


@dataclass(slots=True)
class ItemBook:
    """The items known, by code of either scheme and by (base, division).

    The feed changes it in one thread while units of work read it in others: each method sees a change whole or not at
    all.
    """

    _items: dict[str, Item] = field(default_factory=dict)
    _aliases: dict[str, str] = field(default_factory=dict)
    _of_base: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Add an item, or replace the one with its code."""
        with self._lock:
            known = self._items.get(item.code)
            if known is not None:
                self._of_base.get(known.base_code, {}).get(known.division, set()).discard(known.code)
                self._aliases.pop(known.other_code, None)
            self._items[item.code] = item
            if item.other_code:
                self._aliases[item.other_code] = item.code
            if item.base_code:
                self._of_base.setdefault(item.base_code, {}).setdefault(item.division, set()).add(item.code)

    @classmethod
    def of(cls, items: Iterable[Item]) -> Self:
        found = cls()
        for item in items:
            found.put(item)
        return found

    def become(self, other: ItemBook) -> None:
        """Takes over the items of another book, which nobody else uses, in the place of its own."""
        with self._lock:
            self._items, self._aliases, self._of_base = other._items, other._aliases, other._of_base

    def route(self, code: str, division: str, today: date) -> Item:
        """The implementing item that an application goes to. Raises RoutingError.

        ``code`` names an implementing item, or a base item together with ``division`` (6 digits). A division without an
        implementing item in force belongs to the one of its city, then of its province. Where several agencies of one
        place take applications, the hub chooses none of them: AGENCY_AMBIGUOUS.
        """
        with self._lock:
            return self._route(code, division, today)

    def _route(self, code: str, division: str, today: date) -> Item:
        item = self._items.get(self._aliases.get(code, code))
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
            return _only([item], today)
        if len(division) != 6 or not (division.isascii() and division.isdecimal()):
            raise _error(
                "division", "DIVISION_FORM", "with a base code give a division of 6 digits", "请填写 6 位行政区划代码"
            )
        if not item.is_open(today):
            raise _closed([item])
        for place in upwards(division):
            here = (self._items[each] for each in sorted(self._of_base.get(item.code, {}).get(place, ())))
            found = [each for each in here if each.is_in_force(today)]
            if found:
                return _only(found, today)
        raise _error(
            "division",
            "NO_HANDLING_AGENCY",
            "no agency offers this item there yet",
            "该地区暂无办理该事项的机构",
        )


def _only(found: list[Item], today: date) -> Item:
    """The one item of these that takes applications. Raises RoutingError when none does, or several do."""
    opened = [item for item in found if item.is_open(today)]
    if not opened:
        raise _closed(found)
    if len(opened) > 1:
        raise RoutingError(
            Violation(
                "item_code",
                "AGENCY_AMBIGUOUS",
                "several agencies of this place handle the item: apply with the implementing code of one of them",
                "该地区有多个机构办理该事项，请选择办理机构并使用其实施编码申请",
            ),
            tuple(item.code for item in opened),
        )
    return opened[0]


def _closed(found: list[Item]) -> RoutingError:
    violation = Violation(
        "item_code", "ITEM_NOT_OPEN", "this item cannot be applied for at present", "该事项目前不可申请"
    )
    # Of several agencies none is the applicant's yet: the reason of one of them would not be his.
    return RoutingError(violation, why=found[0].closed_because if len(found) == 1 else "")


def _error(where: str, reason: str, en: str, zh: str) -> RoutingError:
    return RoutingError(Violation(where, reason, en, zh))
