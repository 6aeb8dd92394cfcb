"""Runs units of work on PostgreSQL: each in its own SERIALIZABLE transaction on a pooled connection.

SERIALIZABLE makes a unit mean the same as on SQLite, where units run one after another: a check and the write that
relies on it cannot be separated by somebody else. The loser of a race is run again, a bounded number of times.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shuniu.kit.sql.failures import store_busy, store_unavailable
from shuniu.kit.sql.postgresql import connection_lost, lost_race
from shuniu.kit.sql.types import Binding, bind

T = TypeVar("T")

_POOL: Final = 10
_ATTEMPTS: Final = 12
# One statement, ms; waiting for a row lock, ms; a transaction that its client forgot, ms.
_STATEMENT_MS: Final = 10_000
_LOCK_MS: Final = 5_000
_FORGOTTEN_MS: Final = 30_000
# A whole unit with its retries, waiting for a connection included, s: also when the server is frozen and says nothing.
_UNIT_LIMIT: Final = 15.0
_CONNECT_LIMIT: Final = 3.0


class PostgresqlEngine:
    def __init__(self, url: str, binding: Binding) -> None:
        self._binding = binding
        self._engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            isolation_level="SERIALIZABLE",
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=_UNIT_LIMIT,
            query_cache_size=2000,
            connect_args={
                "timeout": _CONNECT_LIMIT,
                "command_timeout": _STATEMENT_MS / 1000 + 1,
                "server_settings": {
                    "application_name": binding.writer,
                    "statement_timeout": str(_STATEMENT_MS),
                    "lock_timeout": str(_LOCK_MS),
                    "idle_in_transaction_session_timeout": str(_FORGOTTEN_MS),
                    # What was answered is on the disk, whatever the server's own default says.
                    "synchronous_commit": "on",
                },
            },
        )
        self._snapshot = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._slots = itertools.count(1)
        event.listen(self._engine.sync_engine, "connect", self._connected)

    async def write(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        return await self._limited(self._write, work, args)

    async def read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        return await self._limited(self._read, work, args)

    async def close(self) -> None:
        await self._engine.dispose()

    def _connected(self, _dbapi: object, record: ConnectionPoolEntry) -> None:
        # A place in the pool keeps its number when its connection is replaced.
        place = record.record_info
        assert place is not None
        slot = place.setdefault("slot", next(self._slots) % _POOL + 1)
        bind(record.info, self._binding, slot)

    async def _limited(self, run: Callable[..., Awaitable[T]], work: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Run within the limit, again after a lost race, and name the failures of the database."""
        try:
            async with asyncio.timeout(_UNIT_LIMIT):
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
        stale = 0
        for attempt in range(_ATTEMPTS):
            try:
                return await run(work, args)
            except Exception as error:
                if connection_lost(error) and stale == 0:
                    # After a restart of the server the pool is full of dead connections; the first failure empties it.
                    # Nothing of the unit can have been committed: a failing commit does not come this way.
                    stale += 1
                elif not lost_race(error):
                    raise
            # Losers come back at different moments, later each time.
            await asyncio.sleep(random.uniform(0.0, 0.002 * 2 ** min(attempt, 6)))
        raise store_busy()

    async def _write(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        async with self._engine.connect() as conn:
            result = await conn.run_sync(work, *args)
            try:
                await conn.commit()
            except DBAPIError as error:
                if connection_lost(error):
                    # Whether it happened nobody knows: the caller asks again with its request_id.
                    raise store_unavailable() from error
                raise
            return result

    async def _read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        async with self._snapshot.connect() as conn:
            return await conn.run_sync(work, *args)
