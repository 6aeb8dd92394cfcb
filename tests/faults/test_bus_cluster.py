"""Three servers of the bus: one of them may die at any time."""

import asyncio
import contextlib

import pytest

from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store
from shuniu.kit.testing import eventually
from tests.support.bus_land import cluster_land
from tests.support.outbox import counts, emitted, kit_store

CLOCK = SystemClock()


def emit(conn, count):
    for _ in range(count):
        emitted(conn, CLOCK, ("150100-ga",), topic="exchange.case.submitted")


async def stored(store: Store, number: int) -> bool:
    found = {(row.target, row.state): row.deliveries for row in await store.read(counts)}
    return found.get(("150100-ga", "STORED"), 0) + found.get(("150100-ga", "RECEIPTED"), 0) == number


@pytest.mark.timeout(120)
async def test_a_server_dies_and_nothing_is_lost(tmp_path) -> None:
    """Each INBOX stands on all three servers and is seen once; while one of them is dead events are sent and read, and
    it catches up when it is back.
    """
    async with cluster_land() as (land, servers), kit_store(f"sqlite:///{tmp_path}/exchange.db", CLOCK) as store:
        credential = await land.enrol("150100-ga")
        [inbox] = (await land.admin._inboxes()).values()
        assert inbox["config"]["num_replicas"] == 3
        leader = inbox["cluster"]["leader"]
        relay = Relay(
            store, await land.service("exchange"), CLOCK, RelaySettings(area="exchange", holder="test", replicas=3)
        )
        running = asyncio.create_task(relay.run())
        try:
            await store.write(emit, 20)
            await eventually(lambda: stored(store, 20), within=30)
            [dying] = [each for each in servers if each.name == leader]
            await dying.kill()
            await store.write(emit, 20)
            await eventually(lambda: stored(store, 40), within=40)
            [alive, _] = [each for each in servers if each is not dying]
            client = await land.bureau(credential, url=alive.url)
            assert (await client.jetstream().stream_info("INBOX")).state.messages == 40
            await dying.start()

            async def caught_up() -> bool:
                with contextlib.suppress(Exception):
                    info = await client.jetstream().stream_info("INBOX")
                    return all(each.current for each in info.cluster.replicas)
                return False

            await eventually(caught_up, within=30)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
