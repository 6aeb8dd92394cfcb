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

import aiohttp
import httpx
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from examples.hub_client.credentials import Credentials, Hub
from examples.hub_client.session import Session, request_id
from shuniu.api.common.v1 import receipt_pb2

CONNECT_SECONDS = 10.0


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
        # Raises FileNotFoundError for a credential that is absent: no retry would help.
        self._credentials.creds_file.stat()
        # A connection that fails is replaced: nats-py's own reconnecting can leave one that is open and reads nothing.
        pause = 0.25
        while not self._closing:
            self._client = Client()
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._connect()
                pause = 0.25
                await self._read(handler)
            except (nats.errors.Error, aiohttp.ClientError, OSError):
                await asyncio.sleep(pause)
                # A credential that is refused stays refused for a while.
                pause = min(2 * pause, 4.0)
            finally:
                await self._leave()

    async def _connect(self) -> None:
        options: dict[str, Any] = {"tls": self._tls} if self._tls else {}
        await self._client.connect(
            self._url,
            user_credentials=str(self._credentials.creds_file),
            allow_reconnect=False,
            # A peer that is gone without a word is noticed within 2 × 10 s.
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=_ignore,
            name=self._credentials.code,
            **options,
        )

    async def _read(self, handler: Handler) -> None:
        """Reads until the connection or the consumer is gone."""
        if self._closing:
            return
        stream = self._client.jetstream(timeout=10)
        name = self._credentials.code
        try:
            await stream.consumer_info("INBOX", name)
        except NotFoundError:
            consumer = ConsumerConfig(
                durable_name=name, ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.ALL, ack_wait=30
            )
            await stream.add_consumer("INBOX", consumer)
        subscription = await stream.pull_subscribe_bind(name, "INBOX")
        while not self._closing:
            try:
                messages = await subscription.fetch(64, timeout=5)
            except TimeoutError:
                continue
            for message in messages:
                await self._take(message, handler)

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
        await self._leave()

    async def _leave(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CONNECT_SECONDS):
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
    """Errors are raised where an answer is waited for, too."""
