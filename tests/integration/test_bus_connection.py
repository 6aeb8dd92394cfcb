"""A connection to the bus ends with its socket closed, whatever interrupts its end."""

import asyncio
import contextlib

import pytest

from tests.support.bus_land import bus_land


@pytest.fixture
async def land():
    async with bus_land() as it:
        yield it


async def test_a_close_cut_short_at_any_step_leaves_no_open_socket(land):
    """Whoever closes is cancelled after so many turns of the loop: the socket is closed all the same."""
    for ticks in range(1, 17):
        bus = await land.service("exchange")
        writer = bus.client()._transport._io_writer
        closing = asyncio.create_task(bus.close())
        for _ in range(ticks):
            await asyncio.sleep(0)
        closing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await closing
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert writer.transport.get_extra_info("socket").fileno() == -1, ticks


async def test_a_close_beside_the_servers_end_leaves_no_open_socket(land):
    """The server goes while the connection is being closed: nats-py's own closing and ours do not trip each other."""
    for ticks in range(4):
        bus = await land.service("exchange")
        writer = bus.client()._transport._io_writer
        dying = asyncio.create_task(land.server.kill())
        for _ in range(ticks):
            await asyncio.sleep(0)
        await bus.close()
        await dying
        assert writer.transport.get_extra_info("socket").fileno() == -1, ticks
        await land.server.start()
