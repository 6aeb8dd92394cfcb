"""Flows in every store: what sweeps throw away, and entries on their way into the ledger."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import Connection, func, select

from services.esign import store as esign_store
from services.esign.flows.domain.life import Flow, FlowState, Role, Step
from services.esign.flows.domain.scenarios import Actor, KeyMode
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store import journal
from services.esign.flows.store.flows import FlowRow, Party
from shuniu.kit.store import Store
from shuniu.kit.testing.clock import ManualClock

STEP = Step("office", Role.SIGNER, 1)
PARTY = Party(STEP, "", Actor.PLATFORM, KeyMode.HELD, 0, 0, "police")


def row(name: str, state: FlowState, ended_us: int) -> FlowRow:
    return FlowRow(name, "x", "police", "", Flow(state, (STEP,)), (PARTY,), "", 1, ended_us=ended_us)


@pytest_asyncio.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(store_url, esign_store.METADATA, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


async def test_documents_of_what_came_to_nothing_are_thrown_away_once(store: Store) -> None:
    """Some at a time, the drafts that nobody opened too; what was completed, or ended lately, keeps its document."""

    def fill(conn: Connection) -> None:
        for name, state, ended_us in (
            ("A", FlowState.REJECTED, 5),
            ("B", FlowState.EXPIRED, 6),
            ("C", FlowState.WITHDRAWN, 90),
            ("D", FlowState.COMPLETED, 5),
        ):
            flow_store.add(conn, row(name, state, ended_us), b"%PDF")
        flow_store.add(conn, replace(row("E", FlowState.DRAFT, 0), begun_us=2), b"%PDF")

    await store.write(fill)
    assert [await store.write(flow_store.erase_ended, 50, 100, 2) for _ in range(3)] == [3, 0, 0]
    kept = {name: (await store.read(flow_store.document, name))[1] for name in "ABCDE"}
    assert kept == {"A": b"", "B": b"", "C": b"%PDF", "D": b"%PDF", "E": b""}
    left = await store.read(flow_store.find_flow, "E")
    assert left is not None
    assert left.flow.state is FlowState.WITHDRAWN


async def test_used_authorisations_are_forgotten_some_at_a_time(store: Store) -> None:
    """Those whose time is over; one that is still good stays."""
    for at in range(5):
        await store.write(flow_store.use_consent, f"t{at}", "x", at)
    assert [await store.write(flow_store.forget_consents, 4, 3) for _ in range(3)] == [3, 1, 0]
    assert await store.read(flow_store.find_use_of_consent, "t4") == "x"


async def test_an_entry_leaves_the_journal_with_the_ledgers_word_for_it(store: Store) -> None:
    """Whoever hears of it second finds it gone, and takes no other entry that has its number by now."""
    await store.write(journal.note, "F", b"one")
    known = await store.read(journal.unlogged, 10)
    assert await store.write(journal.logged, known) == [known[0].number]
    await store.write(journal.note, "F", b"two")
    assert await store.write(journal.logged, known) == []
    assert [each.entry for each in await store.read(journal.unlogged, 10)] == [b"two"]
    assert await store.read(journal.pending) == 1
    assert (
        await store.read(lambda conn: conn.execute(select(func.count()).select_from(journal.flow_journal)).scalar())
        == 1
    )
