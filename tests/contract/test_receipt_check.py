"""Receipts are compared with what a service sent, on every database."""

import hashlib

import pytest
from sqlalchemy import delete

from shuniu.api.common.v1 import receipt_pb2 as pb
from shuniu.kit.events.receipt_check import ReceiptService
from shuniu.kit.process import ids
from shuniu.kit.store.tables import outbox_delivery
from tests.support.outbox import emitted, kit_store


@pytest.fixture
async def store(store_url, clock):
    async with kit_store(store_url, clock) as opened:
        yield opened


def emit(conn, clock, data, *orgs):
    return emitted(conn, clock, orgs, data)


def ulid_of(clock):
    """An id of this instant; `new_ulid` never goes back behind one that another test made."""
    return ids._encode(clock.now_us() // 1000 << 80)


async def standings(store, receipts):
    request = pb.CheckReceiptsRequest(platform="a", receipts=receipts)
    answer = await ReceiptService(store).CheckReceipts(request, None)
    return [pb.ReceiptStanding.Name(each).removeprefix("RECEIPT_STANDING_") for each in answer.standings]


async def test_receipts_are_compared_with_what_was_sent(store, clock):
    """In order, by organisation and digest, before and after the stream took the event."""
    first, second = [await store.write(emit, clock, data, *orgs) for data, orgs in ((b"1", "ab"), (b"2", "b"))]
    digests = [hashlib.sha256(data).digest() for data in (b"1", b"2")]
    receipts = [
        pb.Receipt(event_id=first, sha256=digests[0]),
        pb.Receipt(event_id=first, sha256=digests[1]),
        pb.Receipt(event_id=second, sha256=digests[1]),
        pb.Receipt(event_id=ulid_of(clock), sha256=digests[0]),
        pb.Receipt(event_id="Z" * 26, sha256=digests[0]),
        pb.Receipt(event_id=first, sha256=digests[0]),
    ]
    assert await standings(store, receipts) == ["FITS", "DIFFERS", "NOT_SENT", "UNKNOWN", "UNKNOWN", "FITS"]


async def test_what_the_hub_may_have_forgotten_is_not_called_unknown(store, clock):
    """An event of before a restore, or one that was receipted days ago: its receiver still has it and sends its receipt."""
    old = pb.Receipt(event_id=ulid_of(clock), sha256=b"x" * 32)
    assert await standings(store, [old]) == ["UNKNOWN"]
    clock.advance(1)
    await store.begin_restored([])
    await store.look_at_schema()
    clock.advance(1)
    assert await standings(store, [old, pb.Receipt(event_id=ulid_of(clock))]) == ["FORGOTTEN", "UNKNOWN"]
    late = pb.Receipt(event_id=ulid_of(clock))
    clock.advance(7 * 86_400)
    assert await standings(store, [late, pb.Receipt(event_id=ulid_of(clock))]) == ["FORGOTTEN", "UNKNOWN"]


async def test_a_delivery_that_is_gone_before_its_event_is_forgotten_too(store, clock):
    """The hub keeps the event for its own stream: that no delivery of it is left says nothing of who got it."""
    event_id = await store.write(emit, clock, b"one", "a")
    receipt = pb.Receipt(event_id=event_id, sha256=hashlib.sha256(b"one").digest())
    assert await standings(store, [receipt]) == ["FITS"]
    await store.write(
        lambda conn: conn.execute(
            delete(outbox_delivery).where(outbox_delivery.c.event_id == event_id, outbox_delivery.c.target == "a")
        )
    )
    assert await standings(store, [receipt]) == ["NOT_SENT"]
    # `new_ulid` never goes back behind one that another test made.
    clock.advance(8 * 86_400 + max(0, ids.ulid_time_us(event_id) - clock.now_us()) / 1_000_000)
    assert await standings(store, [receipt]) == ["FORGOTTEN"]
