"""The agency's next deadline in a case: to decide on acceptance, then the end of its item's legal limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.exchange.cases.domain.life import OVER, Case, CaseState
from services.exchange.domain.time_limits import Calendar, Limit, Stop, add, due
from shuniu.china_time import civil_date, end_of_day_us

# Administrative Licensing Law, article 32: who is not told otherwise within five working days counts as accepted.
ACCEPTANCE: Final = Limit(5)
UNACCEPTED: Final = frozenset({CaseState.SUBMITTED, CaseState.PRE_REVIEW})
"""States in which the deadline is that of acceptance."""
DECIDED: Final = frozenset({*OVER, CaseState.GRANTED, CaseState.REFUSED})
"""States in which no deadline runs any more."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """`due_us`: its end, µs UTC; None where nothing is due. `provisional`: a year that counts for it has no published
    holidays yet, so that its end may move.
    """

    due_us: int | None = None
    provisional: bool = False


def special_until_us(case: Case, calendar: Calendar) -> int | None:
    """The end of the special procedure that lasts now, µs UTC; None where none lasts, or where a year that counts for
    it has no published holidays yet: the hub ends nothing by a day that may move.
    """
    if case.state is not CaseState.SPECIAL:
        return None
    began_us, _, most_days = case.stops[-1]
    began = civil_date(began_us)
    last = add(calendar, began, Limit(most_days))
    return end_of_day_us(last) if calendar.is_certain(began, last) else None


def next_deadline(case: Case, limit: Limit | None, calendar: Calendar) -> Deadline:
    """Finds the agency's next deadline. Nothing is due while the applicant has to bring something, nor after
    acceptance where the item has no limit. A decided case keeps the end that it was promised.
    """
    if case.state in UNACCEPTED:
        begins, limit = civil_date(case.lodged_us), ACCEPTANCE
        stops: tuple[Stop, ...] = ()
    elif case.accepted_us is not None and limit is not None:
        begins, stops = civil_date(case.accepted_us), case.clock_stops(calendar)
    else:
        return Deadline()
    last = due(calendar, begins, limit, stops)
    if last is None:
        return Deadline()
    return Deadline(end_of_day_us(last), provisional=not calendar.is_certain(begins, last))
