"""The legal clock (办理时限): working days by a holiday calendar per region, stopped in 补正 and 特别程序.

Counting is by civil days in Asia/Shanghai. The day of acceptance is not counted (Civil Code, article 201); the last
day ends at midnight. In the same way the day on which the clock is stopped has still run, and the day on which it
starts again has not: a stop takes out the days after its first up to and including its last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shuniu.rules import RuleError, Violation

_DAY = timedelta(days=1)
# A limit never reaches so far; it ends the search in a calendar that holds no working day.
_HORIZON = 20_000


class CalendarError(RuleError):
    """The calendar data are wrong."""


class Unit(StrEnum):
    """时限单位."""

    WORKING_DAY = "working-day"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days of a region. Years outside ``years`` are not published yet: weekends only, and ``is_certain`` says
    so.
    """

    region: str
    holidays: frozenset[date]
    # 调休: weekend days on which people work.
    workdays: frozenset[date]
    years: frozenset[int]

    def is_working(self, day: date) -> bool:
        if day in self.workdays:
            return True
        return day.weekday() < 5 and day not in self.holidays

    def is_certain(self, first: date, last: date) -> bool:
        """Tells whether the holidays of every year from one day to another are published."""
        return all(year in self.years for year in range(first.year, last.year + 1))

    @property
    def digest(self) -> str:
        """Names this content: two calendars with one digest measure alike."""
        days = [sorted(map(date.isoformat, kind)) for kind in (self.holidays, self.workdays)]
        return hashlib.sha256(repr((self.region, days, sorted(self.years))).encode()).hexdigest()[:16]


# What counts where no calendar is set: weekends are free, nothing else.
WEEKDAYS = Calendar("", frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of ``value`` whole units; 0 means the day of acceptance itself."""

    value: int
    unit: Unit = Unit.WORKING_DAY


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of the clock, by civil days; ``ended`` is None while it lasts."""

    began: date
    ended: date | None = None

    def takes_out(self, day: date) -> bool:
        return self.began < day and (self.ended is None or day <= self.ended)


def add(calendar: Calendar, start: date, limit: Limit) -> date:
    """The last day of a limit that begins to count on the day after ``start``."""
    return _last_day(calendar, start, limit, ())


def due(calendar: Calendar, accepted: date, limit: Limit, stops: Iterable[Stop]) -> date | None:
    """The last day of a limit from the day of acceptance; None while the clock stands."""
    held = tuple(stops)
    return None if any(stop.ended is None for stop in held) else _last_day(calendar, accepted, limit, held)


def _counts(calendar: Calendar, unit: Unit, day: date, stops: tuple[Stop, ...]) -> bool:
    if any(stop.takes_out(day) for stop in stops):
        return False
    return unit is Unit.DAY or calendar.is_working(day)


def _last_day(calendar: Calendar, accepted: date, limit: Limit, stops: tuple[Stop, ...]) -> date:
    left, day = limit.value, accepted
    for _ in range(_HORIZON):
        if left <= 0:
            break
        day += _DAY
        left -= _counts(calendar, limit.unit, day, stops)
    # A limit in days that ends on a day off ends on the next working day (Civil Code, article 203).
    while limit.unit is Unit.DAY and limit.value and not calendar.is_working(day):
        day += _DAY
    return day


def calendar_from(data: Mapping[str, object]) -> Calendar:
    """A calendar from plain data: ``region``, and per year lists of ISO dates ``holidays`` and ``workdays``.

    Shape: ``{"region": "150000", "years": {"2026": {"holidays": ["2026-01-01"], "workdays": ["2026-01-04"]}}}``. Raises
    CalendarError with every violation.
    """
    found: dict[str, set[date]] = {"holidays": set(), "workdays": set()}
    violations = []
    years = data.get("years")
    known = set()
    for year, lists in years.items() if isinstance(years, Mapping) else ():
        known.add(str(year))
        for kind, days in found.items():
            for index, text in enumerate(lists.get(kind, ())):
                at = f"years.{year}.{kind}[{index}]"
                try:
                    day = date.fromisoformat(str(text))
                except ValueError:
                    violations.append(Violation(at, "DATE_FORM", "write YYYY-MM-DD", "日期应写作 YYYY-MM-DD"))
                    continue
                if str(day.year) != str(year):
                    violations.append(Violation(at, "DATE_YEAR", "the date lies in another year", "日期不在该年内"))
                days.add(day)
    if not known or not all(year.isdigit() for year in known):
        violations.append(Violation("years", "YEARS_MISSING", "give at least one year", "请至少提供一个年度"))
    violations.extend(
        Violation("workdays", "DATE_TWICE", f"{day} is both", f"{day} 同时为节假日和工作日")
        for day in sorted(found["workdays"] & found["holidays"])
    )
    if violations:
        raise CalendarError(violations)
    return Calendar(
        str(data.get("region", "")),
        frozenset(found["holidays"]),
        frozenset(found["workdays"]),
        frozenset(int(year) for year in known),
    )
