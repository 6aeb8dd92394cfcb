"""Passes questions to the replica that holds a stream of their provider."""

import asyncio
import random
from collections import OrderedDict
from typing import Final

import grpc

from services.exchange import metrics
from services.exchange.queries import store
from services.exchange.queries.streams import (
    LEFT_ALONE,
    provider_away,
    provider_busy,
    provider_slow,
)
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc import client

ON_THE_WAY_SECONDS: Final = 0.1
"""Time by which a forwarded call's deadline is later than its question's, so that the other replica's error arrives."""
_CONNECT_SECONDS: Final = 1.0
"""Longest time to reach a replica: the machine of one that died may answer nothing at all."""
_LEAVE_SECONDS: Final = 30.0
"""Longest time for calls on a channel that is closed to end."""
_MOST_CHANNELS: Final = 32
_BUSY: Final = "PROVIDER_BUSY"


class Forwarding:
    """Asks providers over the streams of other replicas. `address`: of this replica's own peer port."""

    def __init__(self, base: Foundation, address: str) -> None:
        self._base = base
        self._address = address
        # Most recently used last.
        self._channels: OrderedDict[str, grpc.aio.Channel] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def ask(self, question: pb.ServeResponse, provider: str, deadline: float) -> pb.ServeAnswer:
        """The provider's answer. `deadline` in loop time.

        Raises UNAVAILABLE PROVIDER_AWAY when no other replica holds a stream, else what the replicas say:
        PROVIDER_STALLED, PROVIDER_BUSY, DEADLINE_EXCEEDED PROVIDER_SLOW.
        """
        addresses = await self._base.store.read(
            store.addresses_with_stream, provider, question.resource, self._base.writer
        )
        # One that was here before this process may have its address.
        others = [each for each in addresses if each != self._address]
        random.shuffle(others)
        refusals: dict[str, HubError] = {}
        for address in others:
            try:
                answer = await self._forward(address, question, provider, deadline)
            except HubError as error:
                metrics.QUESTIONS_FORWARDED.labels(error.reason).inc()
                if error.reason not in {*LEFT_ALONE, _BUSY}:
                    raise
                refusals[error.reason] = error
            else:
                metrics.QUESTIONS_FORWARDED.labels("OK").inc()
                return answer
        raise refusals.get(_BUSY) or refusals.get("PROVIDER_STALLED") or provider_away()

    async def _forward(
        self, address: str, question: pb.ServeResponse, provider: str, deadline: float
    ) -> pb.ServeAnswer:
        loop = asyncio.get_running_loop()
        channel = self._channel(address)
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + _CONNECT_SECONDS)):
                await _connected(channel)
        except TimeoutError:
            raise provider_away() from None
        request = pb.AskProviderRequest(provider=provider, question=question)
        call = query_pb2_grpc.ProviderStreamServiceStub(channel).AskProvider
        left = max(0.0, deadline - loop.time())
        try:
            response: pb.AskProviderResponse = await client.ask(call, request, timeout=left + ON_THE_WAY_SECONDS)
        except HubError as error:
            raise _refusal(error) from None
        return response.answer

    def _channel(self, address: str) -> grpc.aio.Channel:
        if address not in self._channels:
            tls = None if address.startswith("unix:") else self._base.settings.client_tls()
            self._channels[address] = client.channel(address, service=self._base.service, tls=tls)
        self._channels.move_to_end(address)
        if len(self._channels) > _MOST_CHANNELS:
            _, oldest = self._channels.popitem(last=False)
            task = asyncio.create_task(oldest.close(_LEAVE_SECONDS), name="close channel")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return self._channels[address]

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._channels.values()), *self._closing)


def _refusal(error: HubError) -> HubError:
    """Translates an error of another replica, or of the way there, into the one that the asker hears."""
    if error.reason.startswith("PROVIDER_"):
        return error
    if error.code is Code.DEADLINE_EXCEEDED:
        return provider_slow()
    if error.code is Code.RESOURCE_EXHAUSTED:
        return provider_busy()
    # It died: as when a stream is lost, the question goes to another one.
    return provider_away() if error.code is Code.UNAVAILABLE else error


async def _connected(channel: grpc.aio.Channel) -> None:
    """Returns once the channel is connected. Raises PROVIDER_AWAY when nobody listens at its address, where gRPC would
    go on trying.
    """
    while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            raise provider_away()
        await channel.wait_for_state_change(state)
