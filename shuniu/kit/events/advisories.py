"""Events whose handling killed the process: the server counts their deliveries and sends one advisory.

Advisories carry no body and are sent once, so stream ADVISORY keeps them and this reader fetches the body by number.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

import structlog

from shuniu.kit.errors import HubError
from shuniu.kit.events import dead_letters
from shuniu.kit.events.bus import Bus, BusAwayError, BusError
from shuniu.kit.events.bus_pull import Delivered, Pull
from shuniu.kit.events.bus_streams import ConsumerSpec
from shuniu.kit.process.clock import Clock
from shuniu.kit.store import Store

_log = structlog.get_logger(__name__)
_STREAM: Final = "ADVISORY"
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
        pull = Pull(self.bus, _STREAM, self.durable)
        try:
            await self._read(pull)
        finally:
            await pull.close()

    async def _read(self, pull: Pull) -> None:
        subject = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.{self.durable}"
        generation = -1
        while True:
            try:
                await self.bus.wait_connected()
                if generation != self.bus.generation:
                    generation = self.bus.generation
                    await self.bus.ensure_consumer(_STREAM, ConsumerSpec(self.durable, (subject,)))
                for message in await pull.fetch(50, wait_s=5):
                    await self._take(message)
                    await pull.ack(message)
            except BusAwayError:
                await asyncio.sleep(0.05)
            except (BusError, HubError) as error:
                generation = -1
                _log.warning("advisories_delayed", cause=str(error))
                await asyncio.sleep(0.5)

    async def _take(self, message: Delivered) -> None:
        advisory = json.loads(message.data)
        stream, seq = str(advisory["stream"]), int(advisory["stream_seq"])
        found = await self.bus.stored_message(stream, seq)
        if found is None:
            _log.error("dead_event_gone", stream=stream, seq=seq)
            return
        dead = dead_letters.from_stored(found, stream, seq, int(advisory["deliveries"]))
        await self.store.write(dead_letters.add, self.durable, dead, _CAUSE, self.clock.now_us())
        _log.error("event_dead", stream=stream, seq=seq, cause=_CAUSE)
