"""`shuniu events replay` sends a service's dead letters again in batches, whatever their number."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, MetaData

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.cli import events
from shuniu.kit import errors
from shuniu.kit.events import dead_letters
from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.foundation import ServiceSettings
from shuniu.kit.operations import Operations
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.server import servicer
from shuniu.kit.store import Store
from shuniu.kit.store.tables import kit_tables
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.foundation import foundation_of
from tests.support.guarded import short_directory

pytestmark = pytest.mark.timeout(60)
BATCH, LETTERS = 10, 35
# In the first batch, at the end of the second, and the last one of all.
HOPELESS = {1, 2 * BATCH, LETTERS}
METADATA = MetaData()
kit_tables(METADATA)


class Recorded(Operations):
    """The operations of every service; notes how many events each replay names."""

    sizes: list[int]

    async def ReplayDeadLetters(self, request: pb.ReplayDeadLettersRequest, context: Any) -> Any:
        self.sizes.append(len(request.event_ids))
        return await super().ReplayDeadLetters(request, context)


class Desk:
    """A service with dead letters, of which some fail again."""

    def __init__(self, directory: Path) -> None:
        self.data = directory
        hub = HubSettings("150000", "枢纽", "hub.test", "https://hub.test", directory, directory)
        self.store = Store.unchecked(f"sqlite:///{directory}/s.db", METADATA, clock=ManualClock(), writer="test")
        self.base = foundation_of("exchange", hub, ServiceSettings(), ManualClock(), self.store)
        self.operations = Recorded(self.base, list, replay=self.replay_one)
        self.operations.sizes = []
        (self.listener,) = self.base.listeners(edge=[], peer=[servicer(self.operations)])
        named = {"code": hub.code, "name": hub.name, "trust_domain": hub.trust_domain, "issuer": hub.issuer}
        settings = {**named, "data_dir": str(directory), "run_dir": str(directory)}
        lines = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in settings.items())
        (directory / "hub.toml").write_text(f"[hub]\n{lines}", "utf-8")

    async def replay_one(self, number: int) -> None:
        if number in HOPELESS:
            raise errors.precondition("EVENT_FAILED_AGAIN", "The event failed again.", "该事件再次处理失败。")
        await self.store.write(dead_letters.mark_replayed, number, 1)

    async def open_ones(self) -> set[int]:
        return {number for number, _ in await self.store.read(dead_letters.open_ids)}

    async def shuniu(self, *named: str, yes: bool) -> int:
        """Exit status of `shuniu events replay exchange`."""
        arguments = argparse.Namespace(data=self.data, service="exchange", event=list(named), yes=yes, json=True)
        return await asyncio.to_thread(events.replay, arguments)


def die(conn: Connection, numbers: range) -> None:
    for number in numbers:
        headers = {"ce-id": f"event-{number}", "ce-source": "//hub.test/identity", "ce-type": "t"}
        dead_letters.add(conn, "consumer", Delivered("evt.x", b"", headers, "EVT", number, 5, 0, ""), "ValueError", 7)


@pytest_asyncio.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(events, "BATCH", BATCH)
    with short_directory() as directory:
        found = Desk(directory)
        await found.store.create_schema()
        await found.store.write(die, range(1, LETTERS + 1))
        await found.listener.start()
        yield found
        await found.listener.stop(0)
        await found.store.close()


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON document; before it stands the log of the service, which runs in this process."""
    printed = capsys.readouterr().out
    return json.loads(printed[printed.index("{\n") :])


async def test_all_letters_are_replayed_in_batches(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """No request is for more than a batch, so that no unit of work, answer or deadline grows with the letters; one that
    fails again stops neither its batch nor those behind it, and is told.
    """
    assert await desk.shuniu(yes=True) == 1
    assert desk.operations.sizes == [BATCH, BATCH, BATCH, 5]
    assert await desk.open_ones() == HOPELESS
    told = document(capsys)
    assert (told["letters"], told["failures"], told["sent"]) == (LETTERS, len(HOPELESS), True)
    assert set(told["failed"]) == {f"event-{number}" for number in HOPELESS}


def die_for_three(conn: Connection) -> None:
    """Five events more, each with a letter for three readers."""
    for number in range(5):
        headers = {"ce-id": f"shared-{number}", "ce-source": "//hub.test/identity", "ce-type": "t"}
        for reader in ("a", "b", "c"):
            dead_letters.add(
                conn, reader, Delivered("evt.x", b"", headers, "EVT", 100 + number, 5, 0, ""), "ValueError", 7
            )


async def test_an_event_of_several_readers_is_replayed_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where its letters lie in two batches, and all fail again."""
    tried: list[int] = []

    async def fail(number: int) -> None:
        tried.append(number)
        raise errors.precondition("EVENT_FAILED_AGAIN", "The event failed again.", "该事件再次处理失败。")

    desk.operations._replay = fail
    await desk.store.write(die_for_three)
    await desk.shuniu(yes=True)
    assert len(tried) == len(set(tried)) == LETTERS + 15
    assert document(capsys)["failures"] == LETTERS + 15


async def test_a_preview_counts_and_sends_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --yes the letters are counted page by page."""
    assert await desk.shuniu(yes=False) == 0
    assert document(capsys)["letters"] == LETTERS
    assert len(await desk.open_ones()) == LETTERS


async def test_named_events_go_in_batches_too(desk: Desk) -> None:
    """Those that are named are sent, and no other."""
    named = [f"event-{number}" for number in range(2, 2 * BATCH)]
    assert await desk.shuniu(*named, yes=True) == 0
    assert desk.operations.sizes == [BATCH, BATCH - 2]
    assert await desk.open_ones() == {1, *range(2 * BATCH, LETTERS + 1)}


async def test_what_is_named_in_the_answer_is_bounded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The JSON document names the first ids and counts all."""
    monkeypatch.setattr(events, "MOST_NAMED", 15)
    assert await desk.shuniu(yes=True) == 1
    told = document(capsys)
    assert (len(told["event_ids"]), told["letters"]) == (15, LETTERS)
