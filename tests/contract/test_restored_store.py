"""What a store gives out after a restore is nothing that it may have given out before."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy import Connection

from services.esign.commands import COUNTERS
from services.exchange.cases import store as cases
from services.exchange.cases.domain import codes
from shuniu.kit.events import outbox
from shuniu.kit.store import Store, binding_of
from shuniu.kit.store.tables import KIT
from shuniu.kit.testing.clock import ManualClock

ITEM = "11150100MB1234567X2000109001000"


@pytest_asyncio.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(store_url, KIT, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


def given_out(conn: Connection) -> dict[str, int]:
    dialect = binding_of(conn).dialect
    return {
        "event": outbox.next_seq(conn, "case/1"),
        "certificate": dialect.next_value(conn, "certificate:1500002026"),
        "licence": dialect.next_value(conn, "licence:1500002026"),
        "feed": dialect.next_value(conn, "registry"),
    }


async def test_numbers_go_on_behind_what_the_world_may_have_seen(store: Store, clock: ManualClock) -> None:
    """Of events, documents and licences. A feed's go on as they were: its readers begin again with the epoch."""
    before = await store.write(given_out)
    assert await store.begin_restored(COUNTERS) == 2
    after = await store.write(given_out)
    assert {name for name in after if after[name] - before[name] > 100_000} == {"event", "certificate", "licence"}
    assert after["feed"] == before["feed"] + 1
    await store.look_at_schema()
    assert (store.epoch, await store.read(lambda conn: binding_of(conn).restored_us)) == (2, clock.now_us())


async def test_case_codes_of_the_day_of_a_restore_are_from_their_other_half(store: Store, clock: ManualClock) -> None:
    """Also for an item that had no case yet when the backup was made; the next day begins at 1 again, with four digits."""

    async def serial(day: dt.date) -> int:
        return await store.write(cases.next_serial, ITEM, f"{day:%Y%m%d}")

    today = cases.civil_date(clock.now_us())
    assert await serial(today) == 1
    await store.begin_restored(())
    await store.look_at_schema()
    found = await serial(today)
    assert found > codes.MAX_SERIAL // 2
    assert found <= codes.MAX_SERIAL
    assert await serial(today + dt.timedelta(days=1)) == 1
