"""Reading from a durable consumer: messages are asked for ahead, so that work and network overlap."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shuniu.kit.events.bus import Bus, BusAwayError, BusError

# One request stands this long at the server before it is renewed, s.
_STANDING: Final = 10.0
# Answers of the server that end a request: expired, no message, batch complete.
_ENDED: Final = frozenset({"404", "408", "409"})


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message handed out by the server. ``attempt`` counts from 1; ``seq`` is its number in the stream."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    stream: str
    seq: int
    attempt: int
    pending: int
    reply: str = field(repr=False)


def delivered(message: Msg) -> Delivered:
    """Read the acknowledgement subject (NATS decision record ADR-15, both forms); ValueError when it is none."""
    reply: str = message.reply
    tokens = reply.split(".")
    if len(tokens) < 9 or tokens[1] != "ACK":
        raise ValueError(f"not a JetStream delivery: {reply!r}")
    at = 2 if len(tokens) == 9 else 4
    return Delivered(
        subject=message.subject,
        data=message.data,
        headers=message.headers or {},
        stream=tokens[at],
        seq=int(tokens[at + 3]),
        attempt=int(tokens[at + 2]),
        pending=int(tokens[at + 6]),
        reply=reply,
    )


@dataclass(slots=True)
class Pull:
    """A reader of one durable consumer on one stream. Not to be shared between tasks."""

    bus: Bus
    stream: str
    consumer: str
    _generation: int = -1
    _inbox: str = field(default="", repr=False)
    _subscription: Subscription | None = field(default=None, repr=False)
    _queue: asyncio.Queue[Msg] = field(default_factory=asyncio.Queue, repr=False)
    # Messages asked for and not yet here; 0 means that no request stands.
    _outstanding: int = 0
    _renew_at: float = 0.0

    async def fetch(self, limit: int, wait_s: float) -> list[Delivered]:
        """Up to ``limit`` messages, as soon as there is one; [] after ``wait_s``.

        Raises BusAwayError without a connection and BusError when the consumer is gone.
        """
        client = await self._attached()
        await self._ask(client, limit)
        try:
            async with asyncio.timeout(wait_s):
                first = await self._queue.get()
        except TimeoutError:
            return []
        found = self._take(first)
        while len(found) < limit and not self._queue.empty():
            found += self._take(self._queue.get_nowait())
        return found

    async def close(self) -> None:
        """End the standing request: otherwise messages would still be handed to a reader that is gone."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._generation == self.bus.generation:
            with contextlib.suppress(OSError, nats.errors.Error):
                await subscription.unsubscribe()
        self._generation = -1

    async def ack(self, message: Delivered) -> None:
        """Tell the server that the message is done with; lost on a broken connection, then it comes again."""
        await self._answer(message, b"+ACK")

    async def retry_after(self, message: Delivered, delay_s: float) -> None:
        """Have the message delivered again after a delay."""
        await self._answer(message, b"-NAK " + json.dumps({"delay": int(delay_s * 1e9)}).encode())

    async def working(self, message: Delivered) -> None:
        """Ask the server for another ``ack_wait`` before it delivers the message again."""
        await self._answer(message, b"+WPI")

    async def _answer(self, message: Delivered, verb: bytes) -> None:
        with contextlib.suppress(BusAwayError, OSError, nats.errors.Error):
            await self.bus.client().publish(message.reply, verb)

    async def _attached(self) -> Client:
        client = self.bus.client()
        if self._generation != self.bus.generation:
            generation = self.bus.generation
            queue: asyncio.Queue[Msg] = asyncio.Queue()
            self._queue = queue
            self._outstanding = 0
            self._inbox = client.new_inbox()

            async def arrived(message: Msg) -> None:
                queue.put_nowait(message)

            try:
                self._subscription = await client.subscribe(self._inbox, cb=arrived)
            except (OSError, nats.errors.Error) as error:
                raise BusAwayError(0, repr(error)) from error
            self._generation = generation
        return client

    async def _ask(self, client: Client, limit: int) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._renew_at:
            self._outstanding = 0
        if self._outstanding > limit // 2:
            return
        request = {"batch": limit, "expires": int(_STANDING * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer}"
        try:
            await client.publish(subject, json.dumps(request).encode(), reply=self._inbox)
        except (OSError, nats.errors.Error) as error:
            raise BusAwayError(0, repr(error)) from error
        self._outstanding += limit
        # The server ends the request itself; this is for the answer that was lost.
        self._renew_at = now + _STANDING + 1.0

    def _take(self, message: Msg) -> list[Delivered]:
        headers: Mapping[str, Any] = message.headers or {}
        status = headers.get("Status")
        if status is None:
            self._outstanding = max(0, self._outstanding - 1)
            return [delivered(message)]
        if status in _ENDED:
            left = int(headers.get("Nats-Pending-Messages", self._outstanding))
            self._outstanding = max(0, self._outstanding - left)
            if "Deleted" in str(headers.get("Description", "")):
                raise BusError(int(status), f"consumer {self.consumer} was deleted")
            return []
        if status == "503":
            self._outstanding = 0
            raise BusError(503, f"no consumer {self.consumer} on {self.stream}")
        return []
