"""Runs units of work on PostgreSQL: each in its own SERIALIZABLE transaction on a pooled connection.

SERIALIZABLE makes a unit mean the same as on SQLite, where units run one after another: a check and the write that
relies on it cannot be separated by somebody else. The loser of a race is run again, a bounded number of times.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shuniu.kit.store.failures import store_busy, store_unavailable
from shuniu.kit.store.postgresql import connection_lost, lost_race, on_standby, taken_meanwhile
from shuniu.kit.store.types import Binding, Limits, announced, bind

T = TypeVar("T")

_POOL: Final = 10
_ATTEMPTS: Final = 12
_CONNECT_LIMIT: Final = 3.0
# Four settings for the whole session.
_SET: Final = "SELECT " + ", ".join(f"set_config(${at}, ${at + 1}, false)" for at in range(1, 9, 2))


class PostgresqlEngine:
    def __init__(self, url: str, binding: Binding, limits: Limits) -> None:
        self.told: Callable[[frozenset[str]], None] = lambda _news: None
        self._limits = limits
        self._binding = binding
        self._engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            isolation_level="SERIALIZABLE",
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=limits.write,
            query_cache_size=2000,
            connect_args={
                "timeout": _CONNECT_LIMIT,
                "command_timeout": max(limits.write, limits.read) + 1,
                # No more than these at the start: a pooler in between takes them, and refuses a connection with others.
                "server_settings": {"application_name": binding.writer},
            },
        )
        self._snapshot = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._session = {
            "statement_timeout": _milliseconds(max(limits.write, limits.read)),
            "lock_timeout": _milliseconds(limits.lock),
            "idle_in_transaction_session_timeout": _milliseconds(2 * limits.write),
            # What was answered is on the disk, whatever the server's own default says.
            "synchronous_commit": "on",
        }
        self._slots = itertools.count(1)
        self._losers = asyncio.Lock()
        event.listen(self._engine.sync_engine, "connect", self._connected)

    async def write(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        return await self._limited(self._limits.write, self._write, work, args)

    async def read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        return await self._limited(self._limits.read, self._read, work, args)

    async def close(self) -> None:
        await self._engine.dispose()

    def _connected(self, dbapi: Any, record: ConnectionPoolEntry) -> None:
        cursor = dbapi.cursor()
        cursor.execute(_SET, [word for setting in self._session.items() for word in setting])
        cursor.close()
        # As the session's, not only the transaction's.
        dbapi.commit()
        # A place in the pool keeps its number when its connection is replaced.
        place = record.record_info
        assert place is not None
        slot = place.setdefault("slot", next(self._slots) % _POOL + 1)
        bind(record.info, self._binding, slot)

    async def _limited(
        self, limit: float, run: Callable[..., Awaitable[T]], work: Callable[..., T], args: tuple[Any, ...]
    ) -> T:
        """Run within `limit` s, again after a lost race, and name the failures of the database.

        Waiting for a connection and a server that is frozen and says nothing are within the limit too.
        """
        try:
            async with asyncio.timeout(limit):
                return await self._repeat(run, work, args)
        except PoolTimeoutError:
            raise store_busy() from None
        except TimeoutError:
            raise store_unavailable() from None
        except Exception as error:
            failure = self._binding.dialect.failure(error)
            if failure is None:
                raise
            raise failure from error

    async def _repeat(self, run: Callable[..., Awaitable[T]], work: Callable[..., T], args: tuple[Any, ...]) -> T:
        second_looks = 1
        for attempt in range(_ATTEMPTS):
            try:
                if attempt == 0:
                    return await run(work, args)
                # Those that lost go one after another: beside each other they would mostly lose again.
                async with self._losers:
                    return await run(work, args)
            except Exception as error:
                # After a restart of the server the pool is full of dead connections; the first failure empties it, and
                # nothing of the unit can have been committed: a failing commit does not come this way.
                # A key that was taken: where a race did it, the unit now sees the winner's row and decides again.
                if second_looks and (connection_lost(error) or taken_meanwhile(error)):
                    second_looks -= 1
                elif not lost_race(error):
                    raise
            # Losers come back at different moments, later each time.
            await asyncio.sleep(random.uniform(0.0, 0.002 * 2 ** min(attempt, 6)))
        raise store_busy()

    async def _write(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        def unit(conn: Connection) -> tuple[T, frozenset[str]]:
            announced(conn)
            return work(conn, *args), announced(conn)

        async with self._engine.connect() as conn:
            try:
                result, news = await conn.run_sync(unit)
            except DBAPIError as error:
                if on_standby(error):
                    raise store_unavailable() from error
                raise
            try:
                await conn.commit()
            except DBAPIError as error:
                if connection_lost(error):
                    # Whether it happened nobody knows: the caller asks again with its request_id.
                    raise store_unavailable() from error
                raise
            finally:
                # Also when its caller has left: the commit may have happened, and who looks in vain looks again.
                if news:
                    self.told(news)
            return result

    async def _read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        async with self._snapshot.connect() as conn:
            return await conn.run_sync(work, *args)


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
