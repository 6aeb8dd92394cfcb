"""A service's side of the bus in one piece: relay, receipts, consumers and dead letters, wired the same everywhere.

`app.py` of a service::

    async with open_foundation(...) as base, open_messaging(base) as bus, Parts(base) as parts:
        parts.add(bus.part)
        yield parts.process(replay=bus.replay)

The service runs without its bus: writes go on, events wait in the outbox.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shuniu.kit import errors
from shuniu.kit.events import dead_letters, outbox
from shuniu.kit.events.advisories import AdvisoryReader
from shuniu.kit.events.bus import Bus
from shuniu.kit.events.bus_watch import CountedConsumer, CountedReceipts, CountedRelay
from shuniu.kit.events.consumer import Consumer, ConsumerSettings, Handler
from shuniu.kit.events.receipt_check import ReceiptService
from shuniu.kit.events.receipts import ReceiptReader
from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.process import config, log, metrics
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.server import servicer
from shuniu.kit.service_settings import ServiceSettings

_log = log.get("messaging")


@dataclass(frozen=True, slots=True)
class Reading:
    """Subscription of a service to one stream.

    `stream` e.g. EVT_IDENTITY or SUBMIT; `handlers` by event type (`shuniu.<area>.<aggregate>.<verb>.v1`), each a unit
    of work; `filters` the subjects asked for, all of the stream when empty; `settings` for other than usual limits.
    """

    stream: str
    handlers: Mapping[str, Handler]
    filters: tuple[str, ...] = ()
    settings: ConsumerSettings | None = None


@dataclass(frozen=True, slots=True)
class Messaging:
    """The opened bus side of a service. `tasks` run for ever; `replay` and `facts` are for `Operations`."""

    bus: Bus
    relay: Relay
    consumers: tuple[Consumer, ...]
    tasks: Sequence[Callable[[], Awaitable[None]]] = field(repr=False)

    @property
    def part(self) -> Part:
        """The tasks, facts and the check of receipts, as a part of the process."""
        return Part(peer=[servicer(ReceiptService(self.relay.store))], tasks=self.tasks, facts=self.facts)

    async def facts(self) -> Mapping[str, str]:
        """Returns the facts that `shuniu status` shows of it."""
        return {"bus": "connected" if self.bus.connected else "away"}

    async def replay(self, number: int) -> None:
        """Handles one dead letter again.

        Raises NOT_FOUND DEAD_LETTER_UNKNOWN, and FAILED_PRECONDITION EVENT_FAILED_AGAIN with the failure's type.
        """
        store = self.relay.store
        try:
            letter = await store.read(dead_letters.get, number)
        except KeyError:
            raise errors.not_found(
                "DEAD_LETTER_UNKNOWN", "There is no open dead letter with this number.", "没有该编号的待处理死信。"
            ) from None
        for consumer in self.consumers:
            if (consumer.settings.stream, consumer.settings.durable) == (letter.stream, letter.consumer):
                [(_, cause)] = await consumer.replay([number])
                if cause:
                    raise errors.precondition(
                        "EVENT_FAILED_AGAIN",
                        "The event failed again; mend the cause first.",
                        "该事件再次处理失败，请先排除原因。",
                        # The text behind the type may quote personal data.
                        cause=cause.split(":", 1)[0],
                    )
                return
        raise errors.precondition(
            "CONSUMER_GONE",
            "This version has no reader for the event's stream.",
            "当前版本没有处理该事件流的消费者。",
            stream=letter.stream,
        )


def bus_creds_file(hub: HubSettings, settings: ServiceSettings, service: str) -> Path:
    """Returns the path of a service's credentials for the bus; `shuniu init` puts them there."""
    return settings.bus_creds_file if settings.bus_creds_file.name else hub.data_dir / "keys" / f"bus-{service}.creds"


@contextlib.asynccontextmanager
async def open_messaging(
    base: Foundation, *, reads: Sequence[Reading] = (), relay: RelaySettings | None = None
) -> AsyncIterator[Messaging]:
    """Connects a service to the bus until the context ends. Returns at once, also while the bus is away.

    The service's own stream is EVT_<SERVICE>. The relay is woken by each commit that emitted an event. Raises
    ConfigError when the credentials are absent or readable by others.
    """
    settings = base.settings
    setting = f"[{base.service}] bus_creds_file" if settings.bus_creds_file.name else ""
    creds = config.secret_text(bus_creds_file(base.hub, settings, base.service), setting)
    bus = Bus(settings.bus_url, creds, name=base.service, on_state=_connected, on_error=_complained)
    relay_settings = relay or RelaySettings(area=base.service, holder=base.writer, replicas=settings.bus_replicas)
    sender = Relay(base.store, bus, base.clock, relay_settings, watch=CountedRelay())
    consumers = tuple(_consumer(base, bus, reading) for reading in reads)
    # A position of its own: what a service reads of SUBMIT beside receipts must not share it.
    receipts = ReceiptReader(base.store, bus, base.clock, f"{base.service}-receipts", watch=CountedReceipts())
    durables = dict.fromkeys(consumer.settings.durable for consumer in consumers)
    advisories = [AdvisoryReader(base.store, bus, base.clock, durable) for durable in durables]
    tasks = [sender.run, receipts.run, *(each.run for each in consumers), *(each.run for each in advisories)]
    metrics.BUS_CONNECTED.set(0)
    bus.start()
    base.store.listen(outbox.TOPIC, sender.wake)
    try:
        yield Messaging(bus, sender, consumers, tasks)
    finally:
        base.store.unlisten(outbox.TOPIC, sender.wake)
        await bus.close()


def _consumer(base: Foundation, bus: Bus, reading: Reading) -> Consumer:
    settings = reading.settings or ConsumerSettings(reading.stream, base.service, reading.filters)
    return Consumer(base.store, bus, base.clock, settings, reading.handlers, watch=CountedConsumer(reading.stream))


def _connected(up: bool) -> None:  # noqa: FBT001 - the bus says so
    metrics.BUS_CONNECTED.set(1 if up else 0)
    if up:
        _log.info("bus_connected")
    else:
        _log.warning("bus_lost")


def _complained(error: Exception) -> None:
    _log.debug("bus_complains", cause=type(error).__name__)
