"""Events whose handling killed the process: the server counts their deliveries and sends one advisory.

Advisories carry no body and are sent once, so stream ADVISORY keeps them and this reader fetches the body by number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shuniu.kit.events import dead_letters
from shuniu.kit.events.bus import Bus
from shuniu.kit.events.bus_pull import Delivered, Pull
from shuniu.kit.events.bus_streams import ConsumerSpec
from shuniu.kit.events.following import follow
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store

_log = structlog.get_logger(__name__)
_STREAM: Final = "ADVISORY"
_BATCH: Final = 50
_CAUSE: Final = "MAX_DELIVERIES: the process ended each time it handled this event"


@dataclass(slots=True)
class AdvisoryReader:
    """Writes a dead letter for each advisory about one durable consumer, on any stream."""

    store: Store
    bus: Bus
    clock: Clock
    durable: str

    async def run(self) -> None:
        """Task: reads until cancelled; retries while store or bus is unavailable."""
        subject = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.{self.durable}"
        await follow(self.bus, _STREAM, ConsumerSpec(self.durable, (subject,)), self._take, first=_BATCH)

    async def _take(self, pull: Pull, messages: Sequence[Delivered], _limit: int) -> int:
        for message in messages:
            await self._bury(message)
            await pull.ack(message)
        return _BATCH

    async def _bury(self, message: Delivered) -> None:
        advisory = json.loads(message.data)
        stream, seq = str(advisory["stream"]), int(advisory["stream_seq"])
        found = await self.bus.stored_message(stream, seq)
        if found is None:
            _log.error("dead_event_gone", stream=stream, seq=seq)
            return
        dead = dead_letters.from_stored(found, stream, seq, int(advisory["deliveries"]))
        await self.store.write(dead_letters.add, self.durable, dead, _CAUSE, self.clock.now_us())
        _log.error("event_dead", stream=stream, seq=seq, cause=_CAUSE)
