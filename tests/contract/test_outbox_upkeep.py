"""Deliveries are looked at when they are due, whatever their state, and what becomes of them is the same on every
database.
"""

import hashlib

import pytest
from sqlalchemy import func, select, text

from shuniu.kit.events import outbox_rows, outbox_upkeep
from shuniu.kit.events.outbox import DeliveryState
from shuniu.kit.events.outbox_upkeep import Act, Aged, Terms, fate
from shuniu.kit.store.tables import outbox_delivery, outbox_event
from tests.support.outbox import counts, emitted, kit_store

TERMS = Terms()
HOUR_US = 3600 * 1_000_000
DAY = 86_400


@pytest.fixture
async def store(store_url, clock):
    async with kit_store(store_url, clock) as opened:
        yield opened


def emit(conn, clock, orgs, count):
    return [emitted(conn, clock, orgs, b"%d" % number) for number in range(count)]


async def stored(store, clock, target):
    rows = await store.read(outbox_rows.next_pending, target, 0, 10_000)
    now = clock.now_us()
    marks = [(row.position, number) for number, row in enumerate(rows, start=1)]
    await store.write(outbox_rows.mark_stored, marks, now, now + TERMS.resend_us)
    return rows


async def receipted(store, clock, row):
    note = outbox_rows.ReceiptNote("a", row.id, hashlib.sha256(row.data).digest())
    assert await store.write(outbox_rows.apply_receipts, [note], clock.now_us()) == (1, [])


async def look(store, clock):
    return await store.write(outbox_upkeep.look, TERMS, clock.now_us())


async def states(store):
    def read(conn):
        return {(row.target, row.state.value): row.deliveries for row in counts(conn)}

    return await store.read(read)


async def rows_in(store, table):
    return await store.read(lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.mark.parametrize("state", list(DeliveryState))
@pytest.mark.parametrize("internal", [False, True])
def test_every_delivery_has_an_end_but_an_internal_one_that_waits(state, internal):
    """Whatever its state, a delivery is looked at again later, and after 90 days there is nothing left to look at."""
    now = 1_000 * DAY * 1_000_000
    for age in (0, HOUR_US, 8 * DAY * 1_000_000, 31 * DAY * 1_000_000, 91 * DAY * 1_000_000):
        born = now - age
        row = Aged(state, internal, born, stored_us=born, receipted_us=born, overtaken=False)
        act, look_us = fate(row, TERMS, now)
        assert act is Act.DELETE or look_us > now or act is Act.ARCHIVE
    if internal and state in (DeliveryState.PENDING, DeliveryState.PARKED):
        assert act is Act.LEAVE
    elif state in (DeliveryState.PENDING, DeliveryState.PARKED, DeliveryState.STORED) and not internal:
        assert act is Act.ARCHIVE
    else:
        assert act is Act.DELETE


async def test_what_is_closed_goes_with_its_event(store, clock):
    """A receipted delivery is deleted after a week, the internal one after a month; then the event goes too."""
    await store.write(emit, clock, ["a"], 2)
    await stored(store, clock, "evt")
    for row in await stored(store, clock, "a"):
        await receipted(store, clock, row)
    clock.advance(7 * DAY + 1)
    await look(store, clock)
    assert await states(store) == {("evt", "STORED"): 2}
    assert await rows_in(store, outbox_event) == 2
    clock.advance(23 * DAY)
    await look(store, clock)
    assert (await rows_in(store, outbox_event), await rows_in(store, outbox_delivery)) == (0, 0)


async def test_what_nobody_receipts_is_archived_and_then_deleted(store, clock):
    """In every state that is open; a dead one goes after 90 days too. Internal ones that wait are never given up."""
    await store.write(emit, clock, ["a", "b"], 2)
    await stored(store, clock, "a")
    first, second = await store.read(outbox_rows.next_pending, "b", 0, 10)
    await store.write(outbox_rows.bury, first.position, "10054: too big")
    await store.write(outbox_rows.park, second.position, "INBOX_ABSENT", clock.now_us())
    clock.advance(30 * DAY)
    assert (await look(store, clock)).archived == 3
    assert await states(store) == {("a", "ARCHIVED"): 2, ("b", "DEAD"): 1, ("b", "ARCHIVED"): 1, ("evt", "PENDING"): 2}
    clock.advance(60 * DAY)
    await look(store, clock)
    assert await states(store) == {("evt", "PENDING"): 2}


async def test_a_delivery_that_was_overtaken_is_sent_again(store, clock):
    """Receivers read in order: one without receipt before one with a receipt was lost on the way, so it is sent again
    after an hour, then after two, four … What nobody has overtaken only has its stream asked about.
    """
    await store.write(emit, clock, ["a"], 3)
    rows = await stored(store, clock, "a")
    await receipted(store, clock, rows[1])
    assert (await look(store, clock)).rows == 0
    clock.advance(3600)
    looked = await look(store, clock)
    assert (looked.resent, looked.owing) == (1, {"a"})
    (again,) = await store.read(outbox_rows.next_pending, "a", 0, 10)
    assert again.id == rows[0].id
    await stored(store, clock, "a")
    clock.advance(3599)
    assert (await look(store, clock)).resent == 0
    clock.advance(1)
    assert (await look(store, clock)).resent == 1


async def test_upkeep_works_off_what_is_due_in_batches(store, clock):
    """A batch is a thousand; what is more is due still, and what is not due costs nothing."""
    for _ in range(5):
        await store.write(emit, clock, ["a"], outbox_upkeep.BATCH // 5 + 1)
    await stored(store, clock, "a")
    clock.advance(30 * DAY)
    looked = [(await look(store, clock)).rows for _ in range(4)]
    assert looked == [outbox_upkeep.BATCH, outbox_upkeep.BATCH, 10, 0]


async def test_late_receipts_are_told_by_organisation(store, clock):
    """How many deliveries each organisation owes receipts for, a day after they were stored."""
    await store.write(emit, clock, ["a", "b"], 3)
    await stored(store, clock, "a")
    await stored(store, clock, "evt")
    assert await store.read(outbox_upkeep.unreceipted, clock.now_us()) == []
    assert await store.read(outbox_upkeep.unreceipted, clock.now_us() + 1) == [("a", 3)]


async def test_what_is_due_is_found_by_its_index(store, clock):
    """On PostgreSQL and SQLite alike, among many that are not due."""
    for _ in range(5):
        await store.write(emit, clock, ["a"], 200)
    await store.write(lambda conn: conn.execute(text("ANALYZE")) and None)
    plan = await store.read(_plan)
    assert "outbox_delivery_look" in plan
    assert "Seq Scan" not in plan


def _plan(conn):
    explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
    question = "SELECT position FROM outbox_delivery WHERE look_us <= 5 ORDER BY look_us LIMIT 1000"
    return " ".join(str(row) for row in conn.execute(text(f"{explain} {question}")))
