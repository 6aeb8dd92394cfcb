"""Opens the item feed, and what `shuniu status` shows of it."""

from collections.abc import Mapping

from services.catalogue.items import store
from services.catalogue.sync.service import ItemFeedService
from shuniu.kit.feeds.serving import FeedServer
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_sync(base: Foundation) -> Part:
    feed = FeedServer(base.store, store.FEED)

    async def facts() -> Mapping[str, str]:
        found = await base.store.read(store.counts)
        version = await base.store.read(store.feed_version)
        return {"items_published": str(found.get("PUBLISHED", 0)), "feed_version": str(version)}

    return Part(edge=[servicer(ItemFeedService(base, feed))], facts=facts, on_drain=feed.drain)
