"""The bus side of a service, opened in one call: sends, reads, buries and replays on a real bus."""

import asyncio
import contextlib
import time

import pytest
from sqlalchemy import Column, MetaData, Table, Text, insert, select

from services.identity.bus import admin as bus_admin
from shuniu.api.events.v1.events_pb2 import CaseChanged
from shuniu.kit.errors import HubError
from shuniu.kit.events.consumer import ConsumerSettings
from shuniu.kit.foundation import ServiceSettings
from shuniu.kit.messaging import Reading, open_messaging
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError, HubSettings
from shuniu.kit.process.durable import write_secret
from shuniu.kit.store import Store, kit_tables
from shuniu.kit.store.tables import dead_letter
from shuniu.kit.testing import eventually
from shuniu.kit.testing.foundation import foundation_of
from tests.support.bus_land import KEYS, bus_land

CLOCK = SystemClock()
METADATA = MetaData()
kit_tables(METADATA)
effect = Table("effect", METADATA, Column("event_id", Text, primary_key=True))


@contextlib.asynccontextmanager
async def foundation(tmp_path, bus_url):
    store = Store.unchecked(f"sqlite:///{tmp_path}/exchange.db", METADATA, clock=CLOCK)
    await store.create_schema()
    hub = HubSettings("150000", "t", "hub.test", "https://hub.test", tmp_path, tmp_path)
    try:
        yield foundation_of("exchange", hub, ServiceSettings(bus_url=bus_url), CLOCK, store)
    finally:
        await store.close()


def credentials(tmp_path):
    (tmp_path / "keys").mkdir()
    creds = bus_admin.service_credentials(KEYS, "exchange", now_s=int(time.time()))
    write_secret(tmp_path / "keys" / "bus-exchange.creds", creds.encode())


async def test_without_credentials_it_does_not_start(tmp_path):
    """A service that cannot prove itself to the bus refuses to start, naming the file."""
    async with foundation(tmp_path, "nats://127.0.0.1:9") as base:
        with pytest.raises(ConfigError, match=r"bus-exchange\.creds"):
            async with open_messaging(base):
                pass


async def test_writes_go_on_without_a_bus(tmp_path):
    """While the bus is away the service opens, writes, and says where it stands."""
    credentials(tmp_path)
    async with foundation(tmp_path, "nats://127.0.0.1:9") as base, open_messaging(base) as messaging:
        event = await base.write(
            lambda conn: base.publish(conn, "exchange.case.moved", "c", CaseChanged(case_code="c"))
        )
        assert event.seq == 1
        assert await messaging.facts() == {"bus": "away"}


async def test_an_event_goes_round_and_a_dead_one_comes_back(tmp_path):
    """A commit wakes the relay; what a handler cannot take becomes a dead letter, and a replay handles it."""
    credentials(tmp_path)
    broken = True

    def handle(conn, event):
        if broken:
            raise ZeroDivisionError(event.id)
        conn.execute(insert(effect), {"event_id": event.id})

    reading = Reading(
        "EVT_EXCHANGE",
        {"shuniu.exchange.case.moved.v1": handle},
        settings=ConsumerSettings("EVT_EXCHANGE", "exchange", max_deliver=2, backoff_s=(0.05,)),
    )
    async with (
        bus_land() as land,
        foundation(tmp_path, land.server.url) as base,
        open_messaging(base, reads=[reading]) as messaging,
    ):
        running = [asyncio.create_task(task()) for task in messaging.tasks]
        event = await base.write(
            lambda conn: base.publish(conn, "exchange.case.moved", "c", CaseChanged(case_code="c"))
        )

        async def dead() -> list[int]:
            return await base.store.read(
                lambda conn: [row.id for row in conn.execute(select(dead_letter.c.id).where(dead_letter.c.replayed_us == 0))]
            )  # fmt: skip

        await eventually(dead, within=15)
        [number] = await dead()
        assert await messaging.facts() == {"bus": "connected"}
        with pytest.raises(HubError) as caught:
            await messaging.replay(number)
        assert (caught.value.reason, caught.value.metadata) == ("EVENT_FAILED_AGAIN", {"cause": "ZeroDivisionError"})
        broken = False
        await messaging.replay(number)
        found = await base.store.read(lambda conn: list(conn.execute(select(effect.c.event_id)).scalars()))
        assert found == [event.id]
        with pytest.raises(HubError) as caught:
            await messaging.replay(number)
        assert caught.value.reason == "DEAD_LETTER_UNKNOWN"
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
