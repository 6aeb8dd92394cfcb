"""`sql.group_commit`: durable single-row units from 64 concurrent callers on SQLite, against one unit per commit."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, insert

from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import RowNumber, Store, kit_tables

CALLERS = 64
ROUNDS = 5
SECONDS = 2.0

metadata = MetaData()
kit_tables(metadata)
entry = Table(
    "entry",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
_insert = insert(entry)
_BODY = b"x" * 100


def add(conn: Connection, body: bytes) -> None:
    conn.execute(_insert, {"body": body})


async def writes_per_second(store: Store) -> float:
    """Answered writes in a second of `CALLERS` callers, each writing again as soon as it was answered."""
    answered = 0
    until = time.perf_counter() + SECONDS

    async def caller() -> None:
        nonlocal answered
        while time.perf_counter() < until:
            await store.write(add, _BODY)
            answered += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return answered / (time.perf_counter() - began)


async def run() -> list[dict[str, Any]]:
    """Five interleaved rounds of each, median."""
    # In the working directory: a temporary directory may be memory, where nothing is durable.
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        stores = {limit: await _store(Path(directory) / f"{limit}.db", limit) for limit in (256, 1)}
        rates: dict[int, list[float]] = {limit: [] for limit in stores}
        for _ in range(ROUNDS):
            for limit, store in stores.items():
                rates[limit].append(await writes_per_second(store))
        for store in stores.values():
            await store.close()
    value, against = (statistics.median(rates[limit]) for limit in (256, 1))
    return [
        {
            "name": "sql.group_commit",
            "value": round(value),
            "unit": "writes/s",
            "against": round(against),
            "ratio": round(value / against, 2),
        }
    ]


async def _store(path: Path, group_limit: int) -> Store:
    store = Store.unchecked(f"sqlite:///{path}", metadata, clock=SystemClock(), group_limit=group_limit)
    await store.create_schema()
    return store


if __name__ == "__main__":
    print(asyncio.run(run()))
