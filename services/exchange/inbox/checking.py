"""Compares clients' receipts with what the hub sent: with exchange's own outbox, then with those of its neighbours."""

from collections.abc import Sequence
from typing import Final

import grpc

from services.exchange.inbox import domain
from services.exchange.inbox.domain import Receipt
from shuniu.api.common.v1 import receipt_pb2 as pb
from shuniu.api.common.v1 import receipt_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.events import receipt_check
from shuniu.kit.process import metrics
from shuniu.kit.rpc import client
from shuniu.kit.store import Store

_SECONDS: Final = 3.0
# Another service may know more.
_OPEN: Final = frozenset({pb.RECEIPT_STANDING_UNKNOWN, pb.RECEIPT_STANDING_FORGOTTEN})
_AWAY: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})
_REFUSED: Final = frozenset({pb.RECEIPT_STANDING_UNKNOWN, pb.RECEIPT_STANDING_NOT_SENT})


class ReceiptCheck:
    """Every service that publishes to organisations is asked, until one knows the event."""

    def __init__(self, store: Store, neighbours: Sequence[grpc.aio.Channel]) -> None:
        self._store = store
        self._neighbours = [receipt_pb2_grpc.ReceiptServiceStub(channel) for channel in neighbours]

    async def refuse(self, platform: str, given: Sequence[Receipt]) -> None:
        """Raises INVALID_ARGUMENT with each receipt that does not fit; UNAVAILABLE RECEIPTS_UNCHECKED."""
        receipts = [pb.Receipt(event_id=each.event_id, sha256=bytes.fromhex(each.sha256)) for each in given]
        found = dict(enumerate(await self._store.read(receipt_check.standings, platform, receipts)))
        for stub in self._neighbours:
            left = [index for index, standing in found.items() if standing in _OPEN]
            if not left:
                break
            request = pb.CheckReceiptsRequest(platform=platform, receipts=[receipts[index] for index in left])
            try:
                answer = await client.ask(stub.CheckReceipts, request, timeout=_SECONDS)
            except HubError as error:
                raise _unchecked() if error.code in _AWAY else error from None
            # FORGOTTEN stays until another service knows the event.
            found |= {
                index: standing
                for index, standing in zip(left, answer.standings, strict=True)
                if standing != pb.RECEIPT_STANDING_UNKNOWN
            }
        wrong = [index for index, standing in found.items() if standing == pb.RECEIPT_STANDING_DIFFERS]
        unknown = [index for index, standing in found.items() if standing in _REFUSED]
        metrics.RECEIPTS_REFUSED.labels("mismatch").inc(len(wrong))
        if wrong or unknown:
            raise errors.invalid(domain.mismatches(unknown, wrong))


def _unchecked() -> HubError:
    return errors.unavailable(
        "RECEIPTS_UNCHECKED",
        "A part of the hub that sent some of these events does not answer; send the receipts again in a moment.",
        "发送其中部分事件的服务暂不可用，请稍后重新提交回执。",
    )
