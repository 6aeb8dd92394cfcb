"""Stores of services that do not run: migrated, audited and restored as the command line does it."""

from pathlib import Path

from shuniu.kit.operations import audit_check
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import read
from shuniu.kit.store import Store, migrations
from shuniu.kit.store.tables import KIT


def store_url(config: Path, service: str) -> str:
    """The URL of a service's store, from the hub's settings file."""
    table = read(config)
    return (
        str(table.get(service, {}).get("database_url", "")) or f"sqlite:///{table['hub']['data_dir']}/db/{service}.db"
    )


async def migrate(config: Path, service: str, package: str) -> None:
    await migrations.migrate(store_url(config, service), package, SystemClock())


async def audit_is_intact(config: Path, service: str) -> bool:
    store = Store.unchecked(store_url(config, service), KIT, clock=SystemClock(), writer="audit")
    try:
        return (await store.read(audit_check)).intact
    finally:
        await store.close()


async def raise_epoch(config: Path, service: str) -> int:
    store = Store.unchecked(store_url(config, service), KIT, clock=SystemClock(), writer="restore")
    try:
        return await store.begin_restored(())
    finally:
        await store.close()
