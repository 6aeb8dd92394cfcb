"""What every service keeps for a time goes when the time is over, in batches until no more is due."""

import pytest
from sqlalchemy import func, insert, select

from shuniu.kit import upkeep
from shuniu.kit.events import dead_letters
from shuniu.kit.rpc import requests
from shuniu.kit.store.sweeping import BATCH
from shuniu.kit.store.tables import dead_letter, request_log
from shuniu.kit.store.tables import inbox as inbox_table
from tests.support.outbox import kit_store

DAY = 86_400
TABLES = (request_log, inbox_table, dead_letter)


@pytest.fixture
async def store(store_url, clock):
    async with kit_store(store_url, clock) as opened:
        yield opened


def fill(conn, clock, first, count):
    numbers, now = range(first, first + count), clock.now_us()
    answer = {"caller_key": "one", "rpc": "rpc", "digest": b"d", "response": b"", "time_us": now}
    conn.execute(insert(request_log), [{**answer, "request_id": f"r{number}"} for number in numbers])
    taken = {"source": "//hub/x", "digest": b"d", "time_us": now}
    conn.execute(insert(inbox_table), [{**taken, "event_id": f"e{number}"} for number in numbers])
    conn.execute(insert(dead_letter), [{"data": b"d", "headers": "{}", "time_us": now} for _ in numbers])


async def left(store):
    def read(conn):
        return tuple(conn.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES)

    return await store.read(read)


async def tidy(store, clock):
    await upkeep.tidy(store, clock.now_us(), requests.LEAST_KEPT_US)


async def test_each_table_has_its_time(store, clock):
    """Answers a day, receptions 90 days, dead letters that were replayed 30 days, and open ones a year."""
    await store.write(fill, clock, 0, 3)
    (first, *_) = await store.read(dead_letters.deaths)
    await store.write(dead_letters.mark_replayed, first.id, clock.now_us())
    for days, expected in ((1, (3, 3, 3)), (29, (0, 3, 2)), (60, (0, 0, 2)), (275, (0, 0, 0))):
        clock.advance(days * DAY)
        await tidy(store, clock)
        assert await left(store) == expected
        clock.advance(1)


async def test_a_sweep_ends_when_nothing_is_due(store, clock):
    """However much had come together, and nothing younger goes with it."""
    for at in range(6):
        await store.write(fill, clock, at * (BATCH // 5), BATCH // 5)
    clock.advance(366 * DAY)
    await store.write(fill, clock, 2 * BATCH, 2)
    await tidy(store, clock)
    assert await left(store) == (2, 2, 2)
