"""A stream that was lost and made again is noticed, whatever else is lost on the way."""

import asyncio
import contextlib
import time

import pytest

from services.identity.bus import admin as bus_admin
from services.identity.bus import domain as bus_accounts
from shuniu.kit.events import outbox, outbox_rows
from shuniu.kit.events.bus import Bus, BusAwayError
from shuniu.kit.events.relay import Relay
from shuniu.kit.events.relay_settings import RelaySettings
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.testing import eventually
from tests.support.bus_land import KEYS, bus_land
from tests.support.outbox import counts, emitted, kit_store

CLOCK = SystemClock()


@pytest.fixture
async def land():
    async with bus_land() as it:
        yield it


@pytest.fixture
async def store(tmp_path):
    async with kit_store(f"sqlite:///{tmp_path}/exchange.db", CLOCK) as opened:
        yield opened


class ForgetfulBus(Bus):
    """A connection on which answers about an organisation's stream are lost as long as `forgets` says so."""

    forgets = False

    async def publish(self, message, *, timeout_s=5):
        ack = await super().publish(message, timeout_s=timeout_s)
        if self.forgets and message.subject.startswith("deliver."):
            type(self).forgets = False
            raise BusAwayError(0, "the answer was lost")
        return ack


@contextlib.asynccontextmanager
async def relaying(land, store, **changes):
    creds = bus_admin.service_credentials(KEYS, "exchange", now_s=int(time.time()))
    bus = ForgetfulBus(land.server.url, creds, name="exchange")
    bus.start()
    settings = RelaySettings(area="exchange", **{"backoff_s": (0.1, 0.2), "timeout_s": 3, "idle_s": 600, **changes})
    relay = Relay(store, bus, CLOCK, settings)
    store.listen(outbox.TOPIC, relay.wake)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.unlisten(outbox.TOPIC, relay.wake)
        await bus.close()


def emit(conn, orgs, count):
    return [emitted(conn, CLOCK, orgs) for _ in range(count)]


async def in_state(store, target, state, number):
    rows = await store.read(counts)
    return {(row.target, row.state): row.deliveries for row in rows}.get((target, state)) == number


async def stored(store, target, number):
    return await in_state(store, target, "STORED", number)


async def inbox_ids(land, credential, count):
    client = await land.bureau(credential)
    sub = await client.jetstream().pull_subscribe("inbox.>", durable="reader", stream="INBOX")
    ids: list[str] = []
    async with asyncio.timeout(20):
        while len(set(ids)) < count:
            with contextlib.suppress(TimeoutError):
                for message in await sub.fetch(count, timeout=0.5):
                    await message.ack()
                    ids.append(message.headers["ce-id"])
    return list(dict.fromkeys(ids))


async def at_inbox(land, code, verb, body=None):
    """What an operator does to an organisation's stream: no connection of the hub is lost with it."""
    account = land.accounts[code]
    may = bus_accounts._permissions([f"$JS.API.STREAM.{verb}.INBOX"], ["_INBOX.>"])
    operator = bus_accounts._credential(
        bus_accounts._organisation(KEYS, account), b"d" * 32, name="operator", now_s=int(time.time()), permissions=may
    )
    bus = Bus(land.server.url, operator.creds, name="operator")
    bus.start()
    await bus.wait_connected(10)
    answer = await bus.api(f"STREAM.{verb}.INBOX", body)
    await bus.close()
    return answer


async def remake_inbox(land, code):
    await at_inbox(land, code, "DELETE")
    await land.admin._provision(land.accounts[code])


async def test_a_lost_stream_is_noticed_though_the_answer_that_says_so_is_lost(land, store):
    """The new stream has what asked it and says "duplicate" the next time: its number gives it away."""
    credential = await land.enrol("a")
    async with relaying(land, store):
        ids = await store.write(emit, ["a"], 20)
        await eventually(lambda: stored(store, "a", 20), within=20)
        await land.server.lose_disk()
        ForgetfulBus.forgets = True
        await land.server.start()
        await eventually(lambda: land.admin.connected, within=20)
        assert await inbox_ids(land, credential, 20) == ids
        assert not ForgetfulBus.forgets


async def test_a_remade_inbox_is_noticed_with_the_next_event(land, store):
    """Without a new connection: the number of its first PubAck is one that the old stream gave long ago."""
    credential = await land.enrol("a")
    async with relaying(land, store) as relay:
        ids = await store.write(emit, ["a"], 20)
        await eventually(lambda: stored(store, "a", 20), within=20)
        generation = relay.bus.generation
        await remake_inbox(land, "a")
        ids += await store.write(emit, ["a"], 2)
        assert set(await inbox_ids(land, credential, 22)) == set(ids)
        assert relay.bus.generation == generation
        await eventually(lambda: stored(store, "a", 22), within=20)


async def test_an_error_that_nobody_foresaw_gives_no_event_up(land, store):
    """A stream that refuses for a reason of its own has its organisation wait; once it takes events, all arrive."""
    credential = await land.enrol("a")
    async with relaying(land, store):
        config = (await at_inbox(land, "a", "INFO"))["config"]
        await at_inbox(land, "a", "UPDATE", {**config, "sealed": True})
        ids = await store.write(emit, ["a"], 3)
        await eventually(lambda: in_state(store, "a", "PARKED", 1), within=20)
        (head, *_) = await store.read(outbox_rows.next_pending, "a", 0, 1)
        assert head.id == ids[0]
        await remake_inbox(land, "a")
        await eventually(lambda: stored(store, "a", 3), within=20)
        assert await inbox_ids(land, credential, 3) == ids
