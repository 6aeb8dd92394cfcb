"""Compares receipts with what a service sent, for the carrier that can refuse a wrong one."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from shuniu.api.common.v1 import receipt_pb2 as pb
from shuniu.api.common.v1 import receipt_pb2_grpc
from shuniu.api.common.v1.receipt_pb2 import Receipt
from shuniu.china_time import DAY_US
from shuniu.kit.events.outbox_rows import KEPT_US
from shuniu.kit.process.ids import ulid_time_us
from shuniu.kit.store import Store, binding_of
from shuniu.kit.store.tables import outbox_delivery, outbox_event

# What the relay keeps of receipted deliveries, less a day for clocks that differ and sweeps that wait.
_KEPT_US: Final = KEPT_US - DAY_US
_NEVER_US: Final = 1 << 62
_SENT: Final = (
    select(outbox_event.c.id, outbox_event.c.digest, outbox_delivery.c.target)
    .outerjoin(
        outbox_delivery,
        (outbox_delivery.c.event_id == outbox_event.c.id) & (outbox_delivery.c.target == bindparam("to")),
    )
    .where(outbox_event.c.id.in_(bindparam("ids", expanding=True)))
)


def standings(conn: Connection, platform: str, receipts: Sequence[Receipt]) -> list["pb.ReceiptStanding.ValueType"]:
    """Compares receipts of an organisation with this service's outbox, in whatever state the delivery is: a receipt
    may come before the relay noted that the stream took the event.
    """
    ids = sorted({each.event_id for each in receipts})
    sent = {row.id: row for row in conn.execute(_SENT, {"to": platform, "ids": ids})}
    binding = binding_of(conn)
    known_since_us = max(binding.restored_us, binding.clock.now_us() - _KEPT_US)
    return [_standing(sent.get(each.event_id), each, known_since_us) for each in receipts]


def _standing(row: Any, receipt: Receipt, known_since_us: int) -> "pb.ReceiptStanding.ValueType":
    # A receipted delivery is deleted before its event.
    if row is None or row.target is None:
        if _instant(receipt.event_id) < known_since_us:
            return pb.RECEIPT_STANDING_FORGOTTEN
        return pb.RECEIPT_STANDING_UNKNOWN if row is None else pb.RECEIPT_STANDING_NOT_SENT
    return pb.RECEIPT_STANDING_FITS if bytes(row.digest) == receipt.sha256 else pb.RECEIPT_STANDING_DIFFERS


def _instant(event_id: str) -> int:
    """The instant inside an event id, µs; of what is no id, one that nothing was forgotten of."""
    try:
        return ulid_time_us(event_id)
    except ValueError:
        return _NEVER_US


class ReceiptService(receipt_pb2_grpc.ReceiptServiceServicer):
    """Answers from the service's own outbox."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def CheckReceipts(self, request: pb.CheckReceiptsRequest, context: Any) -> pb.CheckReceiptsResponse:
        found = await self._store.read(standings, request.platform, request.receipts)
        return pb.CheckReceiptsResponse(standings=found)
