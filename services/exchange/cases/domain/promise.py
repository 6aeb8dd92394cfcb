"""Promised end of a case: the end of its item's legal limit."""

from __future__ import annotations

from services.exchange.cases.domain.life import Case
from services.exchange.domain.time_limits import Calendar, Limit, measure
from shuniu.china_time import civil_date, end_of_day_us


def promised_us(case: Case, limit: Limit | None, calendar: Calendar) -> int | None:
    """The end of the promised limit, µs UTC; None before acceptance, without a limit and while the clock is stopped."""
    if case.accepted_us is None or limit is None:
        return None
    until = civil_date(case.decided_us or case.steps[-1].at_us)
    reading = measure(calendar, civil_date(case.accepted_us), limit, case.clock_stops(), until)
    return None if reading.due is None else end_of_day_us(reading.due)
