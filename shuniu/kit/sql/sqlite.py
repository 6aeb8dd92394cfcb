"""SQLite: what it spells in its own way, how its files are opened, and which of its errors mean what.

https://www.sqlite.org/wal.html, https://www.sqlite.org/rescode.html
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, Table
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from shuniu.kit import errors
from shuniu.kit.sql.failures import store_busy, store_full, store_slow
from shuniu.kit.sql.tables import counter
from shuniu.kit.sql.types import Row, StoreLockedError, latest_by_key

# How long SQLite waits for a lock that only a foreign tool (a shell, a backup) can hold, ms.
_BUSY_MS: Final = 5000

_FULL: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


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

    def lock_rows(self, select: Select[Any]) -> Select[Any]:
        # There is one writer: nobody else can take a row.
        return select

    def next_value(self, conn: Connection, name: str, step: int = 1) -> int:
        grown = (
            insert(counter)
            .values(name=name, value=step)
            .on_conflict_do_update(index_elements=["name"], set_={"value": counter.c.value + step})
            .returning(counter.c.value)
        )
        return int(conn.execute(grown).scalar_one())

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


class FileLock:
    """Keeps a second process from writing the same file: two writers are what corrupted WAL files up to 3.51.2.

    The lock is on a file of its own, since closing any descriptor of the database would drop SQLite's locks on it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StoreLockedError(f"{path} is open for writing in another process; stop it first") from None

    def release(self) -> None:
        os.close(self._descriptor)


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes. An answered commit is on the disk: WAL with an fsync at each commit."""
    # The write-ahead log and its index take the mode of the database file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    raw = _connect(path)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    # A log that once grew is cut back to 64 MiB after a checkpoint.
    raw.execute("PRAGMA journal_size_limit = 67108864")
    return raw


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that sees a snapshot and cannot write."""
    raw = _connect(path)
    raw.execute("PRAGMA query_only = ON")
    return raw


def _connect(path: Path) -> sqlite3.Connection:
    # isolation_level=None: the driver begins nothing by itself. The engine hands a connection from the opening thread
    # to its own, and never uses one from two threads at a time.
    raw = sqlite3.connect(
        path, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False, cached_statements=512
    )
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA temp_store = MEMORY")
    raw.execute("PRAGMA cache_size = -16384")
    return raw
