"""The two services that web asks, each call carrying the request's id and trace."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from gateway.web.config import Web
from shuniu.api.esign.v1 import esign_pb2_grpc, licence_pb2_grpc, timestamp_pb2_grpc
from shuniu.api.identity.v1 import signin_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc import client
from shuniu.kit.rpc.network import SENDER_HEADER

# Passed on as they came, so that one request can be followed through the hub, and people behind the pages have turns
# of their own.
_FOLLOWED = ("x-request-id", "traceparent")


@dataclass(frozen=True, slots=True)
class Peers:
    """Stubs of identity and esign."""

    sign_in: Any
    open_id: Any
    verification: Any
    licences: Any
    timestamps: Any
    revocation: Any


@contextlib.asynccontextmanager
async def connect(settings: Web) -> AsyncIterator[Peers]:
    channels = {}
    for service in ("identity", "esign"):
        address = settings.peer(service)
        tls = None if address.startswith("unix:") else settings.web.client_tls()
        channels[service] = client.channel(address, service="web", tls=tls)
    try:
        yield Peers(
            signin_pb2_grpc.SignInServiceStub(channels["identity"]),
            signin_pb2_grpc.OpenIdServiceStub(channels["identity"]),
            esign_pb2_grpc.VerificationServiceStub(channels["esign"]),
            licence_pb2_grpc.LicenceCredentialServiceStub(channels["esign"]),
            timestamp_pb2_grpc.TimestampServiceStub(channels["esign"]),
            timestamp_pb2_grpc.RevocationServiceStub(channels["esign"]),
        )
    finally:
        for channel in channels.values():
            await channel.close()


async def ask(request: Request, call: Any, message: Any, *, seconds: float = 10.0) -> Any:
    """One attempt, for what must not be repeated. Raises HubError."""
    return await client.ask(_followed(request, call), message, timeout=seconds)


async def ask_again(request: Request, call: Any, message: Any, *, seconds: float = 8.0) -> Any:
    """Repeats while the service is away, for reads and for what carries a request id. Raises HubError."""
    return await client.ask_again(_followed(request, call), message, within=seconds)


async def ask_through_restart(request: Request, call: Any, message: Any, *, seconds: float) -> Any:
    """One attempt of at most `seconds` that carries a request id; repeated for a while only if nobody took the call.

    What a service itself calls UNAVAILABLE (somebody behind it is away) is told at once. Raises HubError.
    """
    try:
        return await ask(request, call, message, seconds=seconds)
    except HubError as error:
        # An answer of a service names its own reason; a lost connection has none but the code.
        if error.code is not Code.UNAVAILABLE or error.reason != Code.UNAVAILABLE.name:
            raise
    return await ask_again(request, call, message)


def sender_of(request: Request) -> str:
    """The sender whose turn a request takes: as the edge says, else by the address that the connection comes from."""
    return request.headers.get(SENDER_HEADER) or (request.client.host if request.client else "")


async def while_there(request: Request, asked: Coroutine[Any, Any, Any]) -> Any:
    """The answer; nobody goes on working for a browser that left. `request` has been read to its end. Raises HubError,
    CANCELLED CALLER_LEFT when the browser left.
    """
    asking, leaving = asyncio.ensure_future(asked), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise HubError(Code.CANCELLED, "CALLER_LEFT", "The caller left before the answer.", "请求方已离开。")
        return asking.result()
    finally:
        asking.cancel()
        leaving.cancel()
        await asyncio.wait({asking, leaving})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _followed(request: Request, call: Any) -> Any:
    metadata = [(name, request.headers[name]) for name in _FOLLOWED if name in request.headers]
    if sender := sender_of(request):
        metadata.append((SENDER_HEADER, sender))
    return functools.partial(call, metadata=metadata)
