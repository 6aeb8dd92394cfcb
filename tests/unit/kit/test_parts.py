"""A process as a list of parts: what is joined, and what is closed when."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import MetaData

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import registry_pb2_grpc
from shuniu.kit.foundation import Foundation, ServiceSettings
from shuniu.kit.operations import Operations
from shuniu.kit.parts import Part, Parts
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall, set_current
from shuniu.kit.rpc.server import servicer
from shuniu.kit.store import Store
from shuniu.kit.store.tables import kit_tables
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.foundation import foundation_of

METADATA = MetaData()
kit_tables(METADATA)


@pytest_asyncio.fixture
async def base(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Foundation]:
    hub = HubSettings("150000", "枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path)
    store = Store.unchecked(f"sqlite:///{tmp_path}/exchange.db", METADATA, clock=clock, writer="exchange")
    await store.create_schema()
    yield foundation_of("exchange", hub, ServiceSettings(ops_port=4711), clock, store)
    await store.close()


class Feed(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Any servicer that is not the operations'."""


@dataclass
class Diary:
    """What was closed, in order."""

    lines: list[str]

    def closing(self, name: str) -> Callable[[], Awaitable[None]]:
        async def close() -> None:
            self.lines.append(name)

        return close


async def work() -> None:
    """A task."""


def facts(**found: str) -> Callable[[], Awaitable[Mapping[str, str]]]:
    async def told() -> Mapping[str, str]:
        return found

    return told


async def test_an_empty_part_adds_nothing(base: Foundation) -> None:
    """What remains is what every process has: the registry followed, operations served and watched, upkeep."""
    async with Parts(base) as parts:
        parts.add(Part())
        process = parts.process()
    (peer,) = process.listeners
    assert peer.address.endswith("exchange.peer.sock")
    assert process.tasks[0] == base.registry.replica.follow
    assert [task.__qualname__ for task in process.tasks[1:]] == ["Operations.watch", "Upkeep.run"]
    assert process.not_ready() == []
    assert process.ops_port == 4711
    assert list(process.on_drain) == []


async def test_parts_become_one_process(base: Foundation) -> None:
    """Servicers of the edge are at both listeners; tasks and what is drained keep their order; one fact of each."""
    drained: list[str] = []
    async with Parts(base) as parts:
        parts.add(Part(edge=[servicer(Feed())], tasks=[work], facts=facts(size="3")))
        parts.add(Part(facts=facts(bus="connected"), on_drain=lambda: drained.append("feed")))
        process = parts.process()
    assert [listener.address.rpartition("/")[2] for listener in process.listeners] == [
        "exchange.edge.sock",
        "exchange.peer.sock",
    ]
    assert process.tasks[-1] is work
    for let_go in process.on_drain:
        let_go()
    assert drained == ["feed"]
    owners = (getattr(task, "__self__", None) for task in process.tasks)
    (operations,) = (owner for owner in owners if isinstance(owner, Operations))
    set_current(CurrentCall("/x/GetStatus", "r", "", audit=False, caller=Caller(CallerKind.SERVICE, "exchange")))
    status = await operations.GetStatus(pb.GetStatusRequest(), None)
    assert dict(status.facts) == {"size": "3", "bus": "connected"}


async def test_a_process_is_ready_when_all_parts_are(base: Foundation) -> None:
    """Every reason is told, in the order of the parts."""
    reasons: list[str] = []
    async with Parts(base) as parts:
        parts.add(Part(not_ready=lambda: reasons))
        parts.add(Part(not_ready=lambda: ["the ledger must be opened again"]))
        process = parts.process()
    assert process.not_ready() == ["the ledger must be opened again"]
    reasons.append("no keys")
    assert process.not_ready() == ["no keys", "the ledger must be opened again"]


async def test_the_last_part_is_closed_first(base: Foundation) -> None:
    """What was built on others goes before them, also when a part could not be opened."""
    diary = Diary([])
    with pytest.raises(ValueError, match="the third"):
        async with Parts(base) as parts:
            first = parts.add(Part(close=diary.closing("first")))
            assert first.close is not None
            parts.add(Part())
            parts.add(Part(close=diary.closing("second")))
            raise ValueError("the third could not be opened")
    assert diary.lines == ["second", "first"]


async def test_one_that_fails_to_close_keeps_none_open(base: Foundation) -> None:
    """All are closed, and the failure is told."""
    diary = Diary([])

    async def fails() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        async with Parts(base) as parts:
            parts.add(Part(close=diary.closing("first")))
            parts.add(Part(close=fails))
    assert diary.lines == ["first"]


async def test_the_error_that_ends_the_parts_is_told(base: Foundation) -> None:
    """A part that fails to close while another error ends the process does not take that one's place."""

    async def fails() -> None:
        raise OSError("gone")

    with pytest.raises(ValueError, match="the cause"):
        async with Parts(base) as parts:
            parts.add(Part(close=fails))
            raise ValueError("the cause")
