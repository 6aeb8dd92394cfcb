"""Stores what happened to flows until it is in the ledger, and how often it happened.

Both are written in the unit of work that makes them true, so a recount from the ledger must give the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from services.esign.ledger.domain.ledger import UNLOGGED
from shuniu.kit.store import RowNumber, binding_of
from shuniu.kit.store.types import LostRaceError

TABLES = MetaData()

# Entries for the ledger, written with what they tell of, until they are there. `ledger_index`: of an earlier version.
flow_journal = Table(
    "flow_journal",
    TABLES,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("flow_id", Text, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Index("flow_journal_open", "ledger_index", "number"),
    Index("flow_journal_flow", "flow_id", "number"),
)

flow_count = Table(
    "flow_count",
    TABLES,
    Column("scenario", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
)


def count(conn: Connection, scenario: str, step: str, outcome: str) -> None:
    """One more of this outcome."""
    place = (flow_count.c.scenario == scenario, flow_count.c.step == step, flow_count.c.outcome == outcome)
    if conn.execute(update(flow_count).where(*place).values(times=flow_count.c.times + 1)).rowcount == 0:
        new = [{"scenario": scenario, "step": step, "outcome": outcome, "times": 1}]
        if not binding_of(conn).dialect.insert_ignore(conn, flow_count, new):
            raise LostRaceError(scenario)


def counts(conn: Connection, scenario: str = "") -> dict[tuple[str, str, str], int]:
    """Count by scenario, step and outcome."""
    wanted = select(flow_count) if not scenario else select(flow_count).where(flow_count.c.scenario == scenario)
    return {(row.scenario, row.step, row.outcome): row.times for row in conn.execute(wanted)}


@dataclass(frozen=True, slots=True)
class JournalRow:
    """An entry that tells of a flow."""

    number: int
    flow_id: str
    entry: bytes


def note(conn: Connection, flow_id: str, entry: bytes) -> None:
    """Keeps an entry for the ledger in the unit that makes it true."""
    conn.execute(insert(flow_journal), {"flow_id": flow_id, "entry": entry, "ledger_index": UNLOGGED})


def unlogged(conn: Connection, limit: int, flow_id: str = "") -> list[JournalRow]:
    """Entries that are not known to be in the ledger, oldest first; of one flow, or of all."""
    wanted = select(flow_journal).where(flow_journal.c.ledger_index == UNLOGGED)
    if flow_id:
        wanted = wanted.where(flow_journal.c.flow_id == flow_id)
    rows = conn.execute(wanted.order_by(flow_journal.c.number).limit(limit))
    return [JournalRow(row.number, row.flow_id, bytes(row.entry)) for row in rows]


def pending(conn: Connection) -> int:
    """The number of entries on their way into the ledger."""
    waiting = select(func.count()).select_from(flow_journal).where(flow_journal.c.ledger_index == UNLOGGED)
    return int(conn.execute(waiting).scalar_one())


def logged(conn: Connection, rows: Iterable[JournalRow]) -> list[int]:
    """Forgets entries that are in the ledger; returns the numbers of those that were still here. A number may be given
    to another entry after that, so a row is forgotten by its entry too.
    """
    fresh = []
    for row in rows:
        same = (flow_journal.c.number == row.number, flow_journal.c.entry == row.entry)
        if conn.execute(delete(flow_journal).where(*same)).rowcount:
            fresh.append(row.number)
    return fresh
