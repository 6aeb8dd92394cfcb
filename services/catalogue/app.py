"""Wiring of the catalogue service: settings → store → domain → servicers → run."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from services.catalogue import events
from services.catalogue.config import CatalogueSettings, page_key_file
from services.catalogue.housekeeping import Housekeeping
from services.catalogue.items import store
from services.catalogue.publishing.service import ItemEditService
from services.catalogue.search.page_key import page_key
from services.catalogue.search.service import ItemService
from services.catalogue.store import METADATA
from services.catalogue.sync.service import ItemFeedService
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process
from shuniu.kit.rpc.server import servicer


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(CatalogueSettings, path, "catalogue")
    async with (
        open_foundation("catalogue", hub, settings, METADATA, package="services.catalogue") as base,
        open_messaging(base, area=events.AREA) as messaging,
    ):
        feed = ItemFeedService(base)
        keeping = Housekeeping(base.store, base.clock)

        def not_ready() -> list[str]:
            return [] if base.store.writable else ["store is not writable"]

        async def facts() -> Mapping[str, str]:
            found = await base.store.read(store.counts)
            version = await base.store.read(store.feed_version)
            published = found.get("PUBLISHED", 0)
            return {**await messaging.facts(), "items_published": str(published), "feed_version": str(version)}

        operations = Operations(base, not_ready, facts=facts, replay=messaging.replay)
        yield Process(
            listeners=base.listeners(
                edge=[
                    servicer(ItemService(base, page_key(page_key_file(hub, settings)))),
                    servicer(ItemEditService(base, feed)),
                    servicer(feed),
                ],
                peer=[servicer(operations)],
            ),
            tasks=[base.registry.replica.follow, operations.watch, keeping.watch, keeping.tidy, *messaging.tasks],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
            on_drain=[feed.drain],
        )
