"""What dies between the outbox and the receiver, and what is still true afterwards."""

import asyncio
import contextlib
import functools
import hashlib
import signal
import sys

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select

from shuniu.api.common.v1 import receipt_pb2
from shuniu.kit.events import outbox
from shuniu.kit.events.consumer import Consumer, ConsumerSettings
from shuniu.kit.events.receipts import ReceiptReader
from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.store import Store, kit_tables
from shuniu.kit.testing import eventually
from tests.support.bus_land import bus_land
from tests.support.outbox import counts

CLOCK = SystemClock()
TYPE = "shuniu.exchange.case.submitted.v1"
SETTINGS = RelaySettings(area="exchange", backoff_s=(0.1, 0.2), timeout_s=3)

metadata = MetaData()
kit_tables(metadata)
# Numbered as they come, so that order can be asked for.
effect = Table("effect", metadata, Column("number", Integer, primary_key=True), Column("event_id", Text, unique=True))

# A relay that is killed once the stream has acknowledged and before the outbox knows.
KILLED_BEFORE_STORED = """
import asyncio, os, signal, sys
from pathlib import Path
from shuniu.kit.events import outbox_rows
from shuniu.kit.events.bus import Bus
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.store import Store, kit_tables
from sqlalchemy import MetaData

outbox_rows.mark_stored = lambda *_: os.kill(os.getpid(), signal.SIGKILL)

async def main(url, creds, path):
    metadata = MetaData()
    kit_tables(metadata)
    store = await Store.open(f"sqlite:///{path}", metadata, clock=SystemClock())
    bus = Bus(url, Path(creds).read_text(), name="exchange")
    bus.start()
    await Relay(store, bus, SystemClock(), RelaySettings(area="exchange")).run()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def land():
    async with bus_land() as it:
        yield it


async def open_store(path):
    store = Store.unchecked(f"sqlite:///{path}", metadata, clock=CLOCK)
    await store.create_schema()
    return store


@contextlib.asynccontextmanager
async def running(*parts):
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def emit(conn, orgs, count):
    ids = []
    for _ in range(count):
        event = outbox.Event(
            id=new_ulid(CLOCK),
            type=TYPE,
            source="//hub.test/exchange",
            aggregate="case-1",
            time_us=CLOCK.now_us(),
            data=b"payload",
            topic="exchange.case.submitted",
        )
        outbox.emit(conn, event, to=orgs)
        ids.append(event.id)
    return ids


def take(conn, event):
    conn.execute(insert(effect), {"event_id": event.id})


async def effects(store):
    return await store.read(
        lambda conn: list(conn.execute(select(effect.c.event_id).order_by(effect.c.number)).scalars())
    )


async def all_stored(store):
    rows = await store.read(counts)
    return rows and all(row.state in {"STORED", "RECEIPTED"} for row in rows)


async def taken(store, number):
    return len(await effects(store)) >= number


def reader_of(bus, store, stream="EVT_EXCHANGE"):
    return Consumer(store, bus, CLOCK, ConsumerSettings(stream, "catalogue", ack_wait_s=2), {TYPE: take})


async def test_kill_between_puback_and_stored_loses_nothing_and_doubles_nothing(land, tmp_path):
    """The relay is killed -9 with the batch stored and the outbox unaware: the next one finds out by asking."""
    from services.identity.bus import admin as bus_admin
    from tests.support.bus_land import KEYS

    await land.enrol("a")
    store = await open_store(tmp_path / "x.db")
    ids = await store.write(emit, ["a"], 300)
    await store.close()
    creds = tmp_path / "exchange.creds"
    creds.write_text(bus_admin.service_credentials(KEYS, "exchange", now_s=CLOCK.now_us() // 1_000_000))
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_BEFORE_STORED, land.server.url, str(creds), str(tmp_path / "x.db")
    )
    assert await asyncio.wait_for(killed.wait(), 30) == -signal.SIGKILL
    bus = await land.service("exchange")
    assert (await bus.stream_state("EVT_EXCHANGE")).messages > 0
    store = await open_store(tmp_path / "x.db")
    async with running(Relay(store, bus, CLOCK, SETTINGS)):
        await eventually(lambda: all_stored(store), within=30)
    assert (await bus.stream_state("EVT_EXCHANGE")).messages == 300
    receiver = await open_store(tmp_path / "y.db")
    async with running(reader_of(bus, receiver)):
        await eventually(lambda: taken(receiver, 300), within=30)
    assert await effects(receiver) == ids
    await store.close()
    await receiver.close()


async def test_nats_killed_again_and_again_under_load_loses_nothing(land, tmp_path):
    """kill -9 of the bus while events are written: every one takes effect once, in the order of its aggregate."""
    store, receiver = await open_store(tmp_path / "x.db"), await open_store(tmp_path / "y.db")
    ids = []
    relay = Relay(store, await land.service("exchange"), CLOCK, SETTINGS)
    async with running(relay, reader_of(await land.service("catalogue"), receiver)):
        for _ in range(3):
            for _ in range(10):
                ids += await store.write(emit, [], 20)
                await asyncio.sleep(0)
            await eventually(functools.partial(taken, receiver, len(ids) // 2), within=30)
            await land.server.kill()
            ids += await store.write(emit, [], 20)
            await land.server.start()
        await eventually(lambda: all_stored(store), within=60)
        await eventually(lambda: taken(receiver, len(ids)), within=60)
    assert await effects(receiver) == ids
    await store.close()
    await receiver.close()


async def test_writes_go_on_while_the_bus_is_away_and_drain_in_order(land, tmp_path):
    """Without a bus every write is answered; on its return everything leaves in order."""
    store, receiver = await open_store(tmp_path / "x.db"), await open_store(tmp_path / "y.db")
    relay = Relay(store, await land.service("exchange"), CLOCK, SETTINGS)
    async with running(relay, reader_of(await land.service("catalogue"), receiver)):
        ids = await store.write(emit, [], 10)
        await eventually(lambda: taken(receiver, 10), within=20)
        await land.server.kill()
        for _ in range(50):
            ids += await asyncio.wait_for(store.write(emit, [], 10), 2)
        assert await effects(receiver) == ids[:10]
        await land.server.start()
        await eventually(lambda: taken(receiver, len(ids)), within=60)
    assert await effects(receiver) == ids
    await store.close()
    await receiver.close()


async def test_the_buss_disk_is_lost_and_every_stream_is_filled_again(land, tmp_path):
    """Accounts, INBOX and EVT streams come back by themselves; what had no receipt goes out again, in order."""
    credential = await land.enrol("a")
    store, receiver = await open_store(tmp_path / "x.db"), await open_store(tmp_path / "y.db")
    bus = await land.service("exchange")
    relay = Relay(store, bus, CLOCK, SETTINGS)
    async with running(relay, ReceiptReader(store, bus, CLOCK, "exchange-receipts")):
        ids = await store.write(emit, ["a"], 50)
        await eventually(lambda: all_stored(store), within=20)
        bureau = await land.bureau(credential)
        for message in await read(bureau, 20):
            word = receipt_pb2.Receipt(event_id=message.headers["ce-id"], sha256=hashlib.sha256(b"payload").digest())
            await bureau.publish("submit.receipt", word.SerializeToString())
        await eventually(lambda: receipted(store, 20), within=20)
        await land.server.lose_disk()
        ids += await store.write(emit, ["a"], 5)
        await land.server.start()
        await eventually(lambda: land.admin.connected, within=20)
        again = await land.bureau(credential)
        messages = await read(again, 35)
        assert [message.headers["ce-id"] for message in messages] == ids[20:]
        async with running(reader_of(await land.service("catalogue"), receiver)):
            await eventually(lambda: taken(receiver, 55), within=30)
        assert await effects(receiver) == ids
    await store.close()
    await receiver.close()


async def receipted(store, number):
    rows = await store.read(counts)
    return [row.deliveries for row in rows if row.state == "RECEIPTED"] == [number]


async def read(client, count):
    sub = await client.jetstream().pull_subscribe("inbox.>", durable="reader", stream="INBOX")
    messages = []
    async with asyncio.timeout(30):
        while len(messages) < count:
            with contextlib.suppress(TimeoutError):
                for message in await sub.fetch(count - len(messages), timeout=1):
                    await message.ack()
                    messages.append(message)
    return messages
