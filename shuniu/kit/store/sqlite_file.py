"""SQLite files: the lock that keeps a second writer out, and connections whose transactions the engine ends itself.

https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html
"""

import math
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from sqlalchemy import NullPool, create_engine

from shuniu.kit.process.process_lock import HeldElsewhereError, ProcessLock
from shuniu.kit.store.types import Binding, StoreLockedError, bind

# How long SQLite waits for a lock that only a foreign tool (a shell, a backup) can hold, ms.
_BUSY_MS: Final = 5000
# Virtual-machine instructions between two looks at the clock.
_LOOK_EVERY: Final = 100_000


class _Watch:
    """SQLite's progress handler: a true value stops the statement that is running."""

    def __init__(self) -> None:
        self._until = math.inf

    def start(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def __call__(self) -> bool:
        return time.monotonic() > self._until


class _Guarded(sqlite3.Connection):
    """Refuses to end a transaction: the engine does that itself, for the whole group of units that share it."""

    guarded = False

    def commit(self) -> None:
        if self.guarded:
            raise RuntimeError("a unit of work does not commit: it returns")

    def rollback(self) -> None:
        if self.guarded:
            raise RuntimeError("a unit of work does not roll back: it raises")


class SqliteConnection:
    """A SQLAlchemy connection, and the cursor beneath it that begins and ends its transactions."""

    def __init__(self, raw: _Guarded, binding: Binding) -> None:
        self.raw = raw
        # One cursor for all of them: making one costs as much as the savepoint itself.
        self.control = raw.cursor().execute
        self.watch = _Watch()
        raw.set_progress_handler(self.watch, _LOOK_EVERY)
        engine = create_engine("sqlite://", creator=lambda: raw, poolclass=NullPool, query_cache_size=2000)
        self.conn = engine.connect()
        bind(self.conn.info, binding)
        raw.guarded = True

    def close(self) -> None:
        self.raw.guarded = False
        self.conn.close()


class FileLock:
    """Keeps a second process from writing the same file: two writers are what corrupted WAL files up to 3.51.2.

    The lock is on a file of its own, since closing any descriptor of the database would drop SQLite's locks on it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._lock = ProcessLock(path.with_name(path.name + ".lock"))
        except HeldElsewhereError:
            raise StoreLockedError(f"{path} is open for writing in another process; stop it first") from None

    def release(self) -> None:
        self._lock.release()


def open_writer(path: Path, binding: Binding) -> SqliteConnection:
    """The one connection that writes. An answered commit is on the disk: WAL with an fsync at each commit."""
    # The write-ahead log and its index take the mode of the database file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    raw = _connect(path)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    # A log that once grew is cut back to 64 MiB after a checkpoint.
    raw.execute("PRAGMA journal_size_limit = 67108864")
    return SqliteConnection(raw, binding)


def open_reader(path: Path, binding: Binding) -> SqliteConnection:
    """A connection that sees a snapshot and cannot write."""
    raw = _connect(path)
    raw.execute("PRAGMA query_only = ON")
    return SqliteConnection(raw, binding)


def _connect(path: Path) -> _Guarded:
    # isolation_level=None: the driver begins nothing by itself. The engine hands a connection from the opening thread
    # to its own, and never uses one from two threads at a time.
    raw = sqlite3.connect(
        path,
        factory=_Guarded,
        isolation_level=None,
        timeout=_BUSY_MS / 1000,
        check_same_thread=False,
        cached_statements=512,
    )
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA temp_store = MEMORY")
    raw.execute("PRAGMA cache_size = -16384")
    return raw
