"""The relay's pauses fit what the outbox takes for a wrong clock."""

import pytest

from shuniu.kit.events.outbox_rows import LONGEST_PARKED_US, LONGEST_PAUSE_S, waits
from shuniu.kit.events.relay_settings import RelaySettings


def test_a_target_waits_through_the_longest_pause() -> None:
    """A delivery parked for it is not taken for one that was parked by a clock ahead."""
    longest_us = int(max(RelaySettings(area="exchange").backoff_s) * 1_000_000)
    assert longest_us < LONGEST_PARKED_US
    assert waits(longest_us, 0)


def test_a_longer_pause_is_refused() -> None:
    """It would be cut short without a word."""
    with pytest.raises(ValueError, match="waits longer than"):
        RelaySettings(area="exchange", backoff_s=(0.5, LONGEST_PAUSE_S + 1))
