"""A restored registry is closed, and everybody who follows it hears so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from sqlalchemy import select

from services.identity import commands
from services.identity.platforms import store as platform_store
from services.identity.platforms.domain.platforms import Kind, Platform, PlatformState
from services.identity.store import METADATA
from shuniu.api.events.v1 import events_pb2
from shuniu.api.identity.v1 import platform_pb2
from shuniu.kit.process.config import HubSettings
from shuniu.kit.store import Store, audit
from shuniu.kit.store.tables import outbox_event
from shuniu.kit.testing.clock import ManualClock

HUB = HubSettings("150000", "枢纽", "hub.test.example", "https://hub.test.example", Path("/d"), Path("/r"))


@pytest_asyncio.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(store_url, METADATA, clock=clock, writer="commands")
    await opened.create_schema()
    yield opened
    await opened.close()


def platform(code: str, state: PlatformState) -> Platform:
    return Platform(code, code, Kind.BUREAU, "150100", 1, state=state, contact_phone="0471-1234567")


async def test_the_closing_of_a_restored_registry_is_published(store: Store, clock: ManualClock) -> None:
    """In the transaction that suspends: each platform that was suspended is an event in its new state, and the feed's next
    page names it. Platforms that did not work are none.
    """
    for code, state in (("a", PlatformState.ACTIVE), ("b", PlatformState.RETIRED), ("c", PlatformState.TESTING)):
        await store.write(platform_store.add, platform(code, state))
    seen = (await store.read(platform_store.feed, 0)).version
    assert await store.write(commands._close, HUB, clock, audit.ALGORITHM) == ["a", "c"]
    rows = await store.read(lambda conn: conn.execute(select(outbox_event)).all())
    told = {row.aggregate: events_pb2.PlatformChanged.FromString(row.data).platform for row in rows}
    assert {code: found.state for code, found in told.items()} == dict.fromkeys(
        ("a", "c"), platform_pb2.PLATFORM_STATE_SUSPENDED
    )
    assert [found.contact_phone for found in told.values()] == ["", ""]
    assert {row.topic for row in rows} == {"identity.platform.changed"}
    page = await store.read(platform_store.feed, seen)
    assert [row.code for row, _ in page.platforms] == ["a", "c"]
