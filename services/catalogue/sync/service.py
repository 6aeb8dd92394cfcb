"""ItemFeedService: returns the items that changed after a version, or waits for a change."""

import functools
from typing import Any, Final

from services.catalogue.items import store
from services.catalogue.items.views import public
from shuniu.api.catalogue.v1 import feed_pb2 as pb
from shuniu.api.catalogue.v1 import feed_pb2_grpc
from shuniu.kit.feeds.serving import FeedServer
from shuniu.kit.foundation import Foundation

MOST_ITEMS: Final = 500
MOST_BYTES: Final = 1024 * 1024


class ItemFeedService(feed_pb2_grpc.ItemFeedServiceServicer):
    """Answers pulls of published items."""

    def __init__(self, base: Foundation, feed: FeedServer) -> None:
        self._base = base
        self._feed = feed

    async def PullItems(self, request: pb.PullItemsRequest, context: Any) -> pb.PullItemsResponse:
        limit = min(request.max_items, MOST_ITEMS) if request.max_items > 0 else MOST_ITEMS
        page, reset = await self._feed.pull(
            functools.partial(store.changes, limit=limit, most_bytes=MOST_BYTES),
            after_version=request.after_version,
            epoch=request.epoch,
            wait_s=request.wait_seconds,
        )
        return pb.PullItemsResponse(
            items=[pb.FeedItem(feed_version=stored.feed_version, item=public(stored)) for stored in page.items],
            version=page.version,
            epoch=self._base.store.epoch,
            reset=reset,
            more=page.more,
        )
