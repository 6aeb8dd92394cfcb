"""One loop for every reader of a stream: its consumer is made sure of after each connect, failures are retried."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from shuniu.kit.errors import HubError
from shuniu.kit.events.bus import Bus, BusAwayError, BusError
from shuniu.kit.events.bus_pull import Delivered, Pull
from shuniu.kit.events.bus_streams import ConsumerSpec

_log = structlog.get_logger(__name__)
_PATIENCE_S: Final = 5.0
_UNCONNECTED_S: Final = 0.05
_DELAY_S: Final = 0.5

Take = Callable[[Pull, Sequence[Delivered], int], Awaitable[int]]
"""Handles and acknowledges what was fetched; gets how many were asked for, returns how many to ask for next."""


async def follow(bus: Bus, stream: str, spec: ConsumerSpec, take: Take, *, first: int) -> None:
    """Task: reads until cancelled; waits while store or bus is unavailable. `first`: how many to ask for after a
    connect.
    """
    pull = Pull(bus, stream, spec.name)
    try:
        await _follow(pull, spec, take, first)
    finally:
        await pull.close()


async def _follow(pull: Pull, spec: ConsumerSpec, take: Take, first: int) -> None:
    generation, limit = -1, first
    while True:
        try:
            await pull.bus.wait_connected()
            if generation != pull.bus.generation:
                generation, limit = pull.bus.generation, first
                await pull.bus.ensure_consumer(pull.stream, spec)
            messages = await pull.fetch(limit, wait_s=_PATIENCE_S)
            if messages:
                limit = await take(pull, messages, limit)
        except BusAwayError:
            await asyncio.sleep(_UNCONNECTED_S)
        except (BusError, HubError) as error:
            generation = -1
            _log.warning("reader_delayed", stream=pull.stream, durable=spec.name, cause=str(error))
            await asyncio.sleep(_DELAY_S)
