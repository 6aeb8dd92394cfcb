"""The relay's questions and notes mean the same on every database."""

import hashlib

import pytest

from shuniu.kit.events import dead_letters, outbox_rows
from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.events.outbox import DeliveryState
from tests.support.outbox import counts, emitted, kit_store


@pytest.fixture
async def store(store_url, clock):
    async with kit_store(store_url, clock) as opened:
        yield opened


def emit(conn, clock, orgs, count):
    for number in range(count):
        emitted(conn, clock, orgs, b"%d" % number)


async def test_a_delivery_runs_through_its_states(store, clock):
    """Pending, parked, stored, receipted, forgotten: in order for each target, and a fast receipt is not undone."""
    await store.write(emit, clock, ["a", "b"], 3)
    assert await store.read(outbox_rows.targets_in, (DeliveryState.PENDING,)) == ["a", "b", "evt"]
    rows = await store.read(outbox_rows.next_pending, "a", 0, 10)
    assert [row.data for row in rows] == [b"0", b"1", b"2"]
    await store.write(outbox_rows.park, rows[0].position, "INBOX_FULL", clock.now_us() + 5)
    assert await store.read(outbox_rows.due, "a", clock.now_us(), 10) == (clock.now_us() + 5, [])
    assert (await store.read(outbox_rows.due, "a", clock.now_us() + 5, 10))[1] != []
    # Parked a year ahead of the clock as it is now.
    assert (await store.read(outbox_rows.due, "a", clock.now_us() - 365 * 86_400_000_000, 10))[1] != []
    assert (await store.read(outbox_rows.due, "b", clock.now_us(), 10))[0] == 0
    again = await store.read(outbox_rows.next_pending, "a", 0, 10)
    assert [row.position for row in again] == [row.position for row in rows]
    note = outbox_rows.ReceiptNote("a", rows[0].id, hashlib.sha256(b"0").digest())
    wrong = outbox_rows.ReceiptNote("a", rows[1].id, b"x" * 32)
    stranger = outbox_rows.ReceiptNote("c", rows[2].id, hashlib.sha256(b"2").digest())
    assert await store.write(outbox_rows.apply_receipts, [note, wrong, stranger], clock.now_us()) == (1, [wrong])
    marks = [(row.position, number) for number, row in enumerate(rows, start=7)]
    await store.write(outbox_rows.mark_stored, marks, clock.now_us(), clock.now_us())
    assert await store.read(outbox_rows.last_stream_seq, "a") == 9
    oldest, number = await store.read(outbox_rows.oldest_stored, "a")
    assert (oldest.position, number) == (rows[1].position, 8)
    assert await store.write(outbox_rows.requeue, "a", DeliveryState.STORED) == 2
    await store.write(outbox_rows.bury, rows[1].position, "10054: too big")
    counted = {(row.target, row.state): row.deliveries for row in await store.read(counts)}
    assert counted == {
        ("a", "DEAD"): 1,
        ("a", "PENDING"): 1,
        ("a", "RECEIPTED"): 1,
        ("b", "PENDING"): 3,
        ("evt", "PENDING"): 3,
    }


async def test_a_dead_letter_is_kept_once_and_closed_once(store, clock):
    """The same message dies once for each reader, and a replayed letter is no longer open."""
    message = Delivered("evt.x", b"d", {"ce-id": "e"}, "EVT_X", 4, 8, 0, "")
    assert await store.write(dead_letters.add, "reader", message, "ValueError", clock.now_us())
    assert not await store.write(dead_letters.add, "reader", message, "ValueError", clock.now_us())
    (letter,) = await store.read(dead_letters.deaths)
    assert (letter.event_id, letter.data, letter.headers) == ("e", b"d", {"ce-id": "e"})
    await store.write(dead_letters.mark_replayed, letter.id, clock.now_us())
    assert await store.read(dead_letters.deaths) == []
