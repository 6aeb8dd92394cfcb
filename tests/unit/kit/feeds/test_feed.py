"""Read models are right again after any outage: kept in the reader's store, guarded by version, rebuilt on a new epoch."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import MetaData

from shuniu.api.common.v1 import registry_pb2 as pb
from shuniu.api.common.v1 import registry_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.feeds import feed as module
from shuniu.kit.feeds.feed import Change, Page, Replica, Swap, replica_tables
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.rpc import client
from shuniu.kit.rpc.caller import ANONYMOUS, Caller, CallerKind
from shuniu.kit.rpc.server import Listener, peer_listener, servicer
from shuniu.kit.store import Store
from shuniu.kit.store.tables import kit_tables
from shuniu.kit.testing import ManualClock, eventually
from tests.support.guarded import short_directory

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
AWAY = errors.unavailable("AWAY", "Away.", "不可用。")


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(f"sqlite:///{tmp_path}/s.db", METADATA, clock=clock, writer="test")
    await opened.create_schema()
    yield opened
    await opened.close()


class Feed:
    """A publisher that says what the test put on its tongue, then nothing more."""

    def __init__(self, *answers: Page | errors.HubError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    async def pull(self, version: int, epoch: int) -> Page:
        self.asked.append((version, epoch))
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, errors.HubError):
            raise answer
        return answer


class Model:
    """What the reader knows."""

    def __init__(self, feed: Feed, store: Store | None) -> None:
        self.known: dict[str, bytes] = {}
        self.lasting: dict[str, bytes] = {}
        self.read_in: list[threading.Thread] = []
        self.replica = Replica(
            "f", feed.pull, self.known.update, self._read_all, store, take_lasting=self.lasting.update
        )

    def _read_all(self, rows: Mapping[str, bytes]) -> Swap:
        self.read_in.append(threading.current_thread())

        def swap() -> None:
            self.known.clear()
            self.known.update(rows)

        return swap


@contextlib.asynccontextmanager
async def following(replica: Replica) -> AsyncIterator[None]:
    task = asyncio.create_task(replica.follow())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def page(version: int, *changes: Change, epoch: int = 1, reset: bool = False, more: bool = False) -> Page:
    return Page(changes, version, epoch, reset, more)


async def test_pages_are_followed_to_the_end(store: Store) -> None:
    """A reader asks after the version it has, page by page, and is current only once there is no more."""
    feed = Feed(page(2, Change("a", 1, b"1"), Change("b", 2, b"2"), more=True), AWAY, page(3, Change("a", 3, b"3")))
    model = Model(feed, store)
    async with following(model.replica):
        await asyncio.wait_for(model.replica.current.wait(), 5)
        await eventually(lambda: len(feed.asked) == 4)
    assert model.known == {"a": b"3", "b": b"2"}
    assert feed.asked == [(0, 0), (2, 1), (2, 1), (3, 1)]


async def test_a_restarted_reader_knows_what_it_knew(store: Store) -> None:
    """After a restart the reader has its copy at once, without the publisher, and goes on from its version."""
    first = Model(Feed(page(2, Change("a", 1, b"1"), Change("b", 2, b"2"))), store)
    async with following(first.replica):
        await asyncio.wait_for(first.replica.current.wait(), 5)
    feed = Feed(AWAY)
    second = Model(feed, store)
    await second.replica.load()
    assert second.known == {"a": b"1", "b": b"2"}
    assert second.read_in != [threading.main_thread()]
    assert not second.replica.current.is_set()
    async with following(second.replica):
        await eventually(lambda: len(feed.asked) == 2)
    assert feed.asked == [(2, 1), (2, 1)]
    assert second.known == {"a": b"1", "b": b"2"}


async def test_another_epoch_begins_anew(store: Store) -> None:
    """After the publisher's restore, what it no longer has is forgotten, in memory and in the store, whatever its version."""
    feed = Feed(
        page(9, Change("a", 8, b"old"), Change("b", 9, b"gone")), page(1, Change("a", 1, b"new"), epoch=2, reset=True)
    )
    model = Model(feed, store)
    async with following(model.replica):
        await eventually(lambda: len(feed.asked) == 3)
    assert model.known == {"a": b"new"}
    assert feed.asked[-1] == (1, 2)
    again = Model(Feed(), store)
    await again.replica.load()
    assert again.known == {"a": b"new"}


async def test_a_reset_is_built_aside(store: Store) -> None:
    """While a feed that begins anew comes page by page, the reader has what it had, in memory and in the store, and then all
    of the new at once; a reader that is restarted meanwhile begins anew again.
    """
    gate = asyncio.Event()
    half = page(1, Change("a", 1, b"new"), epoch=2, reset=True, more=True)
    feed = Feed(page(9, Change("a", 8, b"old"), Change("b", 9, b"old")), half)
    model = Model(feed, store)
    async with following(model.replica):
        await eventually(lambda: len(feed.asked) == 3)
    restarted = Model(Feed(half, page(2, Change("b", 2, b"new"), epoch=2)), store)
    await restarted.replica.load()
    assert model.known == restarted.known == {"a": b"old", "b": b"old"}
    seen: list[dict[str, bytes]] = []

    def read_all(rows: Mapping[str, bytes]) -> Swap:
        seen.append(dict(rows))
        return gate.set

    restarted.replica._read_all = read_all
    async with following(restarted.replica):
        await asyncio.wait_for(gate.wait(), 5)
        await asyncio.wait_for(restarted.replica.current.wait(), 5)
    assert seen == [{"a": b"new", "b": b"new"}]
    again = Model(Feed(), store)
    await again.replica.load()
    assert again.known == {"a": b"new", "b": b"new"}


async def test_lasting_rows_outlive_a_restart_and_a_reset(store: Store) -> None:
    """They are stored with the cursor and end when the reader finds them expired."""
    last = Page([], 1, 1, reset=True, more=False, lasting=[Change("x", 1, b"1"), Change("y", 1, b"1")])
    anew = page(1, Change("a", 1, b"1"), epoch=2, reset=True)
    feed = Feed(last, anew)
    async with following(Model(feed, store).replica):
        await eventually(lambda: len(feed.asked) == 3)
    again = Model(Feed(Page([], 2, 2, reset=False, more=False, lasting=[Change("z", 2, b"1")], expired=["x"])), store)
    await again.replica.load()
    assert (again.known, again.lasting) == ({"a": b"1"}, {"x": b"1", "y": b"1"})
    async with following(again.replica):
        await asyncio.wait_for(again.replica.current.wait(), 5)
    third = Model(Feed(), store)
    await third.replica.load()
    assert third.lasting == {"y": b"1", "z": b"1"}


async def test_what_cannot_be_stored_is_known_all_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspension counts though the disk is full; it is asked for again, and stored when there is room."""
    monkeypatch.setattr(module, "STORE_RETRY_SECONDS", 0.01)
    full, write = [True], store.write

    async def writes(*work: Any) -> Any:
        if full:
            full.pop()
            raise errors.exhausted("STORE_FULL", "Full.", "已满。")
        return await write(*work)

    monkeypatch.setattr(store, "write", writes)
    model = Model(Feed(page(1, Change("a", 1, b"1")), page(1, Change("a", 1, b"1"))), store)
    async with following(model.replica):
        await eventually(lambda: model.known == {"a": b"1"})
        await asyncio.wait_for(model.replica.current.wait(), 5)
    again = Model(Feed(), store)
    await again.replica.load()
    assert again.known == {"a": b"1"}


async def test_an_older_change_does_not_set_back(store: Store) -> None:
    """A row that the store has in a later version is not overwritten by an earlier one."""
    ahead = Model(Feed(page(5, Change("a", 5, b"new"))), store)
    async with following(ahead.replica):
        await asyncio.wait_for(ahead.replica.current.wait(), 5)
    behind = Model(Feed(page(3, Change("a", 3, b"old"))), store)
    async with following(behind.replica):
        await asyncio.wait_for(behind.replica.current.wait(), 5)
    again = Model(Feed(), store)
    await again.replica.load()
    assert again.known == {"a": b"new"}


async def test_a_reader_without_store(store: Store) -> None:
    """A process without a database keeps its copy in memory."""
    model = Model(Feed(page(1, Change("a", 1, b"1"))), None)
    await model.replica.load()
    async with following(model.replica):
        await asyncio.wait_for(model.replica.current.wait(), 5)
    assert model.known == {"a": b"1"}


class Publisher(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Identity's end of the registry feed."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[pb.PullRegistryResponse] = asyncio.Queue()
        self.version = 0

    async def PullRegistry(self, request: pb.PullRegistryRequest, context: Any) -> pb.PullRegistryResponse:
        return await self.answers.get()

    def say(self, *platforms: pb.PlatformEntry, ended: str = "", clock: ManualClock | None = None) -> None:
        self.version += 1
        for entry in platforms:
            entry.version = self.version
        answer = pb.PullRegistryResponse(platforms=platforms, version=self.version, epoch=1)
        if ended:
            answer.ended_sessions.add(session_id=ended).ended_at.FromMicroseconds(clock.now_us() if clock else 0)
        self.answers.put_nowait(answer)

    async def serve(self, address: str) -> Listener:
        listener = peer_listener(
            address,
            [servicer(self)],
            "hub.test",
        )
        await listener.start()
        return listener


@pytest.fixture
async def land(store: Store, clock: ManualClock) -> AsyncIterator[tuple[Registry, Publisher, grpc.aio.Channel]]:
    publisher = Publisher()
    with short_directory() as directory:
        listener = await publisher.serve(f"unix:{directory}/i")
        async with client.channel(listener.address, service="exchange") as channel:
            registry = Registry(channel, store, clock)
            async with following(registry.replica):
                yield registry, publisher, channel
        await listener.stop(0)


def entry(code: str, state: str = "ACTIVE", **more: Any) -> pb.PlatformEntry:
    return pb.PlatformEntry(code=code, state=state, **more)


async def test_a_suspension_is_heard_and_told(land: tuple[Registry, Publisher, Any]) -> None:
    """A platform works while it is ACTIVE or TESTING; a change tells the listeners, so that streams are cut."""
    registry, publisher, _ = land
    told: list[frozenset[str]] = []
    registry.on_change(lambda: told.append(registry.stopped()))
    a, b = Caller(CallerKind.PLATFORM, "a"), Caller(CallerKind.PERSON, "b", "s")
    publisher.say(entry("a"), entry("b", "TESTING"))
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    assert (registry.refuse(a), registry.refuse(b), registry.stopped()) == (None, None, frozenset())
    publisher.say(entry("b", "SUSPENDED"))
    await eventually(lambda: told[-1:] == [frozenset({"b"})])
    assert registry.refuse(a) is None
    refusal = registry.refuse(b)
    assert refusal is not None
    assert (refusal.reason, refusal.metadata) == ("PLATFORM_STOPPED", {"platform": "b"})


@pytest.mark.parametrize("state", ["SUSPENDED", "RETIRED", "", "SOMETHING_NEW"])
async def test_only_working_states_work(land: tuple[Registry, Publisher, Any], state: str) -> None:
    """Any other state, known or not, is turned away."""
    registry, publisher, _ = land
    publisher.say(entry("a", state))
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    assert registry.refuse(Caller(CallerKind.PLATFORM, "a")) is not None
    assert registry.stopped() == {"a"}


async def test_a_platform_works_the_moment_it_is_enrolled(land: tuple[Registry, Publisher, Any]) -> None:
    """Who holds a token that identity has just given is admitted, though this copy has not heard of the enrolment yet."""
    registry, publisher, _ = land
    publisher.say(entry("a", "APPLIED"))
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    assert registry.refuse(Caller(CallerKind.PLATFORM, "a")) is None
    assert registry.refuse(Caller(CallerKind.PLATFORM, "unknown")) is None
    assert registry.stopped() == frozenset()


async def test_nobody_services_and_operators_are_not_platforms(land: tuple[Registry, Publisher, Any]) -> None:
    """Who is no platform is not looked for in the registry."""
    registry, _, _ = land
    for caller in (ANONYMOUS, Caller(CallerKind.SERVICE, "esign"), Caller(CallerKind.OPERATOR, "root")):
        assert registry.refuse(caller) is None


async def test_an_ended_session_is_refused(land: tuple[Registry, Publisher, Any], clock: ManualClock) -> None:
    """A token of an ended session is refused everywhere, and remembered longer than any token lives."""
    registry, publisher, _ = land
    publisher.say(entry("a"), ended="s1", clock=clock)
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    person = Caller(CallerKind.PERSON, "a", "p", session="s1")
    refusal = registry.refuse(person)
    assert refusal is not None
    assert refusal.reason == "SESSION_ENDED"
    clock.advance(16 * 60)
    publisher.say(ended="s2", clock=clock)
    await eventually(lambda: registry.refuse(person) is None)


async def test_an_ended_session_stays_ended_after_a_restart(
    land: tuple[Registry, Publisher, Any], store: Store, clock: ManualClock
) -> None:
    """A service that was started anew refuses the token of a session that ended before, though identity is unavailable."""
    registry, publisher, channel = land
    publisher.say(entry("a"), ended="s1", clock=clock)
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    restarted = Registry(channel, store, clock)
    await restarted.replica.load()
    refusal = restarted.refuse(Caller(CallerKind.PERSON, "a", "p", session="s1"))
    assert refusal is not None
    assert refusal.reason == "SESSION_ENDED"


async def test_suspended_platforms_are_refused_while_the_registry_begins_anew(
    land: tuple[Registry, Publisher, Any],
) -> None:
    """Whoever applies the list, as the edge does, never hears of one that is empty or half read."""
    registry, publisher, _ = land
    publisher.say(entry("a", "SUSPENDED"), entry("b", "SUSPENDED"))
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    told: list[frozenset[str]] = []
    registry.on_change(lambda: told.append(registry.stopped()))
    for code, more in (("a", True), ("b", False)):
        rows = [entry(code, "SUSPENDED", version=1)]
        publisher.answers.put_nowait(pb.PullRegistryResponse(platforms=rows, version=1, epoch=2, reset=more, more=more))
    await eventually(lambda: told)
    assert told == [frozenset({"a", "b"})]


async def test_a_page_of_platforms_is_told_once(
    land: tuple[Registry, Publisher, Any], store: Store, clock: Any
) -> None:
    """Neither a page nor the stored copy is told platform by platform: the start does not grow with their square."""
    registry, publisher, channel = land
    told: list[int] = []
    registry.on_change(lambda: told.append(len(registry.platforms())))
    publisher.say(*(entry(f"p{n}", "SUSPENDED" if n % 2 else "ACTIVE") for n in range(100)))
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    restarted = Registry(channel, store, clock)
    restarted.on_change(lambda: told.append(len(restarted.platforms())))
    await restarted.replica.load()
    assert told == [100, 100]
    assert restarted.stopped() == registry.stopped() == {f"p{n}" for n in range(1, 100, 2)}
    publisher.say(entry("p1"))
    await eventually(lambda: "p1" not in registry.stopped())
    assert len(registry.stopped_by_state()["SUSPENDED"]) == 49


async def test_the_encryption_key_is_the_one_for_encryption(land: tuple[Registry, Publisher, Any]) -> None:
    """Data are sealed to the key meant for it; a platform without one has none."""
    registry, publisher, _ = land
    publisher.say(
        entry("a", jwks='{"keys":[{"use":"sig","kid":"1"},{"use":"enc","kid":"2"}]}'),
        entry("b"),
        entry("c", jwks='{"keys":[{"use":"sig","kid":"1"}]}'),
    )
    await asyncio.wait_for(registry.replica.current.wait(), 5)
    found: Callable[[str], Any] = registry.encryption_key
    assert [found(code) for code in ("a", "b", "c", "d")] == [{"use": "enc", "kid": "2"}, None, None, None]
