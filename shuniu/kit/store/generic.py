"""SQL that every relational database understands: no upsert, no arrays, no bulk copy, no SKIP LOCKED.

Slower than the others and the proof that nothing above depends on a vendor. A writer of the same row waits for its lock
or loses the race and is run again; correctness comes from the store's isolation, not from clever statements.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, and_, bindparam, insert, literal, select, update

from shuniu.kit.errors import HubError
from shuniu.kit.store.tables import counter
from shuniu.kit.store.types import Dialect, Row, latest_by_key


class GenericDialect:
    """Plain SELECT, INSERT and UPDATE. Failures of the database are told apart by the driver's own dialect."""

    name = "generic"

    def __init__(self, driver: Dialect) -> None:
        self._driver = driver

    def upsert(
        self, conn: Connection, table: Table, rows: Iterable[Row], keys: Sequence[str], guard: str | None
    ) -> int:
        return sum(self._put(conn, table, row, keys, guard) for row in latest_by_key(rows, keys, guard))

    def insert_many(self, conn: Connection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            conn.execute(insert(table), [dict(row) for row in rows])

    def insert_ignore(self, conn: Connection, table: Table, rows: Sequence[Row]) -> int:
        keys = [column.name for column in table.primary_key]
        new = [row for row in latest_by_key(reversed(rows), keys, None) if not _exists(conn, table, row, keys)]
        self.insert_many(conn, table, new)
        return len(new)

    def next_value(self, conn: Connection, name: str, step: int = 1) -> int:
        grown = conn.execute(
            update(counter).where(counter.c.name == name).values(value=counter.c.value + step),
        )
        if grown.rowcount == 0:
            conn.execute(insert(counter).values(name=name, value=step))
            return step
        return int(conn.execute(select(counter.c.value).where(counter.c.name == name)).scalar_one())

    def next_values(self, conn: Connection, names: Sequence[str]) -> list[int]:
        return [self.next_value(conn, name) for name in names]

    def time_us(self, conn: Connection) -> int:
        return self._driver.time_us(conn)

    def take_schema(self, conn: Connection) -> bool:
        return self._driver.take_schema(conn)

    def failure(self, error: BaseException) -> HubError | None:
        return self._driver.failure(error)

    def _put(self, conn: Connection, table: Table, row: Row, keys: Sequence[str], guard: str | None) -> int:
        same = and_(*(table.c[key] == bindparam(f"key_{key}") for key in keys))
        changes = {name: value for name, value in row.items() if name not in keys}
        bound = {f"key_{key}": row[key] for key in keys}
        if changes:
            older = same if guard is None else and_(same, table.c[guard] < row[guard])
            if conn.execute(update(table).where(older).values(**changes), bound).rowcount:
                return 1
        if _exists(conn, table, row, keys):
            return 0
        conn.execute(insert(table), dict(row))
        return 1


def _exists(conn: Connection, table: Table, row: Row, keys: Sequence[str]) -> bool:
    same = and_(*(table.c[key] == row[key] for key in keys))
    return conn.execute(select(literal(1)).select_from(table).where(same)).first() is not None
