"""SQLite: what it spells in its own way, how its files are opened, and which of its errors mean what.

https://www.sqlite.org/wal.html, https://www.sqlite.org/rescode.html
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from shuniu.kit import errors
from shuniu.kit.store.failures import store_busy, store_full, store_slow
from shuniu.kit.store.tables import counter
from shuniu.kit.store.types import Row, binding_of, latest_by_key

_FULL: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}

# Put together once: that costs more than to run them.
_COUNTERS: Final = select(counter.c.name, counter.c.value).where(counter.c.name.in_(bindparam("names", expanding=True)))
_SET: Final = insert(counter)
_SET_COUNTERS: Final = _SET.on_conflict_do_update(index_elements=["name"], set_={"value": _SET.excluded.value})
_GROW: Final = _SET.on_conflict_do_update(
    index_elements=["name"], set_={"value": counter.c.value + _SET.excluded.value}
).returning(counter.c.value)


class SqliteDialect:
    name = "sqlite"

    def upsert(
        self, conn: Connection, table: Table, rows: Iterable[Row], keys: Sequence[str], guard: str | None
    ) -> int:
        latest = [dict(row) for row in latest_by_key(rows, keys, guard)]
        if not latest:
            return 0
        statement = insert(table)
        changes = {name: statement.excluded[name] for name in latest[0] if name not in keys}
        if not changes:
            return self._ignore(conn, table, latest, keys)
        newer = None if guard is None else table.c[guard] < statement.excluded[guard]
        merged = statement.on_conflict_do_update(index_elements=list(keys), set_=changes, where=newer)
        return conn.execute(merged, latest).rowcount

    def insert_many(self, conn: Connection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            conn.execute(plain_insert(table), [dict(row) for row in rows])

    def insert_ignore(self, conn: Connection, table: Table, rows: Sequence[Row]) -> int:
        return self._ignore(conn, table, rows, [column.name for column in table.primary_key])

    def next_value(self, conn: Connection, name: str, step: int = 1) -> int:
        return int(conn.execute(_GROW, {"name": name, "value": step}).scalar_one())

    def next_values(self, conn: Connection, names: Sequence[str]) -> list[int]:
        # The driver gives no results for many rows at once; there is one writer, so what was read stays true.
        known = conn.execute(_COUNTERS, {"names": names})
        before = {row.name: int(row.value) for row in known}
        values = [before.get(name, 0) + 1 for name in names]
        if names:
            conn.execute(_SET_COUNTERS, [{"name": n, "value": v} for n, v in zip(names, values, strict=True)])
        return values

    def time_us(self, conn: Connection) -> int:
        # One process has the file, so its clock is everybody's.
        return binding_of(conn).clock.now_us()

    def take_schema(self, conn: Connection) -> bool:  # noqa: ARG002 - whoever can write holds the file's lock
        return True

    def failure(self, error: BaseException) -> errors.HubError | None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None:
            return None
        # The low byte is the primary code; the rest says where it happened.
        primary = code & 0xFF
        if primary in _FULL:
            return store_full()
        if primary in _BUSY:
            return store_busy()
        return store_slow() if primary == sqlite3.SQLITE_INTERRUPT else None

    @staticmethod
    def _ignore(conn: Connection, table: Table, rows: Sequence[Row], keys: Sequence[str]) -> int:
        if not rows:
            return 0
        statement = insert(table).on_conflict_do_nothing(index_elements=list(keys))
        return conn.execute(statement, [dict(row) for row in rows]).rowcount
