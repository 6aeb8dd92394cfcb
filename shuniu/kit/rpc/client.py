"""The only place where a channel is built: always a deadline, retries only where they are safe, errors as HubError."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
from google.rpc import error_details_pb2, status_pb2
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from shuniu.kit.crypto import pem_files
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.config import ConfigError
from shuniu.kit.rpc.options import KEEPALIVE, MAX_MESSAGE
from shuniu.kit.rpc.sockets import peer_address
from shuniu.kit.rpc.wire import DETAILS_HEADER
from shuniu.rules import Violation

_LEAVE_SECONDS = 30.0
"""Longest time for calls on a channel with old certificates to end."""
_FIRST_PAUSE = 0.02
"""Before a call is asked again for the first time, s."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Certificates for a TCP peer."""

    certificate: Path
    key: Path
    roots: Path


def channel(address: str, *, service: str, tls: ClientTls | None = None) -> grpc.aio.Channel:
    """A channel to another process of this hub at its peer address. `service` names the caller, who has a socket of its
    own there; over TCP its certificate proves who it is. Make one and keep it.
    """
    return socket_channel(peer_address(address, service), tls=tls)


def socket_channel(address: str, *, tls: ClientTls | None = None) -> grpc.aio.Channel:
    """A channel to exactly this address."""
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
        # A peer that restarts is there again within seconds: look often.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # A pool of its own for each channel, so that closing one never disturbs another.
        ("grpc.use_local_subchannel_pool", 1),
        *KEEPALIVE,
    ]
    if tls is None:
        if not address.startswith("unix:"):
            raise ValueError(f"{address}: a TCP peer needs TLS")
        # The authority of a Unix socket would be its path, which Envoy and others refuse.
        options.append(("grpc.default_authority", "localhost"))
        return _Limited(grpc.aio.insecure_channel(address, options=options))

    def build() -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            pem_files.certificates_pem(tls.roots, "tls_roots"),
            pem_files.key_pem(tls.key, "tls_key"),
            pem_files.certificates_pem(tls.certificate, "tls_certificate"),
        )
        return grpc.aio.secure_channel(address, credentials, options=options)

    return _Limited(_Renewed(build, (tls.certificate, tls.key, tls.roots)))


class _Around(grpc.aio.Channel):
    """A channel around another, whose state and life it shares; what calls mean is a subclass's."""

    _channel: grpc.aio.Channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 — gRPC's own form
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()


class _Renewed(_Around):
    """A channel that is rebuilt when its certificates change; calls under way end on the old one.

    gRPC reads a client's certificates once, and stubs keep their channel: so the channel changes behind them.
    """

    def __init__(self, build: Callable[[], grpc.aio.Channel], files: Sequence[Path]) -> None:
        self._build = build
        self._files = files
        self._stamp: tuple[int, ...] = ()
        # One that is not there is told by who reads it.
        with contextlib.suppress(OSError):
            self._stamp = self._stamps()
        self._channel = build()
        self._leaving: set[asyncio.Task[None]] = set()

    def _stamps(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._files)

    def _now(self) -> grpc.aio.Channel:
        # A file that is being replaced may be absent for a moment: what is known still works.
        with contextlib.suppress(OSError, ConfigError):
            stamp = self._stamps()
            if stamp != self._stamp:
                before, self._channel, self._stamp = self._channel, self._build(), stamp
                leaving = asyncio.ensure_future(before.close(_LEAVE_SECONDS))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
        return self._channel

    def _callable(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        made: dict[grpc.aio.Channel, Any] = {}

        def call(*args: Any, **kwargs: Any) -> Any:
            channel = self._now()
            if channel not in made:
                made.clear()
                made[channel] = getattr(channel, kind)(*arguments, **options)
            return made[channel](*args, **kwargs)

        return call

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._callable("unary_unary", args, kwargs)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._callable("unary_stream", args, kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._callable("stream_unary", args, kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._callable("stream_stream", args, kwargs)

    async def close(self, grace: float | None = None) -> None:
        await asyncio.gather(self._channel.close(grace), *self._leaving)


class _Limited(_Around):
    """Sets a deadline on calls without one.

    No interceptor: gRPC would run each call in a task of its own, at half the cost of the call itself.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        inner = self._channel.unary_unary(*args, **kwargs)

        def call(request: Any, *, timeout: float | None = None, **rest: Any) -> Any:
            return inner(request, timeout=timeout or 10.0, **rest)

        return call

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel.unary_stream(*args, **kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel.stream_unary(*args, **kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel.stream_stream(*args, **kwargs)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)


def error_of(failure: grpc.aio.AioRpcError) -> HubError:
    """The HubError behind a failed call, with its details, so that a service can pass it on."""
    raw = dict(failure.trailing_metadata() or ()).get(DETAILS_HEADER)
    if not isinstance(raw, bytes):
        return _without_details(failure)
    code = Code(failure.code().value[0])
    status = status_pb2.Status.FromString(raw)
    info, localized, bad = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.LocalizedMessage(),
        error_details_pb2.BadRequest(),
    )
    for detail in status.details:
        for kind in (info, localized, bad):
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(kind)
    return HubError(
        code,
        info.reason or code.name,
        status.message,
        localized.message or "请稍后重试。",
        metadata=dict(info.metadata),
        violations=[
            Violation(entry.field, entry.reason, entry.description, entry.localized_message.message)
            for entry in bad.field_violations
        ],
    )


def _without_details(failure: grpc.aio.AioRpcError) -> HubError:
    """The error of what gRPC itself reports. Who cancels his own call hears CancelledError, so CANCELLED comes of a
    process that ended before it answered: it is UNAVAILABLE, as a process that is not there.
    """
    en, zh = "The other service cannot answer at the moment; retry.", "对方服务暂时无法处理，请稍后重试。"
    match failure.code():
        case grpc.StatusCode.CANCELLED:
            return HubError(Code.UNAVAILABLE, Code.UNAVAILABLE.name, en, zh)
        case grpc.StatusCode.UNKNOWN | grpc.StatusCode.OK:
            return HubError(Code.INTERNAL, Code.INTERNAL.name, en, zh)
        case known:
            code = Code(known.value[0])
            return HubError(code, code.name, failure.details() or en, zh)


async def ask(call: Callable[..., Any], request: Any, *, timeout: float = 10.0) -> Any:
    """One attempt. Raises HubError."""
    try:
        return await call(request, timeout=timeout)
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from None


async def ask_again(call: Callable[..., Any], request: Any, *, within: float = 10.0) -> Any:
    """Retries UNAVAILABLE with back-off for `within` seconds in all. For idempotent calls only. Raises HubError."""
    try:
        return await ask(call, request, timeout=within)
    except HubError as error:
        if error.code is not Code.UNAVAILABLE:
            raise
    await asyncio.sleep(_FIRST_PAUSE)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, HubError) and error.code is Code.UNAVAILABLE),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        stop=stop_after_delay(within),
        reraise=True,
    ):
        with attempt:
            return await ask(call, request, timeout=within)
    raise asyncio.CancelledError  # pragma: no cover — AsyncRetrying either returns or raises
