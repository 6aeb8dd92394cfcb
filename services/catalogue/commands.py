"""What the command line may call of the catalogue while it does not run."""

from pathlib import Path

from sqlalchemy import Connection

from services.catalogue.config import CatalogueSettings
from services.catalogue.items import store
from services.catalogue.search import store as search_store
from services.catalogue.store import METADATA
from shuniu.api.common.v1 import operations_pb2
from shuniu.kit.operations import audit_check
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.service_settings import database_url
from shuniu.kit.store import Store, migrations

PACKAGE = "services.catalogue"


async def migrate(path: Path) -> str:
    """Brings the store to this version's schema; returns its revision. `path` is the hub's settings file."""
    return await migrations.migrate(_url(path), PACKAGE, SystemClock())


async def verify_audit(path: Path) -> operations_pb2.VerifyAuditResponse:
    """Recomputes the audit chains."""
    opened = await _open(path)
    try:
        return await opened.read(audit_check)
    finally:
        await opened.close()


async def raise_epoch(path: Path) -> int:
    """Begins a new epoch, as a restore must: readers of the feed begin again. Returns it."""
    opened = await _open(path)
    try:
        return await opened.raise_epoch()
    finally:
        await opened.close()


async def reindex(path: Path) -> int:
    """Makes all search tokens anew, as a release with another tokenizer must; returns how many items are findable."""
    opened = await _open(path)
    try:
        return await opened.write(_reindex)
    finally:
        await opened.close()


def _reindex(conn: Connection) -> int:
    after, found = 0, 0
    while True:
        page = store.changes(conn, after, limit=500, most_bytes=16 * 1024 * 1024)
        for stored in page.items:
            if stored.record.visible is None:
                search_store.forget(conn, stored.id)
            else:
                search_store.index(conn, stored.record.visible)
                found += 1
        if not page.more:
            return found
        after = page.version


async def _open(path: Path) -> Store:
    return await Store.open(_url(path), METADATA, clock=SystemClock(), writer="catalogue")


def _url(path: Path) -> str:
    return database_url(load(HubSettings, path, "hub"), load(CatalogueSettings, path, "catalogue"), "catalogue")
