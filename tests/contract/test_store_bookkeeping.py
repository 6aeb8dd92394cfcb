"""What every store promises of the tables that go with a change: answers, events, leases, audit. Run as
`test_store_conformance.py` is, on SQLite, on PostgreSQL and on the generic dialect.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, func, insert, select

from shuniu.kit.errors import Code, HubError
from shuniu.kit.events import inbox, outbox
from shuniu.kit.events.inbox import Accepted, InboxConflict
from shuniu.kit.events.outbox import DeliveryState, Event
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc import requests
from shuniu.kit.store import Store, audit, kit_tables, lease
from shuniu.kit.store.tables import outbox_delivery, outbox_event, request_log
from shuniu.kit.testing import ManualClock, eventually
from tests.support.outbox import OutboxCount, counts

metadata = MetaData()
kit_tables(metadata)
item = Table("item", metadata, Column("code", Text, primary_key=True))

SECOND_US = 1_000_000
DAY_US = 24 * 3600 * SECOND_US


@pytest.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(store_url, metadata, clock=clock, writer="test")
    await opened.create_schema()
    yield opened
    await opened.close()


def put(conn: Connection, code: str) -> None:
    conn.execute(insert(item), {"code": code})


def codes(conn: Connection) -> list[str]:
    return list(conn.execute(select(item.c.code).order_by(item.c.code)).scalars())


def event(clock: ManualClock, aggregate: str = "case-1", data: bytes = b"payload") -> Event:
    return Event(
        id=new_ulid(clock),
        type="shuniu.exchange.case.accepted.v1",
        source="//hub.nmg.example/exchange",
        aggregate=aggregate,
        time_us=clock.now_us(),
        data=data,
        topic="exchange.case.accepted",
        division="150100",
    )


async def test_request_is_done_once(store: Store) -> None:
    """The same request gets the same answer and takes effect once, also when it comes ten times at once."""

    def create(conn: Connection) -> bytes:
        put(conn, "A")
        return b"answer"

    def request(conn: Connection) -> bytes:
        return requests.once(conn, "platform/150100", "/x.Y/Create", "r-1", b"digest", create)

    answers = await asyncio.gather(*(store.write(request) for _ in range(10)))
    assert answers == [b"answer"] * 10
    assert await store.read(codes) == ["A"]


async def test_request_id_of_other_content_is_refused(store: Store) -> None:
    """An id used for other content is ABORTED REQUEST_ID_REUSED; another caller may use the same id."""

    def request(conn: Connection, caller: str, digest: bytes) -> bytes:
        return requests.once(conn, caller, "/x.Y/Create", "r-1", digest, lambda _conn: digest)

    await store.write(request, "one", b"a")
    with pytest.raises(HubError) as refused:
        await store.write(request, "one", b"b")
    assert (refused.value.code, refused.value.reason) == (Code.ABORTED, "REQUEST_ID_REUSED")
    assert await store.write(request, "two", b"b") == b"b"


async def test_failed_request_leaves_no_answer(store: Store) -> None:
    """An answer is kept only with its effect: after a failure the same id may be tried again."""

    def failing(_conn: Connection) -> bytes:
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(lambda conn: requests.once(conn, "one", "rpc", "r", b"d", failing))
    assert await store.write(lambda conn: requests.once(conn, "one", "rpc", "r", b"d", lambda _conn: b"ok")) == b"ok"


async def test_answers_are_kept_a_day(store: Store, clock: ManualClock) -> None:
    """Answers live at least 24 h and are forgotten after."""
    await store.write(lambda conn: requests.once(conn, "one", "rpc", "r", b"d", lambda _conn: b""))
    clock.advance(24 * 3600)
    assert await store.write(requests.prune, clock.now_us()) == 0
    clock.advance(1)
    assert await store.write(requests.prune, clock.now_us()) == 1
    with pytest.raises(ValueError, match="24 h"):
        await store.write(requests.prune, clock.now_us(), DAY_US - 1)
    assert await store.read(lambda conn: conn.execute(select(func.count()).select_from(request_log)).scalar_one()) == 0


async def test_event_and_deliveries_are_one_with_the_change(store: Store, clock: ManualClock) -> None:
    """An event is in the outbox exactly when its change is, once for each target, numbered within its aggregate."""

    def change(conn: Connection, made: Event, *, fail: bool = False) -> Event:
        put(conn, made.id)
        sent = outbox.emit(conn, made, to=["150100", "150200", "150100"])
        if fail:
            raise LookupError
        return sent

    with pytest.raises(LookupError):
        await store.write(lambda conn: change(conn, event(clock), fail=True))
    first = await store.write(change, event(clock))
    second = await store.write(lambda conn: change(conn, event(clock)))
    other = await store.write(lambda conn: change(conn, event(clock, "case-2")))
    assert [sent.seq for sent in (first, second, other)] == [1, 2, 1]
    rows = await store.read(
        lambda conn: [
            tuple(row)
            for row in conn.execute(
                select(outbox_delivery.c.event_id, outbox_delivery.c.target).order_by(outbox_delivery.c.position)
            )
        ]
    )
    assert [(sent.id, target) for sent in (first, second, other) for target in ("150100", "150200", "evt")] == rows
    digest = await store.read(
        lambda conn: conn.execute(select(outbox_event.c.digest).where(outbox_event.c.id == first.id)).scalar_one()
    )
    assert hashlib.sha256(b"payload").digest() == digest


async def test_events_of_an_aggregate_are_numbered_in_order(store: Store, clock: ManualClock) -> None:
    """Events emitted at once for one aggregate get 1..n, and their positions grow with their numbers."""
    await asyncio.gather(*(store.write(outbox.emit, event(clock)) for _ in range(12)))
    rows = await store.read(
        lambda conn: list(
            conn.execute(
                select(outbox_event.c.seq)
                .join(outbox_delivery, outbox_delivery.c.event_id == outbox_event.c.id)
                .order_by(outbox_delivery.c.position)
            ).scalars()
        )
    )
    assert list(range(1, 13)) == rows


async def test_outbox_is_counted(store: Store, clock: ManualClock) -> None:
    """The counts name each target and state with the oldest event waiting; an internal-only event has one delivery."""
    born = clock.now_us()
    await store.write(outbox.emit, event(clock))
    clock.advance(5)
    await store.write(lambda conn: outbox.emit(conn, event(clock), to=["150100"], internal=False))
    assert [
        OutboxCount("150100", DeliveryState.PENDING, 1, born + 5 * SECOND_US),
        OutboxCount("evt", DeliveryState.PENDING, 1, born),
    ] == await store.read(counts)
    with pytest.raises(ValueError, match="evt"):
        await store.write(lambda conn: outbox.emit(conn, event(clock), to=["evt"]))


async def test_payload_may_carry_its_number(store: Store, clock: ManualClock) -> None:
    """A number drawn before the payload was made is the event's number."""

    def draw_first(conn: Connection) -> Event:
        seq = outbox.next_seq(conn, "case-1")
        return outbox.emit(conn, replace(event(clock, data=str(seq).encode()), seq=seq))

    assert (await store.write(draw_first)).seq == 1
    assert (await store.write(outbox.emit, event(clock))).seq == 2


async def test_event_is_taken_in_once(store: Store, clock: ManualClock) -> None:
    """The first arrival is NEW, also of ten at once; other content under the same id is an alarm."""

    def take(conn: Connection, digest: bytes) -> Accepted:
        accepted = inbox.accept(conn, "//hub/exchange", "e-1", digest, clock.now_us())
        if accepted is Accepted.NEW:
            put(conn, "effect")
        return accepted

    taken = await asyncio.gather(*(store.write(take, b"one") for _ in range(10)))
    assert taken.count(Accepted.NEW) == 1
    with pytest.raises(InboxConflict):
        await store.write(take, b"two")
    assert await store.write(inbox.prune, clock.now_us()) == 0
    assert await store.write(inbox.prune, clock.now_us() + 1) == 1


async def test_lease_has_one_holder(store: Store, clock: ManualClock) -> None:
    """One of many gets a lease; it can renew it; after it expires or is released another gets it, with a higher fence."""
    # By the database's time: elsewhere than on SQLite no clock of a test is asked.
    ttl = SECOND_US if store.is_shared else 10 * SECOND_US

    def take(conn: Connection, holder: str) -> bool:
        return lease.acquire(conn, "relay", holder, ttl)

    got = await asyncio.gather(*(store.write(take, f"replica-{n}") for n in range(5)))
    assert got.count(True) == 1
    holder = f"replica-{got.index(True)}"
    assert await store.write(take, holder)
    assert await store.read(lease.fence, "relay") == 1
    clock.advance(11)
    await eventually(lambda: store.write(take, "late"))
    assert not await store.write(take, holder)
    assert await store.read(lease.fence, "relay") == 2
    assert not await store.write(lease.release, "relay", holder)
    assert await store.write(lease.release, "relay", "late")
    assert await store.write(take, holder)


async def test_lease_of_an_older_epoch_is_nobodys(store: Store) -> None:
    """After a restore a lease that was running when the backup was made can be taken at once."""
    assert await store.write(lease.acquire, "relay", "before", DAY_US)
    await store.begin_restored(())
    assert await store.write(lease.acquire, "relay", "after", DAY_US)


async def test_work_is_written_by_the_holder_alone(store: Store) -> None:
    """Who had a lease and lost it is told so inside the unit that would write."""
    assert not await store.write(lease.held, "relay", "a")
    assert await store.write(lease.acquire, "relay", "a", DAY_US)
    assert await store.write(lease.held, "relay", "a")
    assert not await store.write(lease.held, "relay", "b")
    await store.write(lease.release, "relay", "a")
    assert await store.write(lease.acquire, "relay", "b", DAY_US)
    assert not await store.write(lease.held, "relay", "a")
    await store.begin_restored(())
    assert not await store.write(lease.held, "relay", "b")


@pytest.mark.postgresql
async def test_replicas_whose_clocks_differ_agree_on_a_lease(postgres_database: str, clock: ManualClock) -> None:
    """One that is a day ahead does not take what another holds for a minute."""
    fast = ManualClock(clock.now_us() + 2 * DAY_US)
    first = Store.unchecked(postgres_database, metadata, clock=clock, writer="test")
    await first.create_schema()
    await first.close()
    stores = [await Store.open(postgres_database, metadata, clock=each, writer="test") for each in (clock, fast)]
    try:
        assert await stores[0].write(lease.acquire, "relay", "slow", 60 * SECOND_US)
        assert not await stores[1].write(lease.acquire, "relay", "fast", 60 * SECOND_US)
    finally:
        for each in stores:
            await each.close()


def record(number: int = 0) -> audit.AuditRecord:
    return audit.AuditRecord(
        actor="150100", actor_kind="PLATFORM", action="case.accept", object=f"case/{number}", details={"事项": "无犯罪"}
    )


async def test_audit_chains_hold_under_concurrency(store: Store) -> None:
    """Records appended at once form sound chains, and every one is there."""
    await asyncio.gather(*(store.write(audit.append, record(n)) for n in range(30)))
    report = await store.read(audit.verify)
    assert (report.records, report.findings) == (30, ())
    assert report.sound
    assert sum(head.seq for head in await store.read(audit.heads)) == 30
