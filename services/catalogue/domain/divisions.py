"""Administrative divisions (行政区划, GB/T 2260; platforms use 9 or 12 digits below the county) that change over time.

A code names a place only together with a day: counties are renamed, merged and moved, and an item or a citizen number
keeps the code of its own day. Each row has a validity interval and its successors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from shuniu.national_numbers import upwards
from shuniu.rules import RuleError, Violation


class DivisionLevel(IntEnum):
    """Level of a division code; the value is the number of digits that carry it."""

    PROVINCE = 2
    CITY = 4
    COUNTY = 6
    TOWN = 9
    VILLAGE = 12


class DivisionError(RuleError):
    """The text is no division code, or the code names no place on that day."""


@dataclass(frozen=True, slots=True)
class Division:
    """One place under one code. ``valid_to`` is the first day on which the code no longer holds; None while it
    holds.
    """

    code: str
    name: str
    valid_from: date = date(1949, 10, 1)
    valid_to: date | None = None
    successors: tuple[str, ...] = ()

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


def _error(reason: str, en: str, zh: str) -> DivisionError:
    return DivisionError([Violation("division", reason, en, zh)])


def normalise(text: str) -> str:
    """The shortest of the forms with 6, 9 and 12 digits that names the same place. Raises DivisionError."""
    if len(text) not in {6, 9, 12} or not set(text) <= set("0123456789"):
        raise _error("DIVISION_FORM", "a division code has 6, 9 or 12 digits", "行政区划代码应为 6、9 或 12 位数字")
    if text[:2] == "00" or (text[2:4] == "00" and text[4:].strip("0")):
        raise _error("DIVISION_FORM", "the code skips a level", "行政区划代码缺少上级代码")
    if text[6:9] == "000" and text[9:].strip("0"):
        raise _error("DIVISION_FORM", "the code skips a level", "行政区划代码缺少上级代码")
    for length in (6, 9):
        if not text[length:].strip("0"):
            return text[:length]
    return text


def level(code: str) -> DivisionLevel:
    """The level of a code. Raises DivisionError."""
    code = normalise(code)
    if len(code) > 6:
        return DivisionLevel(len(code))
    if code.endswith("0000"):
        return DivisionLevel.PROVINCE
    return DivisionLevel.CITY if code.endswith("00") else DivisionLevel.COUNTY


def ancestors(code: str) -> tuple[str, ...]:
    """Codes above ``code``, nearest first. Cities without counties (东莞) put towns directly under the city."""
    code = normalise(code)
    above = []
    if len(code) == 12:
        above.append(code[:9])
    above.extend(upwards(code[:6]))
    return tuple(dict.fromkeys(each for each in above if each != code))


def within(code: str, area: str) -> bool:
    """Tells whether ``code`` is ``area`` or lies in it."""
    return normalise(area) in {normalise(code), *ancestors(code)}


class DivisionTable:
    """All rows of a register of divisions; one code may have several rows whose intervals do not overlap."""

    def __init__(self, rows: Iterable[Division]) -> None:
        """Raises DivisionError with every fault: forms, empty or overlapping intervals, unknown successors."""
        self._rows: dict[str, list[Division]] = {}
        for row in rows:
            self._rows.setdefault(normalise(row.code), []).append(row)
        for same_code in self._rows.values():
            same_code.sort(key=lambda row: row.valid_from)
        violations = list(_faults(self._rows))
        if violations:
            raise DivisionError(violations)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def on(self, code: str, day: date) -> Division:
        """The place that ``code`` named on ``day``. Raises DivisionError (DIVISION_UNKNOWN, DIVISION_NOT_VALID)."""
        rows = self._rows.get(normalise(code))
        if not rows:
            raise _error("DIVISION_UNKNOWN", "no division has this code", "行政区划代码不存在")
        for row in rows:
            if row.holds_on(day):
                return row
        raise _error("DIVISION_NOT_VALID", "the code named no division on that day", "该日期此行政区划代码无效")

    def resolve(self, code: str, day: date) -> tuple[Division, ...]:
        """The places that an older code leads to on ``day``: itself while it holds, else its successors, followed to
        the end.

        A split county leads to several. Raises DivisionError when nothing holds.
        """
        found: dict[str, Division] = {}
        self._follow(normalise(code), day, found, set())
        if not found:
            # Says which of the two is the case.
            return (self.on(code, day),)
        return tuple(found[each] for each in sorted(found))

    def _follow(self, code: str, day: date, found: dict[str, Division], seen: set[str]) -> None:
        if code in seen:
            return
        seen.add(code)
        rows = self._rows.get(code, [])
        for row in rows:
            if row.holds_on(day):
                found[code] = row
                return
        for row in rows:
            for successor in row.successors:
                if row.valid_to is not None and row.valid_to <= day:
                    self._follow(normalise(successor), day, found, seen)

    def children(self, code: str, day: date) -> tuple[Division, ...]:
        """The places directly under ``code`` that hold on ``day``, by code."""
        parent = normalise(code)
        return tuple(
            row
            for each in sorted(self._rows)
            for row in self._rows[each]
            if row.holds_on(day) and ancestors(each)[:1] == (parent,)
        )


def _faults(rows: Mapping[str, list[Division]]) -> Iterable[Violation]:
    for code, same_code in rows.items():
        for row in same_code:
            if row.valid_to is not None and row.valid_to <= row.valid_from:
                yield Violation(code, "INTERVAL_EMPTY", "the interval ends before it begins", "有效期结束早于开始")
            if row.successors and row.valid_to is None:
                yield Violation(
                    code, "SUCCESSOR_EARLY", "a code that still holds has no successor", "仍有效的代码不应有后继代码"
                )
            for successor in row.successors:
                if normalise(successor) not in rows:
                    yield Violation(code, "SUCCESSOR_UNKNOWN", "the successor is not in the table", "后继代码不在表中")
        for earlier, later in itertools.pairwise(same_code):
            if earlier.valid_to is None or later.valid_from < earlier.valid_to:
                yield Violation(code, "INTERVAL_OVERLAP", "two rows of one code overlap", "同一代码的有效期重叠")
