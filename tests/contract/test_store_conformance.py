"""What every store promises. One suite, run on SQLite, on PostgreSQL and on the generic dialect."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from shuniu.kit.rpc.paging import keyset
from shuniu.kit.store import LostRaceError, SchemaTooOldError, Store, announce, kit_tables
from shuniu.kit.testing import ManualClock, eventually

metadata = MetaData()
kit_tables(metadata)
item = Table(
    "item",
    metadata,
    Column("code", Text, primary_key=True),
    Column("division", Text, primary_key=True, server_default=""),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("name", Text, nullable=False, server_default=""),
    Column("body", LargeBinary),
)


@pytest.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(store_url, metadata, clock=clock, writer="test")
    await opened.create_schema()
    yield opened
    await opened.close()


def put(conn: Connection, code: str, name: str = "") -> None:
    conn.execute(insert(item), {"code": code, "division": "", "name": name})


def put_then_fail(conn: Connection, code: str) -> None:
    put(conn, code)
    raise LookupError(code)


def codes(conn: Connection) -> list[str]:
    return list(conn.execute(select(item.c.code).order_by(item.c.code)).scalars())


def rows_of(conn: Connection) -> list[tuple[str, int, str]]:
    return [tuple(row) for row in conn.execute(select(item.c.code, item.c.version, item.c.name).order_by(item.c.code))]


async def test_answered_write_is_read(store: Store) -> None:
    """A read that begins after a write was answered sees it."""
    await store.write(put, "A", "居民身份证")
    assert await store.read(rows_of) == [("A", 0, "居民身份证")]


async def test_result_comes_back(store: Store) -> None:
    """What a unit returns is what its caller gets."""
    assert await store.write(lambda _conn: 42) == 42


async def test_failing_unit_undoes_only_itself(store: Store) -> None:
    """Of units that wait together, the failing ones leave nothing and get their own exception."""
    units = [store.write(put_then_fail if n % 3 == 0 else put, f"{n:02}") for n in range(30)]
    answers = await asyncio.gather(*units, return_exceptions=True)
    failed = [n for n, answer in enumerate(answers) if isinstance(answer, LookupError) and answer.args == (f"{n:02}",)]
    assert [n for n in range(30) if n % 3 == 0] == failed
    assert [f"{n:02}" for n in range(30) if n % 3] == await store.read(codes)


async def test_failing_unit_undoes_tables_too(store: Store) -> None:
    """A unit that made a table and then failed leaves no table, and those beside it keep what they wrote."""

    def make_then_fail(conn: Connection) -> None:
        Table("made_in_vain", MetaData(), Column("code", Text, primary_key=True)).create(conn)
        raise LookupError

    answers = await asyncio.gather(
        store.write(put, "A"), store.write(make_then_fail), store.write(put, "B"), return_exceptions=True
    )
    assert [LookupError] == [type(answer) for answer in answers if answer is not None]
    assert await store.read(codes) == ["A", "B"]
    assert not await store.read(lambda conn: inspect(conn).has_table("made_in_vain"))


async def test_constraint_violation_is_the_units_own(store: Store) -> None:
    """A violated constraint reaches the unit's caller unchanged, and the store stays writable."""
    await store.write(put, "A")
    with pytest.raises(IntegrityError):
        await store.write(put, "A")
    assert store.writable
    await store.write(put, "B")


async def test_units_act_one_after_another(store: Store) -> None:
    """A check and the write that relies on it are not separated: forty increments count to forty."""
    await store.write(put, "A")

    def increment(conn: Connection) -> None:
        version = conn.execute(select(item.c.version).where(item.c.code == "A")).scalar_one()
        conn.execute(update(item).where(item.c.code == "A").values(version=version + 1))

    await asyncio.gather(*(store.write(increment) for _ in range(40)))
    assert await store.read(rows_of) == [("A", 40, "")]


async def test_lost_race_runs_again(store: Store) -> None:
    """A unit that finds itself overtaken is run again, and what it had written is undone."""
    tries = []

    def overtaken_once(conn: Connection) -> int:
        tries.append(1)
        put(conn, "A")
        if len(tries) == 1:
            raise LostRaceError("first")
        return len(tries)

    assert await store.write(overtaken_once) == 2


async def test_reader_cannot_write(store: Store) -> None:
    """A unit given to `read` cannot change anything."""
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        await store.read(put, "A")
    assert await store.read(codes) == []


async def test_cancelled_callers_do_not_disturb(store: Store) -> None:
    """A caller that goes away takes nobody with it."""
    leaving = asyncio.create_task(store.write(put, "gone"))
    staying = asyncio.create_task(store.write(put, "kept"))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    await asyncio.gather(leaving, return_exceptions=True)
    await store.write(put, "later")
    assert {"kept", "later"} <= set(await store.read(codes)) <= {"gone", "kept", "later"}


async def test_upsert_keeps_the_newer_version(store: Store) -> None:
    """An upsert with a guard never lets an older version overwrite a newer one, also within one call."""

    def upsert(conn: Connection, versions: list[tuple[str, int]]) -> int:
        rows = [{"code": c, "division": "", "version": v, "name": f"{c}{v}"} for c, v in versions]
        return store.dialect.upsert(conn, item, rows, ["code", "division"], "version")

    assert await store.write(upsert, [("A", 2), ("B", 5), ("A", 1)]) == 2
    assert await store.write(upsert, [("A", 1), ("B", 6), ("C", 1)]) == 2
    assert await store.write(upsert, []) == 0
    assert await store.read(rows_of) == [("A", 2, "A2"), ("B", 6, "B6"), ("C", 1, "C1")]


async def test_upsert_without_guard_overwrites(store: Store) -> None:
    """Without a guard the last row wins; rows of keys only are left as they are."""

    def upsert(conn: Connection, name: str) -> int:
        return store.dialect.upsert(
            conn, item, [{"code": "A", "name": name, "division": ""}], ["code", "division"], None
        )

    def keys_only(conn: Connection) -> int:
        return store.dialect.upsert(conn, item, [{"code": "A", "division": ""}], ["code", "division"], None)

    await store.write(upsert, "one")
    await store.write(upsert, "two")
    assert await store.write(keys_only) == 0
    assert await store.read(rows_of) == [("A", 0, "two")]


@pytest.mark.parametrize("number", [1, 10, 1000])
async def test_insert_many(store: Store, number: int) -> None:
    """Bulk rows arrive whole, binary and Chinese alike, and disappear with the unit that fails."""
    rows = [
        {"code": f"{n:05}", "division": "150000", "version": n, "name": "盟市", "body": bytes([n % 256])}
        for n in range(number)
    ]

    def bulk(conn: Connection) -> None:
        store.dialect.insert_many(conn, item, rows)

    def bulk_then_fail(conn: Connection) -> None:
        bulk(conn)
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(bulk_then_fail)
    await store.write(bulk)
    got = await store.read(
        lambda conn: [dict(row) for row in conn.execute(select(item).order_by(item.c.code)).mappings()]
    )
    assert rows == got


async def test_insert_ignore_counts_the_new(store: Store) -> None:
    """Rows whose key is known are left alone; the number of new ones comes back."""

    def ignore(conn: Connection, new: list[str]) -> int:
        return store.dialect.insert_ignore(conn, item, [{"code": code, "division": "", "name": "x"} for code in new])

    await store.write(put, "A", "first")
    assert await store.write(ignore, ["A", "B", "C"]) == 2
    assert await store.write(ignore, ["A", "B"]) == 0
    assert await store.write(ignore, []) == 0
    assert await store.read(rows_of) == [("A", 0, "first"), ("B", 0, "x"), ("C", 0, "x")]


async def test_counters_have_no_gaps_and_no_doubles(store: Store) -> None:
    """Numbers drawn at once are 1..n, and a number drawn by a unit that failed is drawn again."""

    def draw(conn: Connection) -> int:
        return store.dialect.next_value(conn, "serial")

    def draw_then_fail(conn: Connection) -> None:
        draw(conn)
        raise LookupError

    drawn = await asyncio.gather(*(store.write(draw) for _ in range(20)))
    assert list(range(1, 21)) == sorted(drawn)
    with pytest.raises(LookupError):
        await store.write(draw_then_fail)
    assert await store.write(draw) == 21
    assert await store.write(lambda conn: store.dialect.next_value(conn, "serial", 10)) == 31

    def several(conn: Connection) -> list[int]:
        return store.dialect.next_values(conn, ["new", "serial", "other"])

    assert await store.write(several) == [1, 32, 1]
    assert await store.write(several) == [2, 33, 2]


async def test_keyset_pages_neither_repeat_nor_lose(store: Store) -> None:
    """Paging by two columns visits each row once, in order."""
    await store.write(
        lambda conn: store.dialect.insert_many(
            conn, item, [{"code": f"{n:02}", "division": "", "version": n % 4} for n in range(25)]
        )
    )
    after: tuple[str | int, ...] = ()
    seen: list[tuple[int, str]] = []
    while True:
        page = await store.read(
            lambda conn, after: [
                tuple(row)
                for row in conn.execute(
                    keyset(select(item.c.version, item.c.code), [item.c.version, item.c.code], after, 7)
                )
            ],
            after,
        )
        if not page:
            break
        seen += page
        after = page[-1]
    assert sorted((n % 4, f"{n:02}") for n in range(25)) == seen


async def test_missing_table_is_named(store_url: str, clock: ManualClock) -> None:
    """A store that was not migrated is refused, and the refusal names what is missing."""
    with pytest.raises(SchemaTooOldError, match=r"item.*shuniu migrate"):
        await Store.open(store_url, metadata, clock=clock)


async def test_epoch_is_raised_and_kept(store: Store, store_url: str, clock: ManualClock) -> None:
    """Each restore raises the epoch by one; whoever opens the store afterwards sees it."""
    assert store.epoch == 1
    assert 2 == await store.begin_restored(()) == store.epoch
    await store.close()
    again = await Store.open(store_url, metadata, clock=clock)
    assert again.epoch == 2
    await again.close()


def put_with_news(conn: Connection, code: str) -> None:
    announce(conn, "items")
    put(conn, code)


async def test_listeners_hear_of_what_is_committed(store: Store) -> None:
    """After the commit, each of its topics, and never of a unit that failed, in whatever company it failed."""
    heard: list[int] = []

    def fail(conn: Connection, code: str) -> None:
        announce(conn, "failed")
        put_then_fail(conn, code)

    store.listen("items", lambda: heard.append(1))
    store.listen("failed", lambda: heard.append(2))
    work = [
        store.write(fail, "a"),
        store.write(put_with_news, "b"),
        store.write(put, "c"),
        store.write(fail, "d"),
    ]
    await asyncio.gather(*work, return_exceptions=True)
    await eventually(lambda: heard == [1])
    assert await store.read(codes) == ["b", "c"]
    store.unlisten("items", store._listeners["items"][0])
    await store.write(put_with_news, "e")
    assert heard == [1]


async def test_listeners_hear_of_a_commit_whose_caller_has_left(store: Store) -> None:
    """What was committed all the same is told all the same."""
    heard: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(conn: Connection) -> None:
        put_with_news(conn, "a")
        begun.set()
        go_on.wait(10)

    if store.is_shared:
        # There a unit runs on the caller's own task: who leaves takes it along, and nothing is committed.
        go_on.set()
    store.listen("items", lambda: heard.append(1))
    leaving = asyncio.create_task(store.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    leaving.cancel()
    go_on.set()
    await asyncio.gather(leaving, return_exceptions=True)
    await store.write(put, "b")
    assert ("a" in await store.read(codes)) is (heard == [1])
    assert store.is_shared or heard == [1]
