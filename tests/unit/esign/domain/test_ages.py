"""How long something that was kept is used."""

from services.esign.domain.ages import is_fresh


def test_what_was_made_by_a_clock_that_ran_ahead_is_made_anew() -> None:
    """Fresh from the moment it was made until its time is over, and never before it was made."""
    assert [is_fresh(100, now_us, 10) for now_us in (99, 100, 109, 110)] == [False, True, True, False]
