"""What stands beside a number on a document is found neither by guessing nor by reading it off the ledger for every number,
and nobody's tries shut a number for others.
"""

import pytest

from services.esign.verification.service.tries import Tries
from shuniu.kit.errors import HubError

NUMBER, MINUTE_US = "1500002026000001", 60 * 1_000_000
DAY_US = 24 * 60 * MINUTE_US


def refused(tries: Tries, number: str, now_us: int, asker: str = "198.51.100.7") -> str:
    try:
        tries.admit(asker, number, now_us)
    except HubError as cause:
        return cause.reason
    return ""


def tried(tries: Tries, number: str, times: int, now_us: int, asker: str = "198.51.100.7") -> None:
    """Wrong ones."""
    for _ in range(times):
        assert not refused(tries, number, now_us, asker)


def test_ten_wrong_tries_are_enough_and_forgotten_after_ten_minutes() -> None:
    """Of one number; others are answered still."""
    tries = Tries()
    tried(tries, NUMBER, 9, MINUTE_US)
    tried(tries, NUMBER, 1, 3 * MINUTE_US)
    assert refused(tries, NUMBER, 10 * MINUTE_US) == "NUMBER_GUESSED"
    assert not refused(tries, "1500002026000002", 10 * MINUTE_US)
    assert not refused(tries, NUMBER, 12 * MINUTE_US)


def test_a_stranger_shuts_no_number() -> None:
    """Whoever else tries a number however often, who holds the document is answered."""
    tries = Tries()
    for stranger in range(100):
        tried(tries, NUMBER, 10, 0, f"203.0.113.{stranger}")
    assert refused(tries, NUMBER, 0, "203.0.113.1") == "NUMBER_GUESSED"
    assert not refused(tries, NUMBER, 0)


@pytest.mark.parametrize("others", [10_000, 50_000])
def test_wrong_tries_of_other_numbers_make_none_forgotten(others: int) -> None:
    """Who asks for very many other numbers in between has no more tries for this one."""
    tries = Tries()
    tried(tries, NUMBER, 10, 0)
    for other in range(others):
        tries._wrong.add(f"203.0.113.9\nX{other:08d}", 0)
    assert refused(tries, NUMBER, 0) == "NUMBER_GUESSED"
    assert not refused(tries, "1500002026000002", 0)


def test_nobody_lists_the_register() -> None:
    """Right tries count too: twenty numbers in ten minutes and two hundred a day, however patient the asker is; a number
    asked for again is no other one, and other askers have their own.
    """
    tries, answered = Tries(), 0
    for minute in range(0, 24 * 60, 2):
        for number in range(50):
            answered += not refused(tries, f"15000020260{minute:04d}{number:02d}", minute * MINUTE_US)
        assert answered <= 20 * (1 + minute // 10)
    assert answered == 200
    now_us = 24 * 60 * MINUTE_US - 1
    assert refused(tries, NUMBER, now_us) == "NUMBERS_TRIED"
    assert not refused(tries, "15000020260000000", now_us)
    assert not refused(tries, NUMBER, now_us, "203.0.113.9")
    assert not refused(tries, NUMBER, now_us + 2 * DAY_US)


def test_tries_at_once_are_no_more_than_tries_in_turn() -> None:
    """Each is counted as a wrong one before its answer is known; those that turn out right, or get no answer, are not."""
    tries = Tries()
    tried(tries, NUMBER, 10, 0)
    assert refused(tries, NUMBER, 0) == "NUMBER_GUESSED"
    for _ in range(3):
        tries.not_wrong("198.51.100.7", NUMBER, 0)
    tried(tries, NUMBER, 3, MINUTE_US)
    assert refused(tries, NUMBER, MINUTE_US) == "NUMBER_GUESSED"
    for _ in range(1000):
        tries.admit("203.0.113.9", NUMBER, MINUTE_US)
        tries.not_wrong("203.0.113.9", NUMBER, MINUTE_US)


def test_tries_of_a_clock_that_was_ahead_keep_nobody_out() -> None:
    """The clock is set right: what was counted in the year to come is over, and what is counted from then on counts."""
    tries, ahead_us = Tries(), 365 * DAY_US
    for number in range(20):
        tried(tries, f"25000020260000{number:02d}", 1, ahead_us)
    tried(tries, NUMBER, 10, ahead_us, "203.0.113.9")
    assert refused(tries, NUMBER, ahead_us) == "NUMBERS_TRIED"
    assert refused(tries, NUMBER, ahead_us, "203.0.113.9") == "NUMBER_GUESSED"
    tried(tries, NUMBER, 10, 0)
    assert refused(tries, NUMBER, 0) == "NUMBER_GUESSED"
    assert not refused(tries, NUMBER, 0, "203.0.113.9")
