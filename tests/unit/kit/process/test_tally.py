"""Counts by key with their sum."""

from shuniu.kit.process.tally import Tally


def test_what_is_counted_down_to_nothing_is_forgotten() -> None:
    """Sum and counts are right at any moment, and a key without a count takes no memory."""
    tally = Tally()
    for key, change in (("a", 2), ("b", 5), ("a", -1)):
        tally.add(key, change)
    assert (tally.of("a"), tally.of("b"), tally.of("c"), tally.total, len(tally)) == (1, 5, 0, 6, 2)
    tally.add("a", -1)
    tally.add("c", 0)
    assert ("a" in tally, "c" in tally, tally.total, len(tally)) == (False, False, 5, 1)
