"""The serving half of a feed: a caller never misses a change, never waits beyond its end, and starts anew when it must."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData

from shuniu.kit.feeds.serving import FeedServer
from shuniu.kit.store import Store
from shuniu.kit.store.tables import kit_tables
from shuniu.kit.testing import ManualClock, eventually

METADATA = MetaData()
kit_tables(METADATA)


@dataclass(frozen=True)
class Page:
    version: int


class Publisher:
    """A publisher that has reached a version; a test may change it, or what happens within a read."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.reads: list[int] = []

    def read(self, conn: Connection, after: int) -> Page:
        self.reads.append(after)
        return Page(self.version)


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(f"sqlite:///{tmp_path}/s.db", METADATA, clock=clock, writer="test")
    await opened.create_schema()
    yield opened
    await opened.close()


async def test_a_change_is_answered_at_once(store: Store) -> None:
    """Who is behind gets the page without a wait."""
    served = FeedServer(store, "feed")
    assert await served.pull(Publisher(7).read, after_version=3, epoch=store.epoch, wait_s=20) == (Page(7), False)


@pytest.mark.parametrize(("after", "epoch"), [(3, 99), (9, None), (-1, None)])
async def test_another_history_starts_anew(store: Store, after: int, epoch: int | None) -> None:
    """Another epoch, a version that this store has never reached, a version that is none: all from the beginning."""
    publisher = Publisher(7)
    answer = await FeedServer(store, "feed").pull(
        publisher.read, after_version=after, epoch=store.epoch if epoch is None else epoch, wait_s=20
    )
    assert answer == (Page(7), True)
    assert publisher.reads[-1] == 0


async def test_an_empty_history_is_no_reason_to_ask_again(store: Store) -> None:
    """A caller of another epoch is told so at once, though there is nothing yet."""
    assert await FeedServer(store, "feed").pull(Publisher(0).read, after_version=5, epoch=99, wait_s=20) == (
        Page(0),
        True,
    )


async def test_a_wait_ends_with_the_change(store: Store) -> None:
    """A commit that wakes the server is answered to those who wait."""
    served, publisher = FeedServer(store, "feed"), Publisher(7)
    waiting = asyncio.create_task(served.pull(publisher.read, after_version=7, epoch=store.epoch, wait_s=20))
    await eventually(lambda: publisher.reads)
    publisher.version = 8
    served.wake()
    assert await waiting == (Page(8), False)


async def test_a_commit_beside_the_read_is_not_missed(store: Store) -> None:
    """What is committed after the read and before the wait wakes the wait; else it would be seen half a second later."""
    served, publisher = FeedServer(store, "feed"), Publisher(7)
    loop = asyncio.get_running_loop()
    reads = 0

    def read(conn: Connection, after: int) -> Page:
        nonlocal reads
        reads += 1
        found = Page(publisher.version)
        if reads == 1:
            publisher.version = 8
            loop.call_soon_threadsafe(served.wake)
        return found

    assert await served.pull(read, after_version=7, epoch=store.epoch, wait_s=0.4) == (Page(8), False)
    assert reads == 2


async def test_changes_of_other_replicas_are_seen(store: Store) -> None:
    """They wake nobody here; a waiting call reads again by itself."""
    served, publisher = FeedServer(store, "feed"), Publisher(7)
    waiting = asyncio.create_task(served.pull(publisher.read, after_version=7, epoch=store.epoch, wait_s=20))
    await eventually(lambda: publisher.reads)
    publisher.version = 8
    assert await waiting == (Page(8), False)


async def test_a_wait_without_change_ends(store: Store) -> None:
    """With the version that the caller has."""
    served = FeedServer(store, "feed")
    assert await served.pull(Publisher(7).read, after_version=7, epoch=store.epoch, wait_s=0) == (Page(7), False)
    assert await served.pull(Publisher(7).read, after_version=7, epoch=store.epoch, wait_s=-5) == (Page(7), False)


async def test_draining_ends_every_wait(store: Store) -> None:
    """The one that waits, and one that comes later."""
    served, publisher = FeedServer(store, "feed"), Publisher(7)
    waiting = asyncio.create_task(served.pull(publisher.read, after_version=7, epoch=store.epoch, wait_s=20))
    await eventually(lambda: publisher.reads)
    served.drain()
    assert await waiting == (Page(7), False)
    assert await served.pull(publisher.read, after_version=7, epoch=store.epoch, wait_s=20) == (Page(7), False)
