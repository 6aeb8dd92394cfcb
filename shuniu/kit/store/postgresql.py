"""PostgreSQL: what it spells in its own way, and which of its errors mean what.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Table, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from shuniu.kit import errors
from shuniu.kit.store.failures import store_full, store_refused, store_slow, store_unavailable, text_refused
from shuniu.kit.store.tables import counter
from shuniu.kit.store.types import LostRaceError, Row, latest_by_key

# Serialization failure and deadlock: the loser runs again.
_LOST_RACE: Final = {"40001", "40P01"}
_FULL: Final = {"53100", "58030"}
# Character not in repertoire: its text type holds no U+0000.
_CHARACTER: Final = "22021"
# Query cancelled by statement_timeout; lock not available within lock_timeout.
_SLOW: Final = {"57014", "55P03"}
# Connection exceptions, operator intervention, too many connections.
_AWAY_CLASSES: Final = ("08", "57P", "53300")
# Invalid authorization, invalid catalog name: a user, a password or a database that is not there.
_REFUSED: Final = ("28", "3D")
_UNIQUE_VIOLATION: Final = "23505"
_READ_ONLY: Final = "25006"

# Any number that nothing else in the database uses: "shuniu" in ASCII.
_SCHEMA_LOCK: Final = int.from_bytes(b"shuniu", "big")

# Not the transaction's beginning: a unit may have waited for a lock since.
_NOW_US: Final = select(cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger))

# From here on COPY pays for the round trip it needs to begin.
_COPY_FROM: Final = 64


class PostgresqlDialect:
    name = "postgresql"

    def upsert(
        self, conn: Connection, table: Table, rows: Iterable[Row], keys: Sequence[str], guard: str | None
    ) -> int:
        latest = latest_by_key(rows, keys, guard)
        if not latest:
            return 0
        statement = _insert_unnested(table, latest)
        changes = {name: statement.excluded[name] for name in latest[0] if name not in keys}
        if changes:
            newer = None if guard is None else table.c[guard] < statement.excluded[guard]
            merged = statement.on_conflict_do_update(index_elements=list(keys), set_=changes, where=newer)
        else:
            merged = statement.on_conflict_do_nothing(index_elements=list(keys))
        return conn.execute(merged, _columns_of(latest)).rowcount

    def insert_many(self, conn: Connection, table: Table, rows: Sequence[Row]) -> None:
        if len(rows) >= _COPY_FROM:
            _copy(conn, table, rows)
        elif rows:
            conn.execute(_insert_unnested(table, rows), _columns_of(rows))

    def insert_ignore(self, conn: Connection, table: Table, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        keys = [column.name for column in table.primary_key]
        statement = _insert_unnested(table, rows).on_conflict_do_nothing(index_elements=keys)
        return conn.execute(statement, _columns_of(rows)).rowcount

    def next_value(self, conn: Connection, name: str, step: int = 1) -> int:
        grown = (
            insert(counter)
            .values(name=name, value=step)
            .on_conflict_do_update(index_elements=["name"], set_={"value": counter.c.value + step})
            .returning(counter.c.value)
        )
        return int(conn.execute(grown).scalar_one())

    def next_values(self, conn: Connection, names: Sequence[str]) -> list[int]:
        if not names:
            return []
        # In one order whoever asks: two that lock the same rows the other way round would wait for each other.
        rows = [{"name": name, "value": 1} for name in sorted(names)]
        grown = (
            _insert_unnested(counter, rows)
            .on_conflict_do_update(index_elements=["name"], set_={"value": counter.c.value + 1})
            .returning(counter.c.name, counter.c.value)
        )
        values = {row.name: row.value for row in conn.execute(grown, _columns_of(rows))}
        return [values[name] for name in names]

    def time_us(self, conn: Connection) -> int:
        return int(conn.execute(_NOW_US).scalar_one())

    def take_schema(self, conn: Connection) -> bool:
        # Taken or not at once: a snapshot that waited for the lock would not see what the other has made.
        return bool(conn.execute(select(func.pg_try_advisory_xact_lock(_SCHEMA_LOCK))).scalar_one())

    def failure(self, error: BaseException) -> errors.HubError | None:
        if isinstance(error, (OSError, TimeoutError)):
            return store_unavailable()
        code = sqlstate(error)
        if code == _CHARACTER:
            return text_refused()
        if code in _FULL:
            return store_full()
        if code in _SLOW:
            return store_slow()
        if code.startswith(_REFUSED):
            return store_refused()
        if code.startswith(_AWAY_CLASSES) or connection_lost(error):
            return store_unavailable()
        return None


def sqlstate(error: BaseException) -> str:
    """The five-character SQLSTATE of a failure, or ""."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlstate", None) or "")


def lost_race(error: BaseException) -> bool:
    """Tells whether the unit was overtaken by another and should run again."""
    return isinstance(error, LostRaceError) or sqlstate(error) in _LOST_RACE


def taken_meanwhile(error: BaseException) -> bool:
    """Tells whether a key was there already: perhaps since a moment ago, so the unit would now decide otherwise."""
    return sqlstate(error) == _UNIQUE_VIOLATION


def on_standby(error: BaseException) -> bool:
    """Tells whether the server takes no writes because another one is the primary."""
    return sqlstate(error) == _READ_ONLY


def connection_lost(error: BaseException) -> bool:
    """Tells whether the connection died under the statement."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _insert_unnested(table: Table, rows: Sequence[Row]) -> Insert:
    """One statement for any number of rows: each column travels as one array."""
    names = list(rows[0])
    arrays = (func.unnest(bindparam(f"all_{name}", type_=ARRAY(table.c[name].type))) for name in names)
    return insert(table).from_select(names, select(*arrays))


def _columns_of(rows: Sequence[Row]) -> Mapping[str, list[Any]]:
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}


def _copy(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    # The driver begins its transaction with the first statement it sees, and does not see the COPY.
    conn.exec_driver_sql("SELECT 1")
    names = list(rows[0])
    driver = conn.connection.driver_connection
    assert driver is not None
    await_only(
        driver.copy_records_to_table(
            table.name, schema_name=table.schema, columns=names, records=[[row[name] for name in names] for row in rows]
        )
    )
