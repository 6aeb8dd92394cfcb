"""From one service's outbox to a bureau's inbox and back by receipt, on a real bus and a real store."""

import asyncio
import contextlib
import hashlib
import time

import nats.errors
import pytest
from sqlalchemy import Column, MetaData, Table, Text, insert, select

from services.identity.bus.domain import Quota
from shuniu.api.common.v1 import receipt_pb2
from shuniu.kit.events import outbox, outbox_rows
from shuniu.kit.events.advisories import AdvisoryReader
from shuniu.kit.events.bus import Bus, BusAwayError
from shuniu.kit.events.consumer import Consumer, ConsumerSettings
from shuniu.kit.events.receipts import ReceiptReader, ReceiptWatch
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

metadata = MetaData()
kit_tables(metadata)
effect = Table("effect", metadata, Column("event_id", Text, primary_key=True))


@pytest.fixture
async def land():
    async with bus_land() as it:
        yield it


@pytest.fixture
async def store(tmp_path):
    opened = Store.unchecked(f"sqlite:///{tmp_path}/exchange.db", metadata, clock=CLOCK)
    await opened.create_schema()
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def running(*parts):
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settings(**changes):
    return RelaySettings(area="exchange", **{"backoff_s": (0.1, 0.2), "timeout_s": 3, **changes})


async def relay_for(land, store, **changes):
    """Woken by what is emitted, as a service's is."""
    relay = Relay(store, await land.service("exchange"), CLOCK, settings(**changes))
    store.listen(outbox.TOPIC, relay.wake)
    return relay


def emit(conn, orgs, payload, count):
    ids = []
    for number in range(count):
        event = outbox.Event(
            id=new_ulid(CLOCK),
            type=TYPE,
            source="//hub.test/exchange",
            aggregate="case-1",
            time_us=CLOCK.now_us(),
            data=payload + b" %d" % number,
            topic="exchange.case.submitted",
            division="150100",
        )
        outbox.emit(conn, event, to=orgs)
        ids.append(event.id)
    return ids


async def states(store):
    def read(conn):
        return {(row.target, row.state): row.deliveries for row in counts(conn)}

    return await store.read(read)


async def in_state(store, target, state, number):
    return await eventually(lambda: _is(store, target, state, number), within=20, message=f"{target} {state} {number}")


async def _is(store, target, state, number):
    return (await states(store)).get((target, state), 0) == number


async def read_inbox(client, count, durable="reader"):
    sub = await client.jetstream().pull_subscribe("inbox.>", durable=durable, stream="INBOX")
    messages = []
    async with asyncio.timeout(20):
        while len(messages) < count:
            with contextlib.suppress(TimeoutError):
                messages += await sub.fetch(count - len(messages), timeout=1)
    return messages


def receipt(message, digest=None):
    return receipt_pb2.Receipt(
        event_id=message.headers["ce-id"], sha256=digest or hashlib.sha256(message.data).digest()
    ).SerializeToString()


class Alarms(ReceiptWatch):
    def __init__(self):
        self.mismatches = []

    def mismatch(self, target, event_id):
        self.mismatches.append((target, event_id))


async def test_an_event_reaches_the_bureau_in_order_and_its_receipt_closes_it(land, store):
    """Outbox → the bureau's own stream, as a CloudEvent, in order; only its receipt makes the delivery RECEIPTED."""
    credential = await land.enrol("150100")
    relay = await relay_for(land, store)
    reader = ReceiptReader(store, relay.bus, CLOCK, "exchange-receipts")
    ids = await store.write(emit, ["150100"], b"payload", 600)
    async with running(relay, reader):
        await in_state(store, "150100", "STORED", 600)
        await in_state(store, "evt", "STORED", 600)
        bureau = await land.bureau(credential)
        messages = await read_inbox(bureau, 600)
        assert [message.headers["ce-id"] for message in messages] == ids
        first = messages[0]
        assert first.subject == "inbox.exchange.case.submitted.v1"
        assert first.headers["ce-type"] == TYPE
        assert first.headers["ce-seq"] == "1"
        assert first.headers["ce-division"] == "150100"
        for message in messages:
            await message.ack()
            await bureau.publish("submit.receipt", receipt(message))
        await in_state(store, "150100", "RECEIPTED", 600)


async def test_a_receipt_for_other_content_is_an_alarm_and_closes_nothing(land, store):
    """A digest that is not that of what was sent leaves the delivery open and raises the alarm."""
    credential = await land.enrol("a")
    relay = await relay_for(land, store)
    alarms = Alarms()
    reader = ReceiptReader(store, relay.bus, CLOCK, "exchange-receipts", alarms)
    (event_id,) = await store.write(emit, ["a"], b"payload", 1)
    async with running(relay, reader):
        bureau = await land.bureau(credential)
        (message,) = await read_inbox(bureau, 1)
        await bureau.publish("submit.receipt", receipt(message, b"x" * 32))
        await bureau.publish("submit.receipt", b"\xff not a receipt")
        await eventually(lambda: alarms.mismatches)
        assert alarms.mismatches == [("a", event_id)]
        await in_state(store, "a", "STORED", 1)
        await bureau.publish("submit.receipt", receipt(message))
        await in_state(store, "a", "RECEIPTED", 1)


async def test_nobody_can_receipt_for_another(land, store):
    """A receipt closes the delivery to the account it came from; another bureau's word for it changes nothing."""
    credential = await land.enrol("a")
    other = await land.bureau(await land.enrol("b"))
    relay = await relay_for(land, store)
    reader = ReceiptReader(store, relay.bus, CLOCK, "exchange-receipts")
    await store.write(emit, ["a", "b"], b"payload", 1)
    async with running(relay, reader):
        (message,) = await read_inbox(other, 1)
        await other.publish("submit.receipt", receipt(message))
        await in_state(store, "b", "RECEIPTED", 1)
        assert (await states(store))["a", "STORED"] == 1
    assert credential


async def test_a_full_or_absent_inbox_parks_that_organisation_only(land, store):
    """Deliveries to others pass while one stream is full and one does not exist; both go on once they can."""
    full = await land.enrol("full", Quota(inbox_bytes=20_000))
    fine = await land.enrol("fine")
    relay = await relay_for(land, store)
    await store.write(emit, ["full", "absent"], b"x" * 1000, 40)
    async with running(relay):
        await in_state(store, "absent", "PARKED", 1)
        await in_state(store, "full", "PARKED", 1)
        await store.write(emit, ["fine"], b"payload", 500)
        began = time.monotonic()
        await in_state(store, "fine", "STORED", 500)
        assert time.monotonic() - began < 2
        assert (await states(store))["full", "STORED"] >= 5
        assert len(await read_inbox(await land.bureau(fine), 500)) == 500
        # The full one reads and acknowledges: the hub makes room and the rest arrives, each once.
        reader = await land.bureau(full)
        seen = []
        async with asyncio.timeout(30):
            sub = await reader.jetstream().pull_subscribe("inbox.>", durable="r", stream="INBOX")
            while len(seen) < 40:
                with contextlib.suppress(TimeoutError):
                    for message in await sub.fetch(10, timeout=0.5):
                        seen.append(message.data)
                        await message.ack_sync()
        assert len(set(seen)) == 40
        assert seen == [b"x" * 1000 + b" %d" % number for number in range(40)]
        await land.enrol("absent")
        await in_state(store, "absent", "STORED", 40)


async def test_the_relay_looks_when_there_is_something_and_not_before(land, store):
    """Nobody wakes it but what is emitted: large events go out to the last, a parked target is tried again when it is
    due, and what waits for nothing any more shortens no wait.
    """
    await land.enrol("large")
    relay = await relay_for(land, store, batch_bytes=5_000, idle_s=600)
    async with running(relay):
        await store.write(emit, ["large"], b"x" * 1_000, 40)
        await in_state(store, "large", "STORED", 40)
        await store.write(emit, ["absent"], b"payload", 3)
        await in_state(store, "absent", "PARKED", 1)
        await land.enrol("absent")
        await in_state(store, "absent", "STORED", 3)
        await store.write(emit, ["gone"], b"payload", 1)
        await in_state(store, "gone", "PARKED", 1)
        (row,) = await store.read(outbox_rows.next_pending, "gone", 0, 1)
        await store.write(outbox_rows.bury, row.position, "10054: given up")
        await eventually(lambda: not relay._sending and relay._idle_s() == 600, within=20)


async def test_a_message_the_bus_cannot_carry_dies_alone(land, store):
    """An event beyond the receiver's message size is DEAD with its cause; those before and behind it arrive."""
    credential = await land.enrol("a")
    relay = await relay_for(land, store)
    await store.write(emit, ["a"], b"before", 2)
    await store.write(emit, ["a"], b"x" * (9 * 1024 * 1024), 1)
    await store.write(emit, ["a"], b"behind", 2)
    async with running(relay):
        await in_state(store, "a", "STORED", 4)
        await in_state(store, "a", "DEAD", 1)
        assert len(await read_inbox(await land.bureau(credential), 4)) == 4


# nats-py hands aiohttp its timeout in a form that aiohttp is about to drop; as an error it would end the connection.
WEBSOCKET = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@WEBSOCKET
async def test_a_bureau_may_come_over_websocket_with_the_same_credential(land, store):
    """The websocket listener serves the same account, streams and subjects as TCP."""
    credential = await land.enrol("a")
    relay = await relay_for(land, store)
    await store.write(emit, ["a"], b"payload", 3)
    async with running(relay):
        bureau = await land.bureau(credential, url=land.server.websocket_url)
        assert len(await read_inbox(bureau, 3)) == 3


@WEBSOCKET
async def test_suspension_cuts_sessions_within_a_second_and_resumption_brings_them_back(land, store):
    """Live: an enrolled account works at once, a suspended one is off within a second, and nothing is lost between."""
    credential = await land.enrol("a")
    relay = await relay_for(land, store)
    bureau = await land.bureau(credential)
    over_websocket = await land.bureau(credential, url=land.server.websocket_url)
    async with running(relay):
        began = time.monotonic()
        await land.suspend("a")
        await eventually(lambda: bureau.is_closed and over_websocket.is_closed, within=1)
        assert time.monotonic() - began < 1
        with pytest.raises((nats.errors.Error, TimeoutError)):
            await land.bureau(credential)
        await store.write(emit, ["a"], b"meanwhile", 1)
        await in_state(store, "a", "STORED", 1)
        await land.resume("a")
        (message,) = await read_inbox(await land.bureau(credential), 1)
        assert message.data == b"meanwhile 0"


async def test_one_revoked_credential_leaves_the_others_working(land):
    """A lost .creds file is cut for good without cutting the organisation."""
    lost = await land.enrol("a")
    kept = land.admin.credential(land.accounts["a"])
    thief, owner = await land.bureau(lost), await land.bureau(kept)
    land.accounts["a"] = await land.admin.revoke(land.accounts["a"], lost.public_key)
    await eventually(lambda: thief.is_closed, within=1)
    assert owner.is_connected


async def test_many_enrolments_at_once_share_the_issues_of_the_hub_account(land, monkeypatch):
    """Fifty organisations enrolled together all work; the hub's account is issued a few times, not fifty."""
    issued = []
    push = land.admin._push_hub

    async def counted(accounts):
        issued.append(len(accounts))
        await push(accounts)

    monkeypatch.setattr(type(land.admin), "_push_hub", lambda _admin, accounts: counted(accounts))
    await asyncio.gather(*(land.enrol(f"org{number}") for number in range(50)))
    assert len(issued) < 40
    assert issued[-1] == 50


def consumer(land, store, bus, handler, **changes):
    wanted = ConsumerSettings(
        "EVT_EXCHANGE", "catalogue", **{"max_deliver": 3, "backoff_s": (0.05,), "ack_wait_s": 2, **changes}
    )
    return Consumer(store, bus, CLOCK, wanted, {TYPE: handler})


@pytest.fixture
async def other_store(tmp_path):
    opened = Store.unchecked(f"sqlite:///{tmp_path}/catalogue.db", metadata, clock=CLOCK)
    await opened.create_schema()
    yield opened
    await opened.close()


def take(conn, event):
    conn.execute(insert(effect), {"event_id": event.id})


async def effects(store):
    return await store.read(lambda conn: list(conn.execute(select(effect.c.event_id)).scalars()))


async def test_each_event_takes_effect_once_however_often_it_comes(land, store, other_store):
    """Effect and inbox row are one transaction: everything sent again changes nothing."""
    relay = await relay_for(land, store)
    bus = await land.service("catalogue")
    ids = await store.write(emit, [], b"payload", 300)
    async with running(relay, consumer(land, other_store, bus, take)):
        await eventually(lambda: _count(other_store, 300), within=20)
        # The duplicate window of the stream is gone: the same events again, under other message ids.
        client = relay.bus
        await client.api("STREAM.INFO.EVT_EXCHANGE")
        await store.write(outbox_rows.requeue, "evt", outbox.DeliveryState.STORED)
        await in_state(store, "evt", "STORED", 300)
    assert sorted(await effects(other_store)) == sorted(ids)


async def _count(store, number):
    return len(await effects(store)) == number


async def test_a_dead_event_is_kept_with_its_cause_and_those_behind_flow_on(land, store, other_store):
    """After max_deliver an event is a dead letter; a replay shows it first, then handles it."""
    relay = await relay_for(land, store)
    bus = await land.service("catalogue")
    ids = await store.write(emit, [], b"payload", 20)
    poison, cured = ids[3], []

    def handle(conn, event):
        if event.id == poison and not cured:
            raise ValueError("cannot read this")
        take(conn, event)

    reader = consumer(land, other_store, bus, handle)
    async with running(relay, reader):
        await eventually(lambda: _count(other_store, 19), within=20)
        (letter,) = await eventually(reader.dead, within=20)
        assert letter.event_id == poison
        assert letter.cause == "ValueError: cannot read this"
        assert letter.attempts == 3
        assert await reader.replay([letter.id]) == [(letter.id, "ValueError: cannot read this")]
        cured.append(True)
        assert await reader.replay([letter.id]) == [(letter.id, "")]
        assert await reader.dead() == []
        assert sorted(await effects(other_store)) == sorted(ids)


async def test_known_event_with_other_content_is_a_dead_letter_not_an_overwrite(land, store, other_store):
    """Same id, other digest: the first content stays, the second is kept aside with an alarm."""
    relay = await relay_for(land, store)
    bus = await land.service("catalogue")
    (event_id,) = await store.write(emit, [], b"payload", 1)
    reader = consumer(land, other_store, bus, take)
    async with running(relay, reader):
        await eventually(lambda: _count(other_store, 1))
        assert (await relay.bus.stream_state("EVT_EXCHANGE")).messages == 1
        forged = {"ce-specversion": "1.0", "ce-id": event_id, "ce-type": TYPE, "ce-source": "//hub.test/exchange"}
        await relay.bus.client().publish("evt.exchange.case.submitted.v1", b"other", headers=forged)
        (letter,) = await eventually(reader.dead)
        assert letter.cause.startswith("InboxConflict")


async def test_an_event_the_server_gave_up_is_captured_from_its_advisory(land, store, other_store):
    """A consumer that dies in each attempt leaves an advisory; it becomes a dead letter with the event's body."""
    relay = await relay_for(land, store)
    bus = await land.service("catalogue")
    (event_id,) = await store.write(emit, [], b"payload", 1)
    async with running(relay):
        await in_state(store, "evt", "STORED", 1)
        await bus.api(
            "CONSUMER.DURABLE.CREATE.EVT_EXCHANGE.catalogue",
            {
                "stream_name": "EVT_EXCHANGE",
                "config": {
                    "durable_name": "catalogue",
                    "ack_policy": "explicit",
                    "ack_wait": 100_000_000,
                    "max_deliver": 2,
                },
            },
        )
        async with running(AdvisoryReader(other_store, bus, CLOCK, "catalogue")):
            async with asyncio.timeout(20):
                reader = consumer(land, other_store, bus, take)
                while not await reader.dead():
                    with contextlib.suppress(BusAwayError):
                        await bus.request(
                            "$JS.API.CONSUMER.MSG.NEXT.EVT_EXCHANGE.catalogue",
                            b'{"batch":1,"expires":150000000}',
                            timeout_s=0.3,
                        )
            (letter,) = await reader.dead()
            assert letter.event_id == event_id
            assert letter.data == b"payload 0"


async def test_a_bureau_that_comes_back_gets_again_what_it_did_not_acknowledge(land, store):
    """A dropped connection loses nothing: unacknowledged events are delivered again to the same durable."""
    credential = await land.enrol("a")
    relay = await relay_for(land, store)
    await store.write(emit, ["a"], b"payload", 5)
    async with running(relay):
        bureau = await land.bureau(credential)
        sub = await bureau.jetstream().pull_subscribe("inbox.>", durable="r", stream="INBOX", config=_consumer_config())
        first = []
        while len(first) < 5:
            first += await sub.fetch(5 - len(first), timeout=5)
        await first[0].ack_sync()
        await bureau.close()
        again = await land.bureau(credential)
        sub = await again.jetstream().pull_subscribe("inbox.>", durable="r", stream="INBOX")
        got = []
        async with asyncio.timeout(20):
            while len(got) < 4:
                with contextlib.suppress(TimeoutError):
                    got += await sub.fetch(4, timeout=1)
        assert {message.data for message in got} == {message.data for message in first[1:]}


def _consumer_config():
    from nats.js.api import ConsumerConfig

    return ConsumerConfig(ack_wait=1)


async def test_a_service_runs_while_its_bus_is_away_and_connects_when_it_comes(land, store):
    """Starting before the bus is no failure: what was emitted waits and leaves when the bus is there."""
    credential = await land.enrol("a")
    await land.server.stop()
    bus = Bus(land.server.url, _creds(), name="exchange")
    bus.start()
    relay = Relay(store, bus, CLOCK, settings())
    async with running(relay):
        await store.write(emit, ["a"], b"payload", 10)
        assert (await states(store))["a", "PENDING"] == 10
        await land.server.start()
        await in_state(store, "a", "STORED", 10)
    await bus.close()
    assert credential


def _creds():
    from services.identity.bus import admin as bus_admin
    from tests.support.bus_land import KEYS

    return bus_admin.service_credentials(KEYS, "exchange", now_s=int(time.time()))
