"""The legal clock: working days and stops."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.domain.time_limits import (
    WEEKDAYS,
    CalendarError,
    Limit,
    Stop,
    Unit,
    add,
    calendar_from,
    due,
)

YEAR = calendar_from(
    {
        "region": "150000",
        "years": {"2026": {"holidays": ["2026-10-01", "2026-10-02", "2026-10-05"], "workdays": ["2026-10-10"]}},
    },
)
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
LIMITS = st.builds(Limit, st.integers(0, 40), st.sampled_from(Unit))


def test_holidays_do_not_count_and_moved_workdays_do() -> None:
    """Five working days across a holiday end on the Saturday that is worked."""
    assert add(YEAR, date(2026, 9, 30), Limit(5)) == date(2026, 10, 10)
    assert add(WEEKDAYS, date(2026, 9, 30), Limit(5)) == date(2026, 10, 7)


def test_the_first_day_is_not_counted() -> None:
    """A one-day limit that begins on Monday ends on Tuesday; zero ends the same day."""
    assert add(WEEKDAYS, date(2026, 3, 9), Limit(1)) == date(2026, 3, 10)
    assert add(WEEKDAYS, date(2026, 3, 9), Limit(0)) == date(2026, 3, 9)


def test_calendar_days_end_on_a_working_day() -> None:
    """A limit in days whose last day is free ends on the next working day."""
    assert add(WEEKDAYS, date(2026, 3, 9), Limit(5, Unit.DAY)) == date(2026, 3, 16)


def test_stops_take_days_out() -> None:
    """Days in correction or special procedure are not counted, and there is no due date while the clock stands."""
    accepted, limit = date(2026, 3, 9), Limit(5)
    assert due(WEEKDAYS, accepted, limit, []) == date(2026, 3, 16)
    assert due(WEEKDAYS, accepted, limit, [Stop(date(2026, 3, 11))]) is None
    assert due(WEEKDAYS, accepted, limit, [Stop(date(2026, 3, 11), date(2026, 3, 13))]) == date(2026, 3, 18)


def test_a_calendar_is_known_by_its_content() -> None:
    """The same days in another order have one digest; another holiday, region or year has another."""
    year = {"holidays": ["2026-10-01", "2026-10-02"], "workdays": ["2026-10-10"]}
    turned = {"holidays": ["2026-10-02", "2026-10-01"], "workdays": ["2026-10-10"]}
    first = calendar_from({"region": "1", "years": {"2026": year}}).digest
    assert first == calendar_from({"region": "1", "years": {"2026": turned}}).digest
    others = [
        calendar_from({"region": "1", "years": {"2026": {**year, "holidays": ["2026-10-01"]}}}),
        calendar_from({"region": "2", "years": {"2026": year}}),
        calendar_from({"region": "1", "years": {"2026": year, "2027": {}}}),
        WEEKDAYS,
    ]
    assert len({first, *(each.digest for each in others)}) == 5


def test_unpublished_years_are_told() -> None:
    """Days rest on a year whose holidays nobody has published, or they do not."""
    assert YEAR.is_certain(date(2026, 3, 9), date(2026, 3, 16))
    assert not YEAR.is_certain(date(2026, 12, 30), date(2027, 1, 6))


@given(DAYS, LIMITS, st.lists(st.tuples(DAYS, st.integers(0, 20)), max_size=3))
def test_stops_never_bring_the_end_forward(accepted: date, limit: Limit, pauses: list[tuple[date, int]]) -> None:
    """With whatever stops, the last day is that of the limit or a later one."""
    found = due(YEAR, accepted, limit, [Stop(day, day + timedelta(days=length)) for day, length in pauses])
    assert found is not None
    assert found >= add(YEAR, accepted, limit)


@given(DAYS, st.integers(0, 40))
def test_longer_limits_never_end_earlier(start: date, value: int) -> None:
    """The due day grows with the limit."""
    assert add(YEAR, start, Limit(value)) < add(YEAR, start, Limit(value + 1))


def test_wrong_calendars_are_refused() -> None:
    """Every wrong date of a calendar is told."""
    with pytest.raises(CalendarError) as caught:
        calendar_from(
            {"years": {"2026": {"holidays": ["2026-13-01", "2025-01-01", "2026-01-04"], "workdays": ["2026-01-04"]}}}
        )
    assert {each.reason for each in caught.value.violations} == {"DATE_FORM", "DATE_YEAR", "DATE_TWICE"}
    with pytest.raises(CalendarError):
        calendar_from({})
