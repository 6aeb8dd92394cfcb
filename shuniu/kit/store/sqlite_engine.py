"""Runs units of work on one SQLite file: one writer thread with group commit, a few reader threads with snapshots.

Units that wait together share one transaction and one fsync, and every caller is answered only after the commit. A
unit that fails before it changed anything has nothing to undo; when one fails after, the group is rolled back and runs
again with each unit inside a savepoint of its own. Savepoints are written raw, because SQLAlchemy's `begin_nested`
costs three times the unit itself; they nest, so a unit never awaits: two that interleaved would roll back each other.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy.exc import DBAPIError

from shuniu.kit.store.failures import STORE_FULL, store_busy
from shuniu.kit.store.sqlite_file import FileLock, SqliteConnection, open_reader, open_writer
from shuniu.kit.store.types import Binding, Limits, LostRaceError, announced

T = TypeVar("T")

# Reads wait for the disk more than for the processor; more threads would only queue for the interpreter.
_READERS: Final = 4
# Work that waits beyond this is refused at once: it would be answered after its caller's deadline anyway.
_MOST_WAITING: Final = 10_000
_ATTEMPTS: Final = 3


class _Unit(NamedTuple):
    work: Callable[..., Any]
    args: tuple[Any, ...]
    context: Context
    answer: asyncio.Future[Any]


class _Outcome(NamedTuple):
    answer: asyncio.Future[Any]
    result: Any
    error: BaseException | None
    news: frozenset[str] = frozenset()


class SqliteEngine:
    """`group_limit` is the most units that share a commit; 1 gives every unit its own."""

    def __init__(self, path: Path, binding: Binding, limits: Limits, group_limit: int) -> None:
        self.told: Callable[[frozenset[str]], None] = lambda _news: None
        self._loop = asyncio.get_running_loop()
        self._arriving: list[_Unit] = []
        self._waiting = 0
        self._closed = False
        self._lock = FileLock(path)
        try:
            self._writer = _Writer(path, binding, limits.write, group_limit, self._resolve_soon)
        except BaseException:
            self._lock.release()
            raise
        self._readers = _Readers(path, binding, limits.read)

    def write(self, work: Callable[..., T], args: tuple[Any, ...]) -> asyncio.Future[T]:
        if self._closed or self._waiting >= _MOST_WAITING:
            raise store_busy()
        answer: asyncio.Future[T] = self._loop.create_future()
        if not self._arriving:
            # Handing over at the end of this turn of the loop lets everybody who is ready now share the commit.
            self._loop.call_soon(self._hand_over)
        self._arriving.append(_Unit(work, args, copy_context(), answer))
        self._waiting += 1
        return answer

    async def read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        if self._closed:
            raise store_busy()
        return await self._readers.run(work, args)

    async def close(self) -> None:
        """Finish what was accepted, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._readers.stop)
        self._lock.release()

    def _hand_over(self) -> None:
        if self._arriving:
            self._writer.put(self._arriving)
            self._arriving = []

    def _resolve_soon(self, outcomes: list[_Outcome]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._resolve, outcomes)
        except RuntimeError:
            # The loop is gone, and with it everybody who could be answered.
            return

    def _resolve(self, outcomes: list[_Outcome]) -> None:
        self._waiting -= len(outcomes)
        news: set[str] = set()
        for answer, result, error, announced_here in outcomes:
            news |= announced_here
            if answer.done():
                continue
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)
        if news:
            self.told(frozenset(news))


class _Writer:
    """The thread that owns the one writing connection. A unit is stopped after `limit` s, since all others wait."""

    def __init__(
        self,
        path: Path,
        binding: Binding,
        limit: float,
        group_limit: int,
        answer: Callable[[list[_Outcome]], None],
    ) -> None:
        self._path = path
        self._binding = binding
        self._limit = limit
        self._group_limit = group_limit
        self._answer = answer
        self._inbox: queue.SimpleQueue[list[_Unit] | None] = queue.SimpleQueue()
        self._backlog: deque[_Unit] = deque()
        self._on = open_writer(path, binding)
        self._schema = 0
        # A daemon: a process that dies without closing its store is not kept alive by it, and nothing answered is lost.
        self._thread = threading.Thread(target=self._run, name=f"sqlite-writer {path.name}", daemon=True)
        self._thread.start()

    def put(self, units: list[_Unit]) -> None:
        self._inbox.put(units)

    def stop(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    def _reopen(self) -> None:
        """After an I/O error the connection's idea of the file cannot be trusted."""
        self._on.close()
        self._on = open_writer(self._path, self._binding)

    def _run(self) -> None:
        while self._gather():
            group = [self._backlog.popleft() for _ in range(min(self._group_limit, len(self._backlog)))]
            self._answer(self._commit_together(group))
        self._on.close()

    def _gather(self) -> bool:
        """Wait for work and take all that has arrived; False when the store was closed and nothing waits."""
        backlog = self._backlog
        try:
            while True:
                units = self._inbox.get(block=not backlog)
                if units is None:
                    # Put back, to be found again when the backlog is done.
                    self._inbox.put(None)
                    return bool(backlog)
                backlog.extend(units)
        except queue.Empty:
            return True

    def _commit_together(self, group: list[_Unit]) -> list[_Outcome]:
        """Run the units in one transaction; their outcomes hold only once it is on the disk."""
        # Nobody waits for the cancelled any more; they are only counted.
        settled = [_Outcome(unit.answer, None, None) for unit in group if unit.answer.cancelled()]
        group = [unit for unit in group if not unit.answer.cancelled()]
        run = self._run_bare
        for _ in range(_ATTEMPTS + 1):
            try:
                self._on.control("BEGIN IMMEDIATE")
                self._schema = self._schema_version()
                outcomes = [run(unit) for unit in group]
                self._on.control("COMMIT")
            except _SavepointsNeededError:
                self._on.control("ROLLBACK")
                run = self._run_unit
            except _TransactionLostError as lost:
                # SQLite rolled everything back under one unit: the innocent run again without it, unless all are lost.
                failure = self._binding.dialect.failure(lost.cause)
                if failure is not None and failure.reason == STORE_FULL:
                    self._recover(lost.cause)
                    return settled + _fail(group, failure)
                settled.append(_Outcome(lost.unit.answer, None, failure or lost.cause))
                group = [unit for unit in group if unit is not lost.unit]
            except sqlite3.Error as error:
                self._recover(error)
                return settled + _fail(group, self._binding.dialect.failure(error) or error)
            else:
                return settled + outcomes
        return settled + _fail(group, store_busy())

    def _schema_version(self) -> int:
        return int(self._on.raw.execute("PRAGMA schema_version").fetchone()[0])

    def _run_bare(self, unit: _Unit) -> _Outcome:
        """Without a savepoint of its own: most units succeed, or fail before they changed a row, and need none."""
        raw = self._on.raw
        self._on.watch.start(self._limit)
        before = raw.total_changes
        announced(self._on.conn)
        try:
            result = unit.context.run(unit.work, self._on.conn, *unit.args)
        except BaseException as error:  # whatever it is belongs to the caller; the thread goes on
            if not raw.in_transaction:
                raise _TransactionLostError(unit, error) from error
            # Rows are counted, changes of the schema are not.
            changed = raw.total_changes != before or self._schema_version() != self._schema
            if changed or isinstance(error, LostRaceError):
                raise _SavepointsNeededError from error
            return _Outcome(unit.answer, None, self._binding.dialect.failure(error) or error)
        return _Outcome(unit.answer, result, None, announced(self._on.conn))

    def _run_unit(self, unit: _Unit) -> _Outcome:
        raw, control = self._on.raw, self._on.control
        self._on.watch.start(self._limit)
        for attempt in range(_ATTEMPTS):
            control("SAVEPOINT unit")
            announced(self._on.conn)
            try:
                result = unit.context.run(unit.work, self._on.conn, *unit.args)
            except BaseException as error:  # whatever it is belongs to the caller; the thread goes on
                if not raw.in_transaction:
                    raise _TransactionLostError(unit, error) from error
                control("ROLLBACK TO unit")
                control("RELEASE unit")
                if isinstance(error, LostRaceError) and attempt + 1 < _ATTEMPTS:
                    continue
                return _Outcome(unit.answer, None, self._binding.dialect.failure(error) or error)
            control("RELEASE unit")
            return _Outcome(unit.answer, result, None, announced(self._on.conn))
        raise AssertionError("unreachable")

    def _recover(self, error: BaseException) -> None:
        """End a transaction that could not be committed. After an I/O error the connection begins afresh."""
        try:
            if self._on.raw.in_transaction:
                self._on.control("ROLLBACK")
        except sqlite3.Error as broken:
            error = broken
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
            self._reopen()


class _Readers:
    """A few threads, each with a connection of its own; a read sees one snapshot from beginning to end."""

    def __init__(self, path: Path, binding: Binding, limit: float) -> None:
        self._path = path
        self._limit = limit
        self._binding = binding
        self._local = threading.local()
        self._opened: list[SqliteConnection] = []
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix=f"sqlite-reader {path.name}")

    async def run(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, copy_context().run, self._read, work, args)

    def stop(self) -> None:
        self._pool.shutdown()
        for opened in self._opened:
            opened.close()

    def _read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        try:
            on = self._mine()
            on.watch.start(self._limit)
            on.control("BEGIN")
            try:
                return work(on.conn, *args)
            finally:
                if on.raw.in_transaction:
                    on.control("ROLLBACK")
        except Exception as error:
            failure = self._binding.dialect.failure(error)
            if failure is None:
                raise
            raise failure from error

    def _mine(self) -> SqliteConnection:
        """The calling thread's own connection."""
        on: SqliteConnection | None = getattr(self._local, "on", None)
        if on is None:
            on = self._local.on = open_reader(self._path, self._binding)
            self._opened.append(on)
        return on


class _SavepointsNeededError(Exception):
    """A unit failed after it had changed rows: the group runs again, each unit inside a savepoint of its own."""


class _TransactionLostError(Exception):
    """SQLite ended the whole transaction by itself (disk full, I/O error, interrupt) while one unit ran."""

    def __init__(self, unit: _Unit, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.unit = unit
        self.cause = cause


def _fail(group: list[_Unit], error: BaseException) -> list[_Outcome]:
    return [_Outcome(unit.answer, None, error) for unit in group]
