"""Publishes clients' receipts on the bus, as a client of the bus does."""

import asyncio
from collections.abc import Sequence
from typing import Final

from services.exchange.inbox.domain import Receipt
from services.exchange.inbox.links import InboxLinks, bus_away
from shuniu.api.common.v1 import receipt_pb2
from shuniu.kit.events.bus import BusError, Outgoing
from shuniu.kit.process import log

_AT_ONCE: Final = 64

_log = log.get("inbox")


async def send(links: InboxLinks, platform: str, receipts: Sequence[Receipt], stored_us: int) -> None:
    """Raises UNAVAILABLE BUS_AWAY when any was not taken: a receipt that is sent twice closes nothing twice."""
    gate = asyncio.Semaphore(_AT_ONCE)
    async with links.use(platform) as link:

        async def publish(message: Outgoing) -> None:
            async with gate:
                await link.bus.publish(message)

        messages = [_message(platform, each, stored_us) for each in receipts]
        sent = await asyncio.gather(*map(publish, messages), return_exceptions=True)
    failed = next((each for each in sent if isinstance(each, BaseException)), None)
    if isinstance(failed, BusError):
        _log.warning("receipts_away", platform=platform, code=failed.code)
        raise bus_away() from None
    if failed is not None:
        raise failed


def _message(platform: str, receipt: Receipt, stored_us: int) -> Outgoing:
    """Makes the message that a bus client publishes; its id lets the stream drop what a retry sends again."""
    content = receipt_pb2.Receipt(event_id=receipt.event_id, sha256=bytes.fromhex(receipt.sha256))
    content.stored_at.FromMicroseconds(stored_us)
    message_id = f"receipt.{platform}.{receipt.event_id}.{receipt.sha256[:16]}"
    return Outgoing("submit.receipt", content.SerializeToString(), {"Nats-Msg-Id": message_id})
