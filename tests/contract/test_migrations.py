"""Migrations: what `shuniu migrate` promises, on SQLite, on PostgreSQL and on the generic dialect."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, insert, select

from shuniu.kit.store import SchemaTooNewError, SchemaTooOldError, Store, StoreLockedError, kit_tables
from shuniu.kit.store.migrations import check_schema, migrate
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.schema import assert_schema_matches

FIRST = """
import sqlalchemy as sa
from alembic import op

from shuniu.kit.store.migrations import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    op.create_table("thing", sa.Column("id", sa.Text, primary_key=True))
"""

SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("thing", sa.Column("weight", sa.BigInteger, nullable=False, server_default="0"))
"""

FAILING = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table("half_done", sa.Column("id", sa.Text, primary_key=True))
    raise ZeroDivisionError
"""


def schema(*extra: Column[int]) -> MetaData:
    metadata = MetaData()
    kit_tables(metadata)
    Table("thing", metadata, Column("id", Text, primary_key=True), *extra)
    return metadata


class Service:
    """A service package whose revisions appear one by one, as its releases do."""

    name = "migrating_service"

    def __init__(self, root: Path) -> None:
        self.versions = root / self.name / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        (root / self.name / "__init__.py").touch()

    def release(self, *revisions: str) -> None:
        for old in self.versions.glob("*.py"):
            old.unlink()
        for number, text in enumerate(revisions, 1):
            (self.versions / f"v{number:04}.py").write_text(text)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Service(tmp_path)
    sys.modules.pop(Service.name, None)


async def test_an_empty_store_becomes_the_newest(service: Service, store_url: str, clock: ManualClock) -> None:
    """Migrating runs every revision, once; doing it again changes nothing; data survives the next release."""
    service.release(FIRST)
    assert await migrate(store_url, service.name, clock) == "0001"
    assert await migrate(store_url, service.name, clock) == "0001"
    store = await Store.open(store_url, schema(), clock=clock)
    await store.write(lambda conn: conn.execute(insert(schema().tables["thing"]), {"id": "kept"}) and None)
    assert store.epoch == 1
    await store.close()

    service.release(FIRST, SECOND)
    assert await migrate(store_url, service.name, clock) == "0002"
    now = schema(Column("weight", BigInteger, nullable=False, server_default="0"))
    store = await Store.open(store_url, now, clock=clock)
    rows = await store.read(lambda conn: [tuple(row) for row in conn.execute(select(now.tables["thing"]))])
    assert rows == [("kept", 0)]
    assert await check_schema(store, service.name) == "0002"
    await store.close()


async def test_newer_and_older_schemas_are_refused(service: Service, store_url: str, clock: ManualClock) -> None:
    """A program refuses a schema it does not know, to run on and to migrate; and one that lacks its migrations."""
    service.release(FIRST, SECOND)
    await migrate(store_url, service.name, clock)
    store = await Store.open(store_url, schema(), clock=clock)
    service.release(FIRST)
    with pytest.raises(SchemaTooNewError, match="0002"):
        await check_schema(store, service.name)
    service.release(FIRST, SECOND, FAILING)
    with pytest.raises(SchemaTooOldError, match="shuniu migrate"):
        await check_schema(store, service.name)
    await store.close()
    service.release(FIRST)
    with pytest.raises(SchemaTooNewError):
        await migrate(store_url, service.name, clock)


async def test_a_failing_migration_leaves_nothing(service: Service, store_url: str, clock: ManualClock) -> None:
    """Revisions are one transaction: when the last fails, the schema is as it was."""
    service.release(FIRST, SECOND, FAILING)
    with pytest.raises(ZeroDivisionError):
        await migrate(store_url, service.name, clock)
    service.release(FIRST)
    assert await migrate(store_url, service.name, clock) == "0001"


@pytest.mark.postgresql
async def test_replicas_migrate_one_after_another(service: Service, postgres_database: str, clock: ManualClock) -> None:
    """Replicas that start together and all migrate end with one schema and no error."""
    service.release(FIRST, SECOND)
    revisions = await asyncio.gather(*(migrate(postgres_database, service.name, clock) for _ in range(3)))
    assert revisions == ["0002"] * 3


async def test_a_running_service_is_not_migrated(service: Service, tmp_path: Path, clock: ManualClock) -> None:
    """SQLite: migrating a file that a service writes is refused, as is a second service."""
    service.release(FIRST)
    url = f"sqlite:///{tmp_path}/running.db"
    await migrate(url, service.name, clock)
    store = await Store.open(url, schema(), clock=clock)
    with pytest.raises(StoreLockedError, match="another process"):
        await migrate(url, service.name, clock)
    await store.close()
    await migrate(url, service.name, clock)


async def test_schema_comparison_finds_a_difference(service: Service, store_url: str) -> None:
    """The check that services run is silent when migrations and metadata agree, and names what differs."""
    service.release(FIRST)
    await assert_schema_matches(service.name, schema(), store_url)
    service.release(FIRST, SECOND)
    with pytest.raises(AssertionError, match="weight"):
        await assert_schema_matches(service.name, schema(), store_url)
