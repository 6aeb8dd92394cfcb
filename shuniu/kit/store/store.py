"""The store: where a service's truth lives, whichever database holds it."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self, TypeVar, TypeVarTuple

from sqlalchemy import Connection, MetaData, inspect, make_url, or_, select

from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import Clock
from shuniu.kit.store.failures import UNWRITABLE
from shuniu.kit.store.generic import GenericDialect
from shuniu.kit.store.postgresql import PostgresqlDialect
from shuniu.kit.store.postgresql_engine import PostgresqlEngine
from shuniu.kit.store.sqlite import SqliteDialect
from shuniu.kit.store.sqlite_engine import SqliteEngine
from shuniu.kit.store.tables import counter, meta
from shuniu.kit.store.types import Binding, Dialect, Engine, Limits, SchemaTooOldError, ValueCipher, binding_of

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_EPOCH: Final = "epoch"
_PROBE: Final = "probe"
_RESTORED: Final = "restored_us"
FORGOTTEN_MOST: Final = 1_000_000
"""More numbers than any service gave out between a backup and the end of the store it was made of."""
# How often a store that could not write tries again by itself, s.
_PROBE_EVERY: Final = 0.5


class Store:
    """Runs units of work: plain synchronous functions of a SQLAlchemy Connection that do SQL and nothing else.

    A unit decides, writes its rows, outbox, audit and request log together, and returns plain values (a cursor or a
    lazy result does not outlive it). It never commits: returning commits, raising undoes. It may be run more than once.
    """

    def __init__(self, engine: Engine, binding: Binding, metadata: MetaData) -> None:
        self._engine = engine
        self._binding = binding
        self._metadata = metadata
        self._probe: asyncio.Task[None] | None = None
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        engine.told = self._tell

    def listen(self, topic: str, tell: Callable[[], None]) -> None:
        """Calls `tell` on the event loop after each commit of a unit of this process that announced the topic
        (`announce`), whether or not its caller still waits. Commits of other processes are not told (`is_shared`).
        """
        self._listeners.setdefault(topic, []).append(tell)

    def unlisten(self, topic: str, tell: Callable[[], None]) -> None:
        self._listeners[topic].remove(tell)

    def _tell(self, news: frozenset[str]) -> None:
        for topic in news:
            for tell in self._listeners.get(topic, ()):
                tell()

    @classmethod
    async def open(
        cls, url: str, metadata: MetaData, *, clock: Clock, group_limit: int = 256, writer: str = "main"
    ) -> Self:
        """Open a migrated store.

        `url` is "sqlite:///absolute/or/relative/path", "postgresql://user@host/database" or "generic+sqlite:///path".
        `group_limit` is the most units that share one commit on SQLite. `writer` names this service instance in audit
        chains and must differ between replicas. Raises SchemaTooOldError when a table of `metadata` is missing
        (`shuniu migrate` creates them), StoreLockedError when another process writes the file, HubError
        STORE_UNAVAILABLE when the database does not answer, STORE_REFUSED when it refuses the login.
        """
        store = cls.unchecked(url, metadata, clock=clock, group_limit=group_limit, writer=writer)
        try:
            await store.look_at_schema()
        except BaseException:
            await store.close()
            raise
        return store

    @classmethod
    def unchecked(
        cls,
        url: str,
        metadata: MetaData,
        *,
        clock: Clock,
        group_limit: int = 256,
        writer: str = "main",
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> Self:
        """A store whose schema nobody has looked at: for creating one."""
        dialect, kind, rest = dialect_of(url)
        binding = Binding(dialect, clock, writer)
        engine: Engine
        if kind == "postgresql":
            engine = PostgresqlEngine(rest, binding, limits)
        else:
            engine = SqliteEngine(Path(rest), binding, limits, group_limit)
        return cls(engine, binding, metadata)

    @property
    def dialect(self) -> Dialect:
        return self._binding.dialect

    @property
    def is_shared(self) -> bool:
        """True where other processes may write to it: then not every commit is this process's own."""
        return isinstance(self._engine, PostgresqlEngine)

    @property
    def epoch(self) -> int:
        """Raised by each restore: a cursor, lease or ledger head of another epoch belongs to another history."""
        return self._binding.epoch

    def use_cipher(self, cipher: ValueCipher) -> None:
        """Units encrypt with it what must not be stored in clear (`secret_values`)."""
        self._binding.cipher = cipher

    @property
    def writable(self) -> bool:
        """False from a full disk or an absent database until a write succeeds; the store probes by itself."""
        return self._probe is None

    async def write(self, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Run a unit of work; returns once its commit is durable.

        Raises what the unit raised, and HubError STORE_FULL, STORE_UNAVAILABLE, STORE_REFUSED, STORE_BUSY or
        STORE_SLOW. After STORE_UNAVAILABLE or STORE_SLOW the commit may have happened: retry with the same request_id.
        """
        try:
            result = await self._engine.write(work, args)
        except HubError as failure:
            if failure.reason in UNWRITABLE and self._probe is None:
                self._probe = asyncio.get_running_loop().create_task(self._probe_until_written())
            raise
        if self._probe is not None:
            self._stop_probe()
        return result

    async def read(self, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Run a unit that only reads, on one snapshot; it sees every write answered before."""
        return await self._engine.read(work, args)

    async def look_at_schema(self) -> None:
        """Check that the tables are there and read the epoch. Raises SchemaTooOldError."""
        missing = await self.read(_missing_tables, self._metadata)
        if missing:
            raise SchemaTooOldError(f"tables missing: {', '.join(missing)}; run `shuniu migrate`")
        self._binding.epoch, self._binding.restored_us = await self.read(_read_history)

    async def empty(self) -> bool:
        """True while the database has no table at all."""
        return not await self.read(_tables)

    async def begin_restored(self, counters: Sequence[str]) -> int:
        """Begin a new epoch behind what the world may have seen of the last one, and note when; returns the epoch.

        The numbers of events, and of all counters whose names begin with one of `counters`, go on a million further:
        what was given out after the backup is not given out again.
        """
        self._binding.epoch = await self.write(_begin_restored, ("seq:", *counters))
        return self._binding.epoch

    async def create_schema(self) -> None:
        """Create all tables at once, without migrations: for tests and benches."""
        await self.write(_create_all, self._metadata)
        await self.look_at_schema()

    async def close(self) -> None:
        """Answer what was accepted, then close."""
        if self._probe is not None:
            probe = self._probe
            self._stop_probe()
            with contextlib.suppress(asyncio.CancelledError):
                await probe
        await self._engine.close()

    async def _probe_until_written(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_EVERY)
            with contextlib.suppress(HubError):
                await self._engine.write(_probe_write, ())
                self._probe = None
                return

    def _stop_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None


def dialect_of(url: str) -> tuple[Dialect, str, str]:
    """(dialect, engine kind "sqlite" or "postgresql", file path or server URL). ValueError for any other URL."""
    parsed = make_url(url)
    if parsed.drivername in {"sqlite", "generic+sqlite"}:
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError(f"{url}: a store is a file; in-memory databases cannot be read beside their writer")
        driver = SqliteDialect()
        dialect = driver if parsed.drivername == "sqlite" else GenericDialect(driver)
        return dialect, "sqlite", parsed.database
    if parsed.drivername == "postgresql":
        return PostgresqlDialect(), "postgresql", url
    raise ValueError(f"{parsed.drivername}: expected sqlite, postgresql or generic+sqlite")


def _tables(conn: Connection) -> list[str]:
    return inspect(conn).get_table_names()


def _missing_tables(conn: Connection, metadata: MetaData) -> list[str]:
    return sorted(set(metadata.tables) - set(_tables(conn)))


def _read_epoch(conn: Connection) -> int:
    found = conn.execute(select(meta.c.value).where(meta.c.name == _EPOCH)).scalar()
    return int(found or 0)


def _read_history(conn: Connection) -> tuple[int, int]:
    restored = conn.execute(select(meta.c.value).where(meta.c.name == _RESTORED)).scalar()
    return _read_epoch(conn), int(restored or 0)


def _begin_restored(conn: Connection, counters: Sequence[str]) -> int:
    wanted = or_(*(counter.c.name.startswith(name, autoescape=True) for name in counters))
    conn.execute(counter.update().where(wanted).values(value=counter.c.value + FORGOTTEN_MOST))
    _put_meta(conn, _RESTORED, binding_of(conn).clock.now_us())
    return _raise_epoch(conn)


def _put_meta(conn: Connection, name: str, value: int) -> None:
    changed = conn.execute(meta.update().where(meta.c.name == name).values(value=value))
    if changed.rowcount == 0:
        conn.execute(meta.insert().values(name=name, value=value))


def _raise_epoch(conn: Connection) -> int:
    epoch = _read_epoch(conn) + 1
    _put_meta(conn, _EPOCH, epoch)
    return epoch


def _probe_write(conn: Connection) -> None:
    _put_meta(conn, _PROBE, binding_of(conn).clock.now_us())


def _create_all(conn: Connection, metadata: MetaData) -> None:
    metadata.create_all(conn)
    _put_meta(conn, _EPOCH, max(1, _read_epoch(conn)))
