"""Two replicas of a service on one PostgreSQL: alike in everything, one of them sends."""

import asyncio
import contextlib

import pytest

from services.catalogue.store import METADATA
from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.foundation import open_bare
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.service_settings import ServiceSettings
from shuniu.kit.store import audit, lease
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import eventually
from tests.support.bus_land import bus_land
from tests.support.outbox import counts, emitted

pytestmark = pytest.mark.postgresql
CLOCK = SystemClock()


@pytest.fixture
async def replicas(postgres_database, tmp_path):
    """As two containers of one image are: the same settings, the same directories, the same database."""
    await migrate(postgres_database, "services.catalogue", CLOCK)
    hub = HubSettings("150000", "枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path)
    settings = ServiceSettings(database_url=postgres_database)
    async with contextlib.AsyncExitStack() as stack:
        opened = [
            open_bare("catalogue", hub, settings, METADATA, package="services.catalogue", clock=CLOCK) for _ in range(2)
        ]
        yield [await stack.enter_async_context(each) for each in opened]


def emit(conn, count):
    for _ in range(count):
        emitted(conn, CLOCK, topic="catalogue.item.published")


async def stored(store, number):
    found = {(row.target, row.state): row.deliveries for row in await store.read(counts)}
    return found == {("evt", "STORED"): number}


async def test_each_start_has_a_name_of_its_own(replicas):
    """So neither renews the other's lease, and each writes an audit chain of its own."""
    first, second = replicas
    assert first.writer != second.writer
    assert await first.write(lease.acquire, "housekeeping", first.writer, 60_000_000)
    assert not await second.write(lease.acquire, "housekeeping", second.writer, 60_000_000)
    record = audit.AuditRecord(actor="x", actor_kind="PLATFORM", action="a", object="o", details={})
    await asyncio.gather(*(each.write(audit.append, record) for each in replicas for _ in range(5)))
    report = await first.store.read(audit.verify)
    assert (report.records, report.findings) == (10, ())
    chains = {head.writer.split("/")[0] for head in await first.store.read(audit.heads)}
    assert len(chains) == 2


async def test_one_replica_sends_and_the_other_goes_on_at_once(replicas):
    """Both emit, one of them sends, each event once; when it stops, the other sends without waiting for a lease."""
    async with bus_land() as land, asyncio.timeout(60):
        relays = [
            Relay(
                each.store, await land.service("catalogue"), CLOCK, RelaySettings(area="catalogue", holder=each.writer)
            )
            for each in replicas
        ]
        tasks = [asyncio.create_task(each.run()) for each in relays]
        try:
            for each in replicas:
                await each.write(emit, 20)
            await eventually(lambda: stored(replicas[0].store, 40), within=20)
            leaders = [number for number, relay in enumerate(relays) if relay._holds_until]
            assert len(leaders) == 1
            tasks[leaders[0]].cancel()
            await asyncio.gather(tasks[leaders[0]], return_exceptions=True)
            await replicas[leaders[0]].write(emit, 5)
            await eventually(lambda: stored(replicas[0].store, 45), within=8)
            assert (await relays[0].bus.stream_state("EVT_CATALOGUE")).messages == 45
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
