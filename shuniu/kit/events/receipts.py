"""Receipts: an organisation confirms that it stored an event, which closes the delivery if the digest is as sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from shuniu.api.common.v1 import receipt_pb2
from shuniu.kit.events import outbox_rows
from shuniu.kit.events.bus import Bus
from shuniu.kit.events.bus_pull import Delivered, Pull
from shuniu.kit.events.bus_streams import receipt_consumer
from shuniu.kit.events.following import follow
from shuniu.kit.events.outbox_rows import ReceiptNote
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store

_log = structlog.get_logger(__name__)
_STREAM: Final = "SUBMIT"
_BATCH: Final = 500


class ReceiptWatch:
    """Hears of what happens to receipts, for metrics and alarms."""

    def receipted(self, deliveries: int) -> None: ...

    def mismatch(self, target: str, event_id: str) -> None:
        """An organisation stored something else than was sent: an alarm."""

    def malformed(self, target: str) -> None: ...


@dataclass(slots=True)
class ReceiptReader:
    """Reads every organisation's receipts and closes this service's deliveries; ignores those of other services."""

    store: Store
    bus: Bus
    clock: Clock
    # `bus.receipts_durable` of the service's area: its own position on the stream, which the relay makes too.
    durable: str
    watch: ReceiptWatch = field(default_factory=ReceiptWatch)

    async def run(self) -> None:
        """Task: reads until cancelled; retries while store or bus is unavailable."""
        await follow(self.bus, _STREAM, receipt_consumer(self.durable), self._take, first=_BATCH)

    async def _take(self, pull: Pull, messages: Sequence[Delivered], _limit: int) -> int:
        notes = [note for message in messages if (note := self._note(message)) is not None]
        if notes:
            closed, wrong = await self.store.write(outbox_rows.apply_receipts, notes, self.clock.now_us())
            self.watch.receipted(closed)
            for note in wrong:
                self.watch.mismatch(note.target, note.event_id)
                _log.error("receipt_mismatch", target=note.target, event_id=note.event_id)
        for message in messages:
            await pull.ack(message)
        return _BATCH

    def _note(self, message: Delivered) -> ReceiptNote | None:
        # The server writes the organisation into the subject; nothing in the message can change it.
        target = message.subject.split(".")[1]
        try:
            receipt = receipt_pb2.Receipt.FromString(message.data)
        except DecodeError:
            self.watch.malformed(target)
            _log.warning("receipt_malformed", target=target)
            return None
        return ReceiptNote(target, receipt.event_id, receipt.sha256)
