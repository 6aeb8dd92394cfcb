import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuniu.kit.process.ids import ULID_PATTERN, new_person_id, new_ulid, ulid_time_us
from shuniu.kit.testing import ManualClock


def test_ulids_grow_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    """Ids made one after another sort in that order, whatever the clock does."""
    clock = ManualClock()
    made = []
    for step in (0, 0, 0, 5, -3600, 0, 1):
        clock.advance(step)
        made += [new_ulid(clock) for _ in range(50)]
    assert sorted(made) == made
    assert len(made) == len(set(made))


@given(st.integers(min_value=4_000_000_000_000_000, max_value=9_000_000_000_000_000))
def test_ulid_is_well_formed(us: int) -> None:
    """An id is 26 characters of Crockford base32."""
    assert re.fullmatch(ULID_PATTERN, new_ulid(ManualClock(us)))


def test_ulid_carries_its_millisecond() -> None:
    """The instant of an id is the clock's, cut to the millisecond."""
    # Later than every other test's clock, so that the id is not pushed on by one made before.
    us = 9_100_000_000_123_456
    assert ulid_time_us(new_ulid(ManualClock(us))) == 9_100_000_000_123_000


@pytest.mark.parametrize(
    "text", ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAU"]
)
def test_not_a_ulid(text: str) -> None:
    """What is no ULID is refused, not guessed at."""
    with pytest.raises(ValueError):
        ulid_time_us(text)


def test_person_ids_are_random_and_url_safe() -> None:
    """A person id is 22 characters of base64url and never comes twice."""
    made = {new_person_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", one) for one in made)
