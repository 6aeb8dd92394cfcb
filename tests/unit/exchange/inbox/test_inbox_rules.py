"""What a client of the HTTP carrier may ask for and hand in."""

from services.exchange.inbox.domain import MOST_EVENTS, MOST_RECEIPTS, MOST_WAIT, Receipt, poll_faults, receipt_faults

GOOD = Receipt("01" * 13, "a" * 64)


def test_both_wishes_of_a_poll_are_checked() -> None:
    """Number of events and seconds to wait, each by its bounds."""
    for events, seconds in ((0, 0), (MOST_EVENTS, MOST_WAIT)):
        assert list(poll_faults(events, seconds)) == []
    faults = poll_faults(MOST_EVENTS + 1, -1)
    assert [each.field for each in faults] == ["max_events", "wait_seconds"]


def test_each_receipt_is_checked() -> None:
    """Id and digest of every receipt; of too many only that they are too many."""
    assert list(receipt_faults([GOOD] * MOST_RECEIPTS)) == []
    faults = receipt_faults([GOOD, Receipt("x", "A" * 64)])
    assert [each.field for each in faults] == ["receipts[1].event_id", "receipts[1].sha256"]
    for wrong in ([], [Receipt("", "")] * (MOST_RECEIPTS + 1)):
        assert [each.reason for each in receipt_faults(wrong)] == ["RECEIPTS_COUNT"]
