"""ProviderService: the provider's end of a question."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import Connection

from services.exchange.directory import store as directory_store
from services.exchange.directory.refusals import not_owned
from services.exchange.queries.streams import ProviderStreams, Stream
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import current_caller

HELLO_SECONDS: Final = 10.0
"""Longest silence of a fresh stream."""
MAX_RESOURCES: Final = 100
MAX_WINDOW: Final = 1000


class ProviderService(query_pb2_grpc.ProviderServiceServicer):
    """Streams that providers open outward."""

    def __init__(self, base: Foundation, streams: ProviderStreams) -> None:
        self._base = base
        self._streams = streams

    async def Serve(
        self, request_iterator: AsyncIterator[pb.ServeRequest], context: Any
    ) -> AsyncIterator[pb.ServeResponse]:
        # Cut by the server's guard when the provider is suspended: the cancellation ends it here.
        provider = current_caller().platform
        hello = await _hello(request_iterator)
        await self._base.write(self._admit, provider, frozenset(hello.resources))
        stream = self._streams.open(provider, frozenset(hello.resources), hello.window)
        reading = asyncio.create_task(self._read_answers(request_iterator, stream), name=f"answers of {provider}")
        try:
            async for question in stream.questions():
                yield question
        finally:
            self._streams.close(stream)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading

    async def _read_answers(self, request_iterator: AsyncIterator[pb.ServeRequest], stream: Stream) -> None:
        try:
            async for message in request_iterator:
                if message.WhichOneof("message") == "answer":
                    self._streams.answered(stream, message.answer)
        finally:
            stream.end()

    def _admit(self, conn: Connection, provider: str, codes: frozenset[str]) -> None:
        for code in sorted(codes):
            found = directory_store.find_resource(conn, code)
            if found is None or found.provider != provider:
                raise not_owned()
        self._base.audit(conn, "Serve", f"platform/{provider}", resources=" ".join(sorted(codes))[:1000])


async def _hello(request_iterator: AsyncIterator[pb.ServeRequest]) -> pb.ServeHello:
    """The first message. Raises INVALID_ARGUMENT, DEADLINE_EXCEEDED HELLO_MISSING."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            first = await anext(request_iterator, None)
    except TimeoutError:
        raise HubError(
            Code.DEADLINE_EXCEEDED, "HELLO_MISSING", "Send the hello message first.", "请首先发送 hello 消息。"
        ) from None
    if first is None or first.WhichOneof("message") != "hello":
        raise errors.invalid_field("hello", "HELLO_MISSING", "Send the hello message first.", "请首先发送 hello 消息。")
    hello = first.hello
    if not 0 < len(hello.resources) <= MAX_RESOURCES:
        raise errors.invalid_field(
            "hello.resources",
            "RESOURCES_COUNT",
            f"1 to {MAX_RESOURCES} resources.",
            f"资源应为 1 至 {MAX_RESOURCES} 个。",
        )
    if not 0 < hello.window <= MAX_WINDOW:
        raise errors.invalid_field(
            "hello.window", "VALUE_RANGE", f"A window is 1 to {MAX_WINDOW}.", f"窗口应为 1 至 {MAX_WINDOW}。"
        )
    return hello
