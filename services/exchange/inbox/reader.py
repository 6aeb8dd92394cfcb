"""Reading an organisation's stream INBOX from any message on, as often as its client asks.

A client owns its cursor, so each read makes a consumer of its own at that place and takes it away again: no state
remains between two calls, and any replica can answer the next one. Only the client's progress is written down, as
the position of the durable consumer `https`: it tells the bus what may be removed when the stream fills up.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
from nats.aio.msg import Msg

from shuniu.kit.events.bus import Bus, BusAwayError, BusError
from shuniu.kit.events.bus_pull import Delivered, delivered
from shuniu.kit.process.ids import new_person_id

STREAM: Final = "INBOX"
FLOOR: Final = "https"
# A consumer whose reader died is gone after this, ns.
_ABANDONED: Final = 30 * 1_000_000_000
# An organisation that changed to another carrier leaves no position behind that would keep its stream full, ns.
_FORGOTTEN: Final = 7 * 86400 * 1_000_000_000
# Bytes of one answer; a message has at most 1 MiB, a response 32.
_MOST_BYTES: Final = 8 * 1024 * 1024
# How long to wait for the next message that the server said is there, s.
NEXT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """A position: everything up to message `seq` was taken, of the stream that was made at the instant `made`."""

    seq: int
    made: str


@dataclass(frozen=True, slots=True)
class StreamNow:
    """The stream as it is. One that was lost and made again has another `made`, whatever its numbers are."""

    first_seq: int
    last_seq: int
    made: str

    @property
    def oldest(self) -> Place:
        """The place before the oldest stored message."""
        return Place(self.first_seq - 1, self.made)

    def knows(self, place: Place) -> bool:
        """Tells whether a place belongs to this stream, and not to one before it or to what a backup set back."""
        return place.made == self.made and place.seq <= self.last_seq


async def look(bus: Bus) -> StreamNow:
    """The organisation's INBOX. Raises BusError."""
    found = await bus.api(f"STREAM.INFO.{STREAM}")
    state = found["state"]
    return StreamNow(int(state["first_seq"]), int(state["last_seq"]), str(found["created"]))


class Interrupted:
    """Ends long polls when the process stops."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Queue[Msg | None]] = set()
        self._over = False

    @contextlib.contextmanager
    def queue(self) -> Any:
        queue: asyncio.Queue[Msg | None] = asyncio.Queue()
        if self._over:
            queue.put_nowait(None)
        self._waiting.add(queue)
        try:
            yield queue
        finally:
            self._waiting.discard(queue)

    def all(self) -> None:
        self._over = True
        for queue in self._waiting:
            queue.put_nowait(None)


async def read(bus: Bus, after: int, limit: int, wait_s: float, interrupted: Interrupted) -> list[Delivered]:
    """Messages after a number, in order; as soon as there is one, [] after `wait_s`. Raises BusError."""
    name = f"poll-{new_person_id()}"
    config = {
        "name": name,
        "ack_policy": "none",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": after + 1,
        "inactive_threshold": _ABANDONED,
    }
    await bus.api(f"CONSUMER.CREATE.{STREAM}.{name}", {"stream_name": STREAM, "config": config})
    try:
        return await _fetch(bus, name, limit, wait_s, interrupted)
    finally:
        with contextlib.suppress(BusError):
            await bus.api(f"CONSUMER.DELETE.{STREAM}.{name}")


async def _fetch(bus: Bus, consumer: str, limit: int, wait_s: float, interrupted: Interrupted) -> list[Delivered]:
    client = bus.client()
    inbox = client.new_inbox()
    request = {"batch": limit, "max_bytes": _MOST_BYTES, "expires": int((wait_s + NEXT_SECONDS) * 1e9)}
    with interrupted.queue() as queue:

        async def arrived(message: Msg) -> None:
            queue.put_nowait(message)

        try:
            subscription = await client.subscribe(inbox, cb=arrived)
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
            await client.publish(subject, json.dumps(request).encode(), reply=inbox)
            try:
                return await _collect(queue, limit, wait_s)
            finally:
                await subscription.unsubscribe()
        except (OSError, nats.errors.Error) as error:
            raise BusAwayError(0, repr(error)) from error


async def _collect(queue: "asyncio.Queue[Msg | None]", limit: int, wait_s: float) -> list[Delivered]:
    found: list[Delivered] = []
    patience = wait_s
    while len(found) < limit:
        try:
            async with asyncio.timeout(patience):
                message = await queue.get()
        except TimeoutError:
            return found
        if message is None:
            return found
        status = (message.headers or {}).get("Status")
        if status is not None:
            # 404 and 408: nothing there; 409: as much as one answer holds.
            return found
        event = delivered(message)
        found.append(event)
        if event.pending == 0:
            return found
        patience = NEXT_SECONDS
    return found


async def set_floor(bus: Bus, seq: int) -> None:
    """Write down that everything up to `seq` was taken. Raises BusError."""
    with contextlib.suppress(BusError):
        await bus.api(f"CONSUMER.DELETE.{STREAM}.{FLOOR}")
    config = {
        "durable_name": FLOOR,
        "name": FLOOR,
        "ack_policy": "explicit",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": seq + 1,
        "inactive_threshold": _FORGOTTEN,
    }
    await bus.api(f"CONSUMER.DURABLE.CREATE.{STREAM}.{FLOOR}", {"stream_name": STREAM, "config": config})


def last_of(messages: Sequence[Delivered], before: int) -> int:
    return messages[-1].seq if messages else before
