"""The promised end of a case follows its legal limit."""

from datetime import UTC, date, datetime

from services.exchange.cases.domain.life import Command, Move, Role, apply, submit
from services.exchange.cases.domain.promise import promised_us
from services.exchange.domain.time_limits import WEEKDAYS, Limit
from shuniu.china_time import end_of_day_us

EVERYBODY = frozenset(Role)


def _noon(day: int) -> int:
    """Noon in Beijing of a day of March 2026, which began on a Sunday."""
    return round(datetime(2026, 3, day, 4, tzinfo=UTC).timestamp() * 1e6)


def test_the_promise_begins_with_acceptance_and_waits_for_a_correction() -> None:
    """Nothing is promised before acceptance, without a limit and while the applicant has to bring something."""
    limit = Limit(5)
    case = submit("somebody", _noon(2))
    assert promised_us(case, limit, WEEKDAYS) is None
    case = apply(case, Command(Move.ACCEPT, "agency", EVERYBODY, _noon(2)))
    assert promised_us(case, None, WEEKDAYS) is None
    assert promised_us(case, limit, WEEKDAYS) == end_of_day_us(date(2026, 3, 9))
    case = apply(case, Command(Move.ASK_CORRECTION, "agency", EVERYBODY, _noon(3), missing=("photo",)))
    assert promised_us(case, limit, WEEKDAYS) is None
    case = apply(case, Command(Move.SUPPLEMENT, "somebody", EVERYBODY, _noon(5), given=("photo",)))
    assert promised_us(case, limit, WEEKDAYS) == end_of_day_us(date(2026, 3, 11))
