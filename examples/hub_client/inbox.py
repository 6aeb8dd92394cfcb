"""Events of a platform, by the carrier it can use: the bus over TCP or WebSocket, or HTTPS long polling.

All three bring the same events with the same ids, and take the same receipts.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import nats
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from examples.hub_client.credentials import Credentials, Hub
from examples.hub_client.session import Session, request_id
from shuniu.api.common.v1 import receipt_pb2


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it came. `place` is its position in the inbox."""

    id: str
    type: str
    subject: str
    data: bytes
    place: str

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.data).digest()


Handler = Callable[[Event], Awaitable[None]]
"""Stores the event's effect; the receipt leaves only after it returned."""


class Inbox(Protocol):
    """A carrier."""

    async def run(self, handler: Handler) -> None:
        """Hands every event to the handler, for ever; asks again after any failure."""

    async def close(self) -> None: ...


class BusInbox:
    """Over NATS with nothing but the credentials file: a durable consumer on INBOX of the platform's account."""

    def __init__(self, hub: Hub, credentials: Credentials, *, websocket: bool = False) -> None:
        self._url = hub.bus_websocket_url if websocket else f"nats://{hub.bus}"
        self._tls = hub.tls() if websocket else None
        self._credentials = credentials
        self._client: Any = None
        # Cancelling alone may be lost inside a fetch that ends at that moment.
        self._closing = False

    async def run(self, handler: Handler) -> None:
        options: dict[str, Any] = {"tls": self._tls} if self._tls else {}
        self._client = await nats.connect(
            self._url,
            user_credentials=str(self._credentials.creds_file),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            error_cb=_ignore,
            name=self._credentials.code,
            **options,
        )
        stream = self._client.jetstream(timeout=10)
        name = self._credentials.code
        consumer = ConsumerConfig(
            durable_name=name, ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.ALL, ack_wait=30
        )
        while not self._closing:
            try:
                try:
                    await stream.consumer_info("INBOX", name)
                except NotFoundError:
                    await stream.add_consumer("INBOX", consumer)
                subscription = await stream.pull_subscribe_bind(name, "INBOX")
                while not self._closing:
                    with contextlib.suppress(nats.errors.TimeoutError, asyncio.TimeoutError):
                        for message in await subscription.fetch(64, timeout=5):
                            await self._take(message, handler)
            except (nats.errors.Error, OSError):
                await asyncio.sleep(0.25)

    async def _take(self, message: Msg, handler: Handler) -> None:
        headers = message.headers or {}
        place = str(message.metadata.sequence.stream)
        event = Event(headers["ce-id"], headers["ce-type"], headers.get("ce-subject", ""), message.data, place)
        await handler(event)
        receipt = receipt_pb2.Receipt(event_id=event.id, sha256=event.sha256)
        receipt.stored_at.FromDatetime(dt.datetime.now(dt.UTC))
        # Answered once the hub has it on disk: one that is lost on the way comes again with its event.
        await self._client.request("submit.receipt", receipt.SerializeToString(), timeout=10)
        await message.ack()

    async def close(self) -> None:
        self._closing = True
        if self._client is not None:
            await self._client.close()


class HttpsInbox:
    """Over HTTPS alone: long poll with a cursor, then receipts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def run(self, handler: Handler) -> None:
        cursor = ""
        while True:
            try:
                answer = await self._session.http.get(
                    "/v1/inbox",
                    params={"cursor": cursor, "maxEvents": 64, "waitSeconds": 20},
                    headers={"authorization": f"Bearer {await self._session.token()}"},
                    timeout=40,
                )
                answer.raise_for_status()
                page = answer.json()
                receipts = []
                for row in page.get("events", []):
                    event = _event(row)
                    await handler(event)
                    receipts.append({"eventId": event.id, "sha256": event.sha256.hex()})
                if receipts:
                    sent = await self._session.http.post(
                        "/v1/inbox:ack",
                        json={"requestId": request_id(), "receipts": receipts},
                        headers={"authorization": f"Bearer {await self._session.token()}"},
                    )
                    sent.raise_for_status()
                cursor = page.get("cursor", cursor)
            except (httpx.HTTPError, OSError, RuntimeError):
                await asyncio.sleep(0.5)

    async def close(self) -> None: ...


def _event(row: dict[str, Any]) -> Event:
    return Event(row["id"], row["type"], row.get("subject", ""), base64.b64decode(row.get("data", "")), row["id"])


async def _ignore(_error: Exception) -> None:
    """The client reconnects by itself."""
