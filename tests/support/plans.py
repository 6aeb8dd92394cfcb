"""What statements of stores walk through, by the database's own plan: each distinct one that any test runs is asked for
it.

SQLite without statistics plans by the schema alone, so an empty table has the plan that a million rows will have. A
walk is a scan of a table that grows, or of an index by columns that many of its rows share. PostgreSQL without
statistics guesses which index is the best, and walks where a table is small; with walks forbidden it takes an index
wherever there is one, so what it walks through then has none.
"""

import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Connection, Engine, event

from shuniu.kit.store import binding_of
from tests.support.plans_allowed import ALLOWED, SHARED, SMALL

_STEP = re.compile(r"(?P<how>SCAN|SEARCH) (?P<table>\w+)(?: AS \w+)?(?: USING (?P<using>.+?))?$")
_INDEX = re.compile(r"(?:COVERING )?INDEX (?P<name>\w+)(?: \((?P<by>.*)\))?")
_COLUMN = re.compile(r"(\w+)[=<>]")
_ROOT = Path(__file__).parents[2]
_SERVICES = tuple(f"{_ROOT / name}/" for name in ("services", "shuniu"))
_TESTS = f"{_ROOT / 'tests'}/"
_ASKED = ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")
# The first ones of all, in an index's own order where there is one.
_FIRST = re.compile(r"SELECT [\w., ]+ FROM \w+ (?:ORDER BY [\w., ]+ )?LIMIT \?(?: OFFSET \?)?")
# What of a statement tells it from others; the number of values in a list does not.
_VALUES = re.compile(r"\((?:\?, )+\?\)|\((?:\$\d+(?:::\w+)?, )+\$\d+(?:::\w+)?\)")
_FORBIDDEN = (
    ("enable_seqscan", "enable_mergejoin", "enable_hashjoin"),
    ("enable_seqscan", "enable_mergejoin"),
)
# The table of an index, and whether it has all of its rows.
_INDEXED = "SELECT indrelid::regclass::text, indpred IS NULL FROM pg_index WHERE indexrelid = to_regclass('%s')"
# The first ones of all on PostgreSQL.
_FIRST_ROWS = re.compile(r"SELECT [\w., ]+ FROM \w+ (?:ORDER BY [\w., ]+ )?LIMIT \S+(?: OFFSET \S+)?")


@dataclass(frozen=True, slots=True)
class Walk:
    """A step of a plan that costs more with each row of `table`, and the statement, for people to read."""

    table: str
    step: str
    statement: str

    def __str__(self) -> str:
        return f"{self.table}: {self.step}\n    {self.statement}"

    @property
    def allowed(self) -> bool:
        return any(table == self.table and part in self.statement for table, part in ALLOWED)


def walks(raw: sqlite3.Connection, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Walk]:
    """What the statement walks through, in the schema of that connection; rows make no difference."""
    plain = " ".join(statement.split())
    aliases = {alias: table for table, alias in re.findall(r"\b(\w+) AS (\w+)", plain)}
    for _, _, _, step in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall():
        found = _STEP.match(step)
        if found is None:
            continue
        table = aliases.get(found["table"], found["table"])
        if table in SMALL or table not in tables():
            continue
        index = _INDEX.match(found["using"] or "")
        # A partial index is of few rows by intent.
        if index is not None and (_FIRST.fullmatch(plain) or _is_partial(raw, index["name"])):
            continue
        if found["how"] == "SCAN" or (index is not None and _is_shared(index["by"])):
            yield Walk(table, step, plain)


def walks_of_postgresql(cursor: Any, statement: str, parameters: Any = ()) -> list[Walk]:
    """The same on PostgreSQL: what it walks through whichever way of joining is left to it, for joins of whole tables
    are its guess as well. `cursor`: of the transaction in which the statement is about to run.
    """
    found = [set(_walks_without(cursor, statement, parameters, forbidden)) for forbidden in _FORBIDDEN]
    return sorted(set.intersection(*found), key=str)


def _walks_without(cursor: Any, statement: str, parameters: Any, forbidden: Sequence[str]) -> Iterator[Walk]:
    plain = " ".join(statement.split())
    for each in forbidden:
        cursor.execute(f"SET LOCAL {each} = off", ())
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    (found,) = cursor.fetchone()
    for each in forbidden:
        cursor.execute(f"SET LOCAL {each} = on", ())
    waiting = [each["Plan"] for each in (json.loads(found) if isinstance(found, str) else found)]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        index = node.get("Index Name")
        if node["Node Type"] == "Seq Scan":
            table, is_walk = node["Relation Name"], True
        elif index is None or "Index Cond" in node or _FIRST_ROWS.fullmatch(plain):
            continue
        else:
            cursor.execute(_INDEXED % index, ())
            table, is_walk = cursor.fetchone()
        if is_walk and table in tables() and table not in SMALL:
            yield Walk(table, "walked", plain)


def _is_shared(by: str | None) -> bool:
    """Whether many rows stand under the values by which an index is entered."""
    return by is not None and all(column in SHARED for column in _COLUMN.findall(by))


def _is_partial(raw: sqlite3.Connection, index: str) -> bool:
    found = raw.execute("SELECT sql LIKE '% WHERE %' FROM sqlite_master WHERE name = ?", (index,)).fetchone()
    return found is not None and bool(found[0])


def _is_asked_by_a_service() -> bool:
    """Not by a test, and not by a migration, which runs once: whose code of this repository is nearest on the stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_SERVICES):
            return "/migrations" not in name
        if name.startswith(_TESTS) and name != __file__:
            return False
        frame = frame.f_back
    return False


def _is_of_store(conn: Connection) -> bool:
    try:
        binding_of(conn)
    except KeyError:
        return False
    return True


@cache
def tables() -> frozenset[str]:
    """All tables of the services' stores; those of tests are not meant. Only read when a store was opened."""
    from services.catalogue import store as catalogue
    from services.esign import store as esign
    from services.exchange import store as exchange
    from services.identity import store as identity
    from services.identity.vault import store as vault

    return frozenset(name for each in (catalogue, esign, exchange, identity, vault) for name in each.METADATA.tables)


@dataclass(slots=True)
class Watcher:
    """Asks for the plan of each statement that a store's unit runs for the first time."""

    seen: set[str] = field(default_factory=set)
    found: list[Walk] = field(default_factory=list)

    def start(self) -> None:
        event.listen(Engine, "before_cursor_execute", self._before)

    def taken(self) -> list[Walk]:
        """What was found since the last time and is not allowed."""
        taken, self.found = self.found, []
        return [walk for walk in taken if not walk.allowed]

    def _before(
        self, conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if not statement.startswith(_ASKED) or not _is_of_store(conn):
            return
        is_postgresql = conn.dialect.name == "postgresql"
        key = f"{conn.dialect.name} {_VALUES.sub('(?, …)', statement)}"
        if key in self.seen or not _is_asked_by_a_service():
            return
        self.seen.add(key)
        first = parameters[0] if executemany and parameters else parameters
        if is_postgresql:
            other = conn.connection.cursor()
            self.found += walks_of_postgresql(other, statement, first)
            other.close()
        else:
            self.found += walks(cursor.connection, statement, first)


def told(found: Iterable[Walk]) -> str:
    return "\n".join(map(str, found))
