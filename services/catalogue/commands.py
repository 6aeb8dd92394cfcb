"""Commands on the catalogue's store while the catalogue does not run."""

from pathlib import Path

from sqlalchemy import Connection

from services.catalogue.config import CatalogueSettings
from services.catalogue.items import store
from services.catalogue.search import store as search_store
from services.catalogue.store import METADATA
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.service_settings import database_url
from shuniu.kit.store import Store


async def reindex(path: Path) -> int:
    """Makes all search tokens anew, as a release with another tokenizer must; returns how many items are findable."""
    settings = load(CatalogueSettings, path, "catalogue")
    url = database_url(load(HubSettings, path, "hub"), settings, "catalogue")
    opened = await Store.open(url, METADATA, clock=SystemClock(), writer="catalogue")
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
