"""Migrations and metadata say the same, or a test says where they differ."""

import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from shuniu.kit.store import Store
from shuniu.kit.store.migrations import check_schema, migrate
from shuniu.kit.testing.clock import ManualClock


async def assert_schema_matches(service_package: str, metadata: MetaData, url: str = "") -> None:
    """Migrate an empty database and compare it with `metadata`; AssertionError lists what differs.

    Uses a SQLite file of its own when no `url` is given.
    """
    with tempfile.TemporaryDirectory() as directory:
        target = url or f"sqlite:///{Path(directory) / 'schema.db'}"
        clock = ManualClock()
        await migrate(target, service_package, clock)
        store = await Store.open(target, metadata, clock=clock)
        try:
            await check_schema(store, service_package)
            differences = await store.read(_compare, metadata)
        finally:
            await store.close()
    assert not differences, "\n".join(map(str, differences))


def _compare(conn: Connection, metadata: MetaData) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": False}
    return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))
