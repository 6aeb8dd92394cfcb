"""Stores walk through nothing that grows. Each statement that any test runs is asked for its plan (tests/conftest.py);
here: that the question is a good one, and that finding a document costs the same in a large register.
"""

import re
import sqlite3

import pytest
from sqlalchemy import Connection, event, insert, text

from services.esign import store
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import lookup
from services.esign.flows.domain.life import FlowState, StepState
from services.esign.flows.register import flow_of
from services.esign.flows.store.flows import DRAFT, ERASABLE, EXPIRES, GRANTED
from services.esign.seals.domain.life import ENDED, SealState
from services.esign.seals.store.seals import ACTIVE, KEY_LEFT, LASTING, OUT
from services.esign.upkeep.store import ended_keys
from shuniu.kit.store import Store
from tests.support import plans
from tests.support.plans_allowed import ALLOWED, SMALL

_ROWS = 20_000
_SCHEMA = """
CREATE TABLE certificate (number TEXT PRIMARY KEY, sha256 TEXT, stage TEXT, pdf BLOB);
CREATE TABLE licence (number TEXT PRIMARY KEY, stage TEXT);
CREATE INDEX by_digest ON certificate (sha256);
CREATE INDEX by_stage ON certificate (stage);
CREATE INDEX signed ON licence (number) WHERE stage = 'SIGNED';
"""


@pytest.mark.parametrize(
    ("statement", "walked"),
    [
        ("SELECT pdf FROM certificate WHERE number = ?", []),
        ("SELECT pdf FROM certificate WHERE sha256 IN (?)", []),
        ("SELECT number FROM licence WHERE stage = 'SIGNED'", []),
        ("SELECT number FROM certificate ORDER BY number LIMIT ?", []),
        ("SELECT pdf FROM certificate WHERE sha256 = ? AND stage = 'ISSUED'", ["certificate"]),
        ("SELECT count(*) FROM certificate AS c WHERE c.stage <> ?", ["certificate"]),
        ("SELECT pdf FROM certificate WHERE pdf > ?", ["certificate"]),
        ("UPDATE certificate SET pdf = ? WHERE stage = ?", ["certificate"]),
        ("SELECT number FROM certificate WHERE number IN (SELECT number FROM licence WHERE stage = ?)", ["licence"]),
    ],
)
def test_a_walk_is_told_from_a_look_up(statement, walked):
    """By primary key or by what few rows share it is none; by a stage that nearly all are in, it is."""
    raw = sqlite3.connect(":memory:")
    raw.executescript(_SCHEMA)
    assert [walk.table for walk in plans.walks(raw, statement, ["x"] * statement.count("?"))] == walked
    raw.close()


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("statement", "walked"),
    [
        ("SELECT pdf FROM certificate WHERE number = 'x'", []),
        ("SELECT pdf FROM certificate WHERE number IN ('x', 'y') AND stage = 'z'", []),
        ("SELECT number FROM certificate ORDER BY number LIMIT 5", []),
        ("SELECT number FROM certificate WHERE stage = 'SEALED' AND stage <> 'ISSUED'", []),
        ("SELECT pdf FROM certificate WHERE pdf > 'x'", ["certificate"]),
        ("UPDATE certificate SET pdf = 'x' WHERE receipt = 'y'", ["certificate"]),
        ("SELECT count(*) FROM certificate", ["certificate"]),
    ],
)
async def test_postgresql_tells_a_walk_from_a_look_up(postgres_database, clock, statement, walked):
    """Whatever it would do with tables as empty as these."""
    opened = Store.unchecked(postgres_database, store.METADATA, clock=clock)
    await opened.create_schema()
    try:
        assert await opened.read(_walked, statement) == walked
    finally:
        await opened.close()


def _walked(conn: Connection, statement: str) -> list[str]:
    return [walk.table for walk in plans.walks_of_postgresql(conn.connection.cursor(), statement)]


def test_partial_indexes_hold_the_states_that_are_meant():
    """They are written out, since a question must repeat them; the domain says which states are which."""
    assert _named(KEY_LEFT) == {state.value for state in ENDED}
    assert _named(LASTING) == {SealState.ISSUED, SealState.ACTIVE, SealState.SUSPENDED}
    assert _named(OUT) == {SealState.SUSPENDED, SealState.REVOKED, SealState.REPLACED}
    assert (_named(ACTIVE), _named(GRANTED)) == ({SealState.ACTIVE}, {StepState.AUTHORISED})
    assert (_named(DRAFT), _named(EXPIRES)) == ({FlowState.DRAFT}, {FlowState.OPEN, FlowState.FAILED})
    assert _named(ERASABLE) == {FlowState.REJECTED, FlowState.WITHDRAWN, FlowState.EXPIRED}


def _named(condition: str) -> set[str]:
    return set(re.findall(r"'(\w+)'", condition))


def test_what_may_walk_is_told_why():
    """Each exception names a table that there is, and its reason."""
    tables = plans.tables()
    assert {*SMALL, *(table for table, _ in ALLOWED)} <= tables
    assert all([*SMALL.values(), *ALLOWED.values()])


@pytest.fixture
async def register(store_url, clock):
    """A register of many issued documents."""
    opened = Store.unchecked(store_url, store.METADATA, clock=clock)
    await opened.create_schema()
    await opened.write(_fill)
    yield opened
    await opened.close()


def _fill(conn: Connection) -> None:
    fixed = dict.fromkeys(("template", "issuer", "source_platform", "holder", "division", "seal_id", "qr"), "x")
    fixed |= {"state": "VALID", "reason": "", "receipt": "", "signed_us": 1, "ledger_index": 1, "salt": b"s"}
    rows = [
        {**fixed, "number": f"N{n}", "case_code": f"C{n}", "sha256": f"{n:064x}", "stage": document_rows.ISSUED}
        for n in range(_ROWS)
    ]
    conn.execute(insert(document_rows.certificate), rows)


async def test_a_file_with_many_saves_costs_a_few_questions(register):
    """One look-up for all versions of an upload: questions are counted, and what SQLite does for them."""
    digests = [f"{_ROWS + n:064x}" for n in range(64)]
    for asked, found in ((digests, None), ([*digests, f"{7:064x}"], "N7")):
        row, questions, steps = await register.read(_counted, lookup.find_certificate_by_digests, asked)
        assert (None if row is None else row.number) == found
        assert questions <= 3
        # Thousands of steps of its machine; a walk takes some for each of the rows.
        assert steps < _ROWS
    row, questions, steps = await register.read(_counted, flow_of, digests)
    assert (row, questions) == (None, 1)
    assert steps < _ROWS
    assert await register.read(document_rows.unfinished) == []
    assert await register.write(ended_keys.erase, 1) == 0


def _counted(conn: Connection, ask, digests):
    """What was found, how many statements it took, and how many steps of SQLite's machine (0 elsewhere)."""
    asked: list[str] = []
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def before(_conn, _cursor, statement, *_rest):
        asked.append(statement)

    raw = conn.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        raw.set_progress_handler(step, 1)
    event.listen(conn, "before_cursor_execute", before)
    try:
        return ask(conn, digests), len(asked), steps
    finally:
        event.remove(conn, "before_cursor_execute", before)
        if isinstance(raw, sqlite3.Connection):
            raw.set_progress_handler(None, 0)


@pytest.mark.postgresql
async def test_postgresql_finds_by_the_same_indexes(postgres_database, clock):
    """With statistics of a register of many documents, as autovacuum makes them."""
    opened = Store.unchecked(postgres_database, store.METADATA, clock=clock)
    await opened.create_schema()
    await opened.write(_fill)
    await opened.write(lambda conn: conn.execute(text("ANALYZE")) and None)
    digests = ", ".join(f"'{n:064x}'" for n in range(64))
    try:
        for wanted, index in (
            (f"sha256 IN ({digests}) AND stage = 'ISSUED'", "certificate_sha256"),
            ("stage = 'SEALED' AND stage <> 'ISSUED'", "certificate_under_way"),
        ):
            plan = await opened.read(_explained, f"EXPLAIN SELECT number FROM certificate WHERE {wanted}")
            assert index in plan
            assert "Seq Scan" not in plan
    finally:
        await opened.close()


def _explained(conn: Connection, statement: str) -> str:
    return " ".join(row[0] for row in conn.execute(text(statement)))
