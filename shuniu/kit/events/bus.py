"""A service's connection to the bus: it reconnects by itself, publishes durably, and makes streams and consumers.

nats-py gives up for good on any error line of the server (a revoked credential, a server that shuts down) and buffers
what was published while it was away, which tears atomic batches. So each connection here is used once, and this module
makes the next one; whoever published meanwhile gets `BusAwayError` and keeps its rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from nats.nuid import NUID

from shuniu.kit.events.bus_streams import ConsumerSpec, StreamSpec

_CONNECT_SECONDS = 2.0
_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
_PENDING_BYTES = 16 * 1024 * 1024

# JetStream error codes (server/errors.json of nats-server).
STREAM_NAME_IN_USE = 10058
STREAM_NOT_FOUND = 10059
MESSAGE_NOT_FOUND = 10037
MESSAGE_TOO_BIG = 10054
DUPLICATE_IN_BATCH = 10201
# The message itself is at fault: it, or its headers, are larger than the stream takes.
_REFUSED = frozenset({MESSAGE_TOO_BIG, 10097})
# Quota of the account, of the server, of the stream: the receiver must make room.
_FULL = frozenset({10002, 10023, 10028, 10047, 10077})


class BusError(Exception):
    """A request that the bus refused; ``code`` is JetStream's number, 0 where there is none."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{code}: {description}" if code else description)
        self.code = code
        self.description = description


class BusAwayError(BusError):
    """No connection, or no answer in time: whether the bus has it is unknown."""


class NobodyListensError(BusError):
    """No stream takes this subject: the organisation has no INBOX, or the hub does not import it."""


class StreamFullError(BusError):
    """The stream or its account has used its quota."""


class MessageRefusedError(BusError):
    """No stream will ever take this message."""


class DuplicateInBatchError(BusError):
    """A message of the batch is stored already, so the server refused the whole batch (10201)."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to store."""

    subject: str
    data: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """A stream's PubAck: ``seq`` is the last message's number; ``duplicate`` says that it had it before."""

    stream: str
    seq: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class StreamState:
    """State of a stream. A stream that lost its disk starts again at sequence 1."""

    messages: int
    bytes: int
    first_seq: int
    last_seq: int


@dataclass(slots=True)
class Bus:
    """A connection to the bus under one credential. ``start`` returns at once: a service runs without its bus."""

    url: str
    """The server, or those of a cluster with commas between them."""
    creds: str = field(repr=False)
    name: str
    # Called with True and False as the connection comes and goes; for readiness and metrics.
    on_state: Callable[[bool], None] = field(default=lambda _up: None, repr=False)
    # Called with each error the server reports, e.g. a permission violation.
    on_error: Callable[[Exception], None] = field(default=lambda _error: None, repr=False)
    # Called at each new connection: what the bus lost meanwhile is looked for at once.
    _listeners: list[Callable[[], None]] = field(default_factory=list, repr=False)
    _client: Client | None = field(default=None, repr=False)
    _generation: int = 0
    _up: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _down: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _supervisor: asyncio.Task[None] | None = field(default=None, repr=False)
    _ids: NUID = field(default_factory=NUID, repr=False)
    _inbox: str = field(default="", repr=False)
    # Who waits for which answer; all fail at once when the connection goes, instead of each at its timeout.
    _waiting: dict[str, asyncio.Future[Msg]] = field(default_factory=dict, repr=False)
    # Who gathers answers of several servers.
    _gathering: dict[str, asyncio.Queue[bytes]] = field(default_factory=dict, repr=False)

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    @property
    def generation(self) -> int:
        """Counts connections: whoever subscribed under an older number must subscribe again."""
        return self._generation

    def start(self) -> None:
        """Begin to connect and keep doing so until ``close``."""
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise(), name=f"bus {self.name}")

    def listen(self, tell: Callable[[], None]) -> None:
        """Calls `tell` at each new connection."""
        self._listeners.append(tell)

    async def wait_connected(self, timeout_s: float | None = None) -> None:
        """Return once connected; raises BusAwayError after ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise BusAwayError(0, "not connected") from None

    async def close(self) -> None:
        """Send what is pending, then close."""
        supervisor, self._supervisor = self._supervisor, None
        try:
            while supervisor is not None and not supervisor.done():
                # More than once: a connection that is made at this very moment swallows the cancelling.
                supervisor.cancel()
                await asyncio.wait([supervisor], timeout=1)
        finally:
            client, self._client = self._client, None
            self._up.clear()
            self._fail_waiting()
            if client is not None:
                await self._end(client)

    async def _end(self, client: Client) -> None:
        try:
            if not client.is_closed:
                with contextlib.suppress(Exception):
                    await client.flush(2)
        finally:
            await leave(client)

    async def _supervise(self) -> None:
        attempt = 0
        # One server after another, from any one: of three that are there a third of the services begins at each.
        servers = self.url.split(",")
        turns = itertools.cycle(random.sample(servers, len(servers)))
        while True:
            self._down.clear()
            try:
                client = await self._open(next(turns))
            except Exception as error:  # noqa: BLE001 — whatever a server says: who gave up would never connect again
                self.on_error(error)
                await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
                attempt += 1
                continue
            attempt = 0
            self._client = client
            self._generation += 1
            if not client.is_closed:
                self._up.set()
                self.on_state(True)
                for tell in self._listeners:
                    tell()
                await self._down.wait()
            self._up.clear()
            self._fail_waiting()
            self.on_state(False)
            await leave(client)

    def _fail_waiting(self) -> None:
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(BusAwayError(0, "connection lost"))
        self._waiting.clear()

    async def _answered(self, message: Msg) -> None:
        if (gathered := self._gathering.get(message.subject)) is not None:
            gathered.put_nowait(message.data)
            return
        waiter = self._waiting.pop(message.subject, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(message)

    async def _open(self, url: str) -> Client:
        client = Client()

        async def closed() -> None:
            if client is self._client or self._client is None:
                self._up.clear()
                self._down.set()

        async def failed(error: Exception) -> None:
            self.on_error(error)

        try:
            await client.connect(
                url,
                name=self.name,
                user_credentials=RawCredentials(self.creds),
                allow_reconnect=False,
                connect_timeout=int(_CONNECT_SECONDS),
                pending_size=_PENDING_BYTES,
                # A dead peer without a reset is found within 2 × 10 s.
                ping_interval=10,
                max_outstanding_pings=2,
                closed_cb=closed,
                error_cb=failed,
            )
            self._inbox = client.new_inbox()
            await client.subscribe(f"{self._inbox}.*", cb=self._answered)
        except BaseException:
            await leave(client)
            raise
        return client

    def client(self) -> Client:
        """The connection in use now, for subscriptions; raises BusAwayError without one."""
        if self._client is None or not self._up.is_set():
            raise BusAwayError(0, "not connected")
        return self._client

    async def _exchange(self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout_s: float) -> Msg:
        client = self.client()
        reply = f"{self._inbox}.{self._ids.next().decode()}"
        waiter: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = waiter
        try:
            async with asyncio.timeout(timeout_s):
                await client.publish(subject, data, reply=reply, headers=dict(headers) if headers else None)
                answer = await waiter
        except nats.errors.MaxPayloadError as error:
            raise MessageRefusedError(MESSAGE_TOO_BIG, "message larger than the bus allows") from error
        except (TimeoutError, OSError, nats.errors.Error) as error:
            raise BusAwayError(0, f"no answer on {subject}: {error!r}") from error
        finally:
            self._waiting.pop(reply, None)
        if not answer.data and answer.headers and answer.headers.get("Status") == "503":
            raise NobodyListensError(0, f"nobody listens on {subject}")
        return answer

    async def request(self, subject: str, data: bytes = b"", *, timeout_s: float = 5) -> bytes:
        """One request and its answer, as bytes. Raises NobodyListensError and BusAwayError."""
        return bytes((await self._exchange(subject, data, None, timeout_s)).data)

    async def request_all(
        self, subject: str, data: bytes = b"", *, quiet_s: float = 0.5, timeout_s: float = 5
    ) -> list[bytes]:
        """One request and the answers of all who give one: until none came for `quiet_s` after the last. Raises
        BusAwayError where none came.
        """
        client = self.client()
        reply, answers = f"{self._inbox}.{self._ids.next().decode()}", asyncio.Queue[bytes]()
        self._gathering[reply] = answers
        found: list[bytes] = []
        try:
            await client.publish(subject, data, reply=reply)
            while True:
                async with asyncio.timeout(quiet_s if found else timeout_s):
                    found.append(await answers.get())
        except TimeoutError as error:
            if not found:
                raise BusAwayError(0, f"no answer on {subject}") from error
            return found
        except (OSError, nats.errors.Error) as error:
            raise BusAwayError(0, f"no answer on {subject}: {error!r}") from error
        finally:
            del self._gathering[reply]

    async def api(self, call: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = 5) -> dict[str, Any]:
        """One JetStream API call (the subject behind ``$JS.API.``); raises BusError with the server's code."""
        answer = await self.request(f"$JS.API.{call}", _json(body), timeout_s=timeout_s)
        parsed: dict[str, Any] = json.loads(answer)
        if error := parsed.get("error"):
            raise _refusal(error)
        return parsed

    async def publish(self, message: Outgoing, *, timeout_s: float = 5) -> Stored:
        """Store one message; returned once the stream's PubAck is here, which with sync_interval means: on disk."""
        answer = await self._exchange(message.subject, message.data, message.headers, timeout_s)
        return _stored(answer.data)

    async def publish_batch(self, messages: Sequence[Outgoing], *, timeout_s: float = 10) -> Stored:
        """Store all messages or none, in one durable step; ``seq`` is the last one's number.

        Headers ``Nats-Batch-*`` (NATS decision record ADR-50). All subjects must belong to one stream. Raises
        DuplicateInBatchError when one of them is stored already.
        """
        if len(messages) == 1:
            return await self.publish(messages[0], timeout_s=timeout_s)
        client = self.client()
        batch = self._ids.next().decode()
        try:
            for number, message in enumerate(messages[:-1], start=1):
                headers = {**message.headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
                await client.publish(message.subject, message.data, headers=headers)
        except nats.errors.MaxPayloadError as error:
            raise MessageRefusedError(MESSAGE_TOO_BIG, "message larger than the bus allows") from error
        except (OSError, nats.errors.Error) as error:
            raise BusAwayError(0, f"connection lost: {error!r}") from error
        last = messages[-1]
        commit = {
            **last.headers,
            "Nats-Batch-Id": batch,
            "Nats-Batch-Sequence": str(len(messages)),
            "Nats-Batch-Commit": "1",
        }
        answer = await self._exchange(last.subject, last.data, commit, timeout_s)
        return _stored(answer.data)

    async def ensure_stream(self, spec: StreamSpec) -> StreamState:
        """Make the stream, or bring an existing one to the specification."""
        config = spec.config()
        try:
            made = await self.api(f"STREAM.CREATE.{spec.name}", {**config, "first_seq": spec.first_seq})
        except BusError as error:
            if error.code != STREAM_NAME_IN_USE:
                raise
            made = await self.api(f"STREAM.UPDATE.{spec.name}", config)
        return _state(made)

    async def stream_state(self, name: str) -> StreamState | None:
        """Returns the state of the stream; None when it does not exist."""
        try:
            return _state(await self.api(f"STREAM.INFO.{name}"))
        except BusError as error:
            if error.code == STREAM_NOT_FOUND:
                return None
            raise

    async def ensure_consumer(self, stream: str, spec: ConsumerSpec) -> None:
        """Make the durable consumer, or bring an existing one to the specification; its position stays."""
        body = {"stream_name": stream, "config": spec.config()}
        # The form without filter in the subject takes any number of filters in its body.
        await self.api(f"CONSUMER.DURABLE.CREATE.{stream}.{spec.name}", body)

    async def stored_message(self, stream: str, seq: int) -> dict[str, Any] | None:
        """A message by its number: subject, hdrs, data (both base64); None when it is no longer there."""
        try:
            found = await self.api(f"STREAM.MSG.GET.{stream}", {"seq": seq})
        except BusError as error:
            if error.code == MESSAGE_NOT_FOUND:
                return None
            raise
        message: dict[str, Any] = found["message"]
        return message


async def leave(client: Client) -> None:
    """Close a connection for good, in whatever state nats-py has it.

    nats-py counts a connection as closed before its socket is: one that the server refused, one whose own closing was
    cut short, one whose peer is gone with bytes unsent all keep theirs open. Cancelled or not, the socket is closed.
    """
    try:
        with contextlib.suppress(Exception):
            await client.close()
    finally:
        transport: Any = client._transport  # noqa: SLF001 - there is no other way to it
        if writer := getattr(transport, "_io_writer", None):
            writer.transport.abort()
        elif transport:
            transport.close()


def _json(body: Mapping[str, Any] | None) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def _refusal(error: Mapping[str, Any]) -> BusError:
    code, description = int(error.get("err_code", 0)), str(error.get("description", ""))
    if code == DUPLICATE_IN_BATCH:
        return DuplicateInBatchError(code, description)
    if code in _FULL:
        return StreamFullError(code, description)
    if code in _REFUSED:
        return MessageRefusedError(code, description)
    return BusError(code, description)


def _stored(answer: bytes) -> Stored:
    ack = json.loads(answer)
    if error := ack.get("error"):
        raise _refusal(error)
    return Stored(stream=ack["stream"], seq=int(ack["seq"]), duplicate=bool(ack.get("duplicate", False)))


def _state(answer: Mapping[str, Any]) -> StreamState:
    state = answer["state"]
    return StreamState(
        messages=int(state["messages"]),
        bytes=int(state["bytes"]),
        first_seq=int(state["first_seq"]),
        last_seq=int(state["last_seq"]),
    )
