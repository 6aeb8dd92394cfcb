"""The agency's next deadline: acceptance, then the legal limit."""

from datetime import UTC, date, datetime

from services.exchange.cases.domain.deadline import Deadline, next_deadline, special_until_us
from services.exchange.cases.domain.life import Command, Move, Role, apply, submit
from services.exchange.domain.time_limits import WEEKDAYS, Calendar, Limit, calendar_from
from shuniu.china_time import end_of_day_us

EVERYBODY = frozenset(Role)
LIMIT = Limit(5)
MARCH = calendar_from({"region": "150000", "years": {"2026": {"holidays": ["2026-03-05"]}}})


def _noon(day: int, month: int = 3) -> int:
    """Noon in Beijing of a day of 2026; March began on a Sunday."""
    return round(datetime(2026, month, day, 4, tzinfo=UTC).timestamp() * 1e6)


def _ends(case: object, limit: Limit | None = LIMIT, calendar: Calendar = MARCH) -> date | None:
    due = next_deadline(case, limit, calendar).due_us  # type: ignore[arg-type]
    return None if due is None else next(
        day for day in map(date.fromordinal, range(date(2026, 3, 1).toordinal(), date(2027, 3, 1).toordinal()))
        if end_of_day_us(day) == due
    )  # fmt: skip


def test_acceptance_has_a_deadline_of_its_own() -> None:
    """Five working days from the application, whatever the item's limit, and again from what a correction brought."""
    case = submit("somebody", _noon(2))
    assert (_ends(case), _ends(case, None)) == (date(2026, 3, 10), date(2026, 3, 10))
    case = apply(case, Command(Move.ASK_CORRECTION, "agency", EVERYBODY, _noon(3), note="no photo", missing=("photo",)))
    assert next_deadline(case, LIMIT, MARCH) == Deadline()
    case = apply(case, Command(Move.SUPPLEMENT, "somebody", EVERYBODY, _noon(20), given=("photo",)))
    assert _ends(case) == date(2026, 3, 27)
    assert (
        next_deadline(apply(case, Command(Move.NOT_ACCEPT, "agency", EVERYBODY, _noon(21), note="no")), LIMIT, MARCH)
        == Deadline()
    )


def test_the_promise_begins_with_acceptance_and_waits_for_a_correction() -> None:
    """Nothing is promised without a limit and while the applicant has to bring something."""
    case = apply(submit("somebody", _noon(2)), Command(Move.ACCEPT, "agency", EVERYBODY, _noon(2)))
    assert next_deadline(case, None, MARCH) == Deadline()
    assert (_ends(case, calendar=WEEKDAYS), _ends(case)) == (date(2026, 3, 9), date(2026, 3, 10))
    case = apply(case, Command(Move.ASK_CORRECTION, "agency", EVERYBODY, _noon(3), note="no photo", missing=("photo",)))
    assert next_deadline(case, LIMIT, MARCH) == Deadline()
    case = apply(case, Command(Move.SUPPLEMENT, "somebody", EVERYBODY, _noon(5), given=("photo",)))
    assert _ends(case, calendar=WEEKDAYS) == date(2026, 3, 11)


def test_a_special_procedure_moves_the_promise_by_its_days_at_most() -> None:
    """The end is known while it lasts, and is the same when the agency never ends it."""
    case = apply(submit("somebody", _noon(2)), Command(Move.ACCEPT, "agency", EVERYBODY, _noon(2)))
    case = apply(case, Command(Move.PROCESS, "agency", EVERYBODY, _noon(3)))
    case = apply(case, Command(Move.BEGIN_SPECIAL, "agency", EVERYBODY, _noon(4), note="hearing", days=10))
    assert _ends(case, calendar=WEEKDAYS) == date(2026, 3, 23)
    late = apply(case, Command(Move.END_SPECIAL, "agency", EVERYBODY, _noon(30)))
    assert _ends(late, calendar=WEEKDAYS) == date(2026, 3, 23)
    soon = apply(case, Command(Move.END_SPECIAL, "agency", EVERYBODY, _noon(6)))
    assert _ends(soon, calendar=WEEKDAYS) == date(2026, 3, 11)


def test_what_counts_an_unpublished_year_is_provisional() -> None:
    """Also where only a year between the first day and the last is unknown."""
    case = apply(submit("somebody", _noon(25, 12)), Command(Move.ACCEPT, "agency", EVERYBODY, _noon(25, 12)))
    assert next_deadline(case, LIMIT, MARCH).provisional
    assert not next_deadline(case, Limit(3), MARCH).provisional
    known = {str(year): {} for year in (2026, 2028)}
    assert next_deadline(case, Limit(300), calendar_from({"region": "x", "years": known})).provisional
    assert not next_deadline(
        case, Limit(300), calendar_from({"region": "x", "years": {**known, "2027": {}}})
    ).provisional


def test_a_special_procedure_has_an_end_where_holidays_are_published() -> None:
    """The last of its working days, holidays left out; none before and after it, nor while that day may move. The promise
    is the same whether the hub ends it then or nobody does.
    """
    case = apply(submit("somebody", _noon(2)), Command(Move.ACCEPT, "agency", EVERYBODY, _noon(2)))
    case = apply(case, Command(Move.PROCESS, "agency", EVERYBODY, _noon(3)))
    special = apply(case, Command(Move.BEGIN_SPECIAL, "agency", EVERYBODY, _noon(4), note="hearing", days=10))
    assert special_until_us(special, MARCH) == end_of_day_us(date(2026, 3, 19))
    assert (special_until_us(case, MARCH), special_until_us(special, WEEKDAYS)) == (None, None)
    ended = apply(special, Command(Move.END_SPECIAL, "hub", frozenset({Role.SYSTEM}), _noon(20)))
    assert special_until_us(ended, MARCH) is None
    assert next_deadline(ended, LIMIT, MARCH) == next_deadline(special, LIMIT, MARCH)
    over_new_year = apply(case, Command(Move.BEGIN_SPECIAL, "agency", EVERYBODY, _noon(1, 12), note="hearing"))
    assert special_until_us(over_new_year, MARCH) is None
