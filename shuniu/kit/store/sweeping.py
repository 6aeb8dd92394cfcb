"""Sweeps: what is old is deleted in batches, by an index of time, until no more is."""

from collections.abc import Callable
from typing import Final, TypeVarTuple

from sqlalchemy import Connection, Table, and_, bindparam, delete, select

from shuniu.kit.store.store import Store

Ts = TypeVarTuple("Ts")

BATCH: Final = 1000
"""Rows deleted in one unit, so that a sweep never holds the writer for long."""


def delete_older(conn: Connection, table: Table, before_us: int) -> int:
    """Deletes the rows older than an instant of a table with an index by `time_us`, the oldest `BATCH` at most; returns
    how many. Fewer than that means that no more are.
    """
    keys = list(table.primary_key)
    old = select(*keys).where(table.c.time_us < before_us).order_by(table.c.time_us).limit(BATCH)
    rows = [{f"key_{column.name}": value for column, value in zip(keys, row, strict=True)} for row in conn.execute(old)]
    if rows:
        same = and_(*(column == bindparam(f"key_{column.name}") for column in keys))
        conn.execute(delete(table).where(same), rows)
    return len(rows)


async def until_dry(store: Store, sweep: Callable[[Connection, *Ts], int], *args: *Ts) -> None:
    """Runs a sweep that deletes `BATCH` rows at most until it finds fewer; others write in between."""
    while await store.write(sweep, *args) >= BATCH:
        pass
