"""Wiring of the catalogue service: settings → store → domain → servicers → run."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from services.catalogue import events, store
from services.catalogue.config import CatalogueSettings, page_key_file
from services.catalogue.housekeeping import Housekeeping
from services.catalogue.service.editing import ItemEditing
from services.catalogue.service.feed import ItemFeed
from services.catalogue.service.reading import Items
from shuniu.api.catalogue.v1 import feed_pb2, feed_pb2_grpc, item_pb2, item_pb2_grpc
from shuniu.kit.config import HubSettings, load, secret, write_secret
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.run import Process
from shuniu.kit.server import Servicer

_ITEMS = item_pb2.DESCRIPTOR.services_by_name
_FEED = feed_pb2.DESCRIPTOR.services_by_name


def page_key(path: Path) -> bytes:
    """The key of page tokens, made at the first start. Raises ConfigError when others can read it."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(path, secrets.token_bytes(32))
    return secret(path)


@asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(CatalogueSettings, path, "catalogue")
    async with (
        open_foundation("catalogue", hub, settings, store.METADATA, package="services.catalogue") as base,
        open_messaging(base, area=events.AREA) as messaging,
    ):
        assert base.registry is not None
        feed = ItemFeed(base)
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
                    Servicer(
                        item_pb2_grpc.add_ItemServiceServicer_to_server,
                        Items(base, page_key(page_key_file(hub, settings))),
                        _ITEMS["ItemService"],
                    ),
                    Servicer(
                        item_pb2_grpc.add_ItemEditServiceServicer_to_server,
                        ItemEditing(base, feed),
                        _ITEMS["ItemEditService"],
                    ),
                    Servicer(feed_pb2_grpc.add_ItemFeedServiceServicer_to_server, feed, _FEED["ItemFeedService"]),
                ],
                peer=[operations.servicer()],
            ),
            tasks=[base.registry.replica.follow, operations.watch, keeping.watch, keeping.tidy, *messaging.tasks],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
            on_drain=[feed.drain],
        )
