"""Receipts are compared with what a service sent, on every database."""

import hashlib

import pytest
from sqlalchemy import MetaData

from shuniu.api.common.v1 import receipt_pb2 as pb
from shuniu.kit.events import outbox
from shuniu.kit.events.receipt_check import ReceiptService
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.store import Store, kit_tables

metadata = MetaData()
kit_tables(metadata)


@pytest.fixture
async def store(store_url, clock):
    opened = Store.unchecked(store_url, metadata, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


def emit(conn, clock, data, *orgs):
    event = outbox.Event(
        id=new_ulid(clock),
        type="shuniu.exchange.case.submitted.v1",
        source="//hub/exchange",
        aggregate="c",
        time_us=clock.now_us(),
        data=data,
        topic="exchange.case.submitted",
    )
    return outbox.emit(conn, event, to=orgs).id


async def test_receipts_are_compared_with_what_was_sent(store, clock):
    """In order, by organisation and digest, before and after the stream took the event."""
    first, second = [await store.write(emit, clock, data, *orgs) for data, orgs in ((b"1", "ab"), (b"2", "b"))]
    digests = [hashlib.sha256(data).digest() for data in (b"1", b"2")]
    receipts = [
        pb.Receipt(event_id=first, sha256=digests[0]),
        pb.Receipt(event_id=first, sha256=digests[1]),
        pb.Receipt(event_id=second, sha256=digests[1]),
        pb.Receipt(event_id="01J00000000000000000000000", sha256=digests[0]),
        pb.Receipt(event_id=first, sha256=digests[0]),
    ]
    request = pb.CheckReceiptsRequest(platform="a", receipts=receipts)
    answer = await ReceiptService(store).CheckReceipts(request, None)
    assert [pb.ReceiptStanding.Name(each).removeprefix("RECEIPT_STANDING_") for each in answer.standings] == [
        "FITS",
        "DIFFERS",
        "NOT_SENT",
        "UNKNOWN",
        "FITS",
    ]
