"""A stream that does not answer is left alone, longer each time, and comes back with its first answer."""

from services.exchange.queries.domain.breaker import FAILURES, LONGEST_PAUSE_S, SHORTEST_PAUSE_S, Breaker, Standing


def _opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.begin("q", now)
        breaker.failed(now)
    return breaker


def test_only_failures_in_a_row_open_it() -> None:
    """One answer between them, and it stays closed."""
    breaker = Breaker()
    for _ in range(10):
        for _ in range(FAILURES - 1):
            breaker.failed(0.0)
        breaker.answered()
    assert breaker.standing(0.0) is Standing.CLOSED
    assert _opened().standing(0.0) is Standing.OPEN


def test_one_trial_at_a_time_and_longer_pauses() -> None:
    """After the pause one question goes out; when it fails the pause doubles, up to a most."""
    breaker, now, pauses = _opened(), 0.0, []
    for _ in range(6):
        pauses.append(breaker.try_at - now)
        assert breaker.standing(breaker.try_at - 0.01) is Standing.OPEN
        now = breaker.try_at
        assert breaker.standing(now) is Standing.HALF_OPEN
        breaker.begin("q", now)
        assert breaker.standing(now + 1000) is Standing.OPEN
        breaker.failed(now)
    assert pauses == [SHORTEST_PAUSE_S, 10.0, 20.0, 40.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_any_answer_closes_it() -> None:
    """Also a late one, to a question from before; the next failures are counted from none."""
    breaker = _opened()
    assert breaker.answered()
    assert not breaker.answered()
    breaker.failed(0.0)
    assert (breaker.standing(0.0), breaker.failures) == (Standing.CLOSED, 1)


def test_what_was_asked_before_says_nothing_new() -> None:
    """Questions that were out when it opened do not make the pause longer; a trial that was left may be repeated."""
    breaker = _opened()
    breaker.failed(1.0)
    assert breaker.try_at == SHORTEST_PAUSE_S
    breaker.begin("trial", SHORTEST_PAUSE_S)
    breaker.left("one of before")
    assert breaker.standing(SHORTEST_PAUSE_S) is Standing.OPEN
    breaker.left("trial")
    assert breaker.standing(SHORTEST_PAUSE_S) is Standing.HALF_OPEN
