"""What is printed on a document cannot be guessed by trying: wrong tries of a number are counted, whoever asks what else."""

import pytest

from services.esign.verification.service.register import Guesses
from shuniu.kit.errors import HubError

NUMBER, MINUTE_US = "1500002026000001", 60 * 1_000_000


def refused(guesses: Guesses, number: str, now_us: int) -> bool:
    try:
        guesses.refuse(number, now_us)
    except HubError as cause:
        return cause.reason == "NUMBER_GUESSED"
    return False


def tried(guesses: Guesses, number: str, times: int, now_us: int) -> None:
    for _ in range(times):
        guesses.wrong(number, now_us)


def test_ten_wrong_tries_are_enough_and_forgotten_after_ten_minutes() -> None:
    """Of one number; others are answered still."""
    guesses = Guesses()
    tried(guesses, NUMBER, 9, MINUTE_US)
    assert not refused(guesses, NUMBER, MINUTE_US)
    tried(guesses, NUMBER, 1, 3 * MINUTE_US)
    assert refused(guesses, NUMBER, 10 * MINUTE_US)
    assert not refused(guesses, "1500002026000002", 10 * MINUTE_US)
    assert not refused(guesses, NUMBER, 12 * MINUTE_US)


@pytest.mark.parametrize("others", [10_000, 50_000])
def test_wrong_tries_of_other_numbers_make_none_forgotten(others: int) -> None:
    """Who asks for very many other numbers in between has no more tries for this one."""
    guesses = Guesses()
    tried(guesses, NUMBER, 10, 0)
    for other in range(others):
        guesses.wrong(f"X{other:08d}", 0)
    assert refused(guesses, NUMBER, 0)
    assert not refused(guesses, "1500002026000002", 0)
