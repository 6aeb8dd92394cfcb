"""ItemFeedService: returns what changed after a version, or waits for it."""

import asyncio
from typing import Any, Final

from services.catalogue.items import store
from services.catalogue.items.views import public
from shuniu.api.catalogue.v1 import feed_pb2 as pb
from shuniu.api.catalogue.v1 import feed_pb2_grpc
from shuniu.kit.foundation import Foundation

MOST_ITEMS: Final = 500
MOST_BYTES: Final = 1024 * 1024
MOST_WAIT: Final = 25.0
LOOK_SECONDS: Final = 1.0
"""How often changes of other replicas are looked for; this one's wake the call at once."""


class ItemFeedService(feed_pb2_grpc.ItemFeedServiceServicer):
    """Answers from the store; `wake` wakes waiting calls, which also look by themselves at intervals."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._changed = asyncio.Event()
        self._draining = False

    def wake(self) -> None:
        """Something was committed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def drain(self) -> None:
        """Ends waiting calls when the process stops."""
        self._draining = True
        self.wake()

    async def PullItems(self, request: pb.PullItemsRequest, context: Any) -> pb.PullItemsResponse:
        store_now = self._base.store
        reset = request.epoch != store_now.epoch or request.after_version < 0
        after = 0 if reset else request.after_version
        limit = min(request.max_items, MOST_ITEMS) if request.max_items > 0 else MOST_ITEMS
        loop = asyncio.get_running_loop()
        until = loop.time() + min(max(request.wait_seconds, 0), MOST_WAIT)
        while True:
            changed = self._changed
            found, version, more = await store_now.read(store.changes, after, limit, MOST_BYTES)
            if version < after:
                # The caller knows a future that this store has not: its history is another one.
                reset, after = True, 0
                continue
            left = until - loop.time()
            if found or reset or left <= 0 or self._draining:
                break
            try:
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await changed.wait()
            except TimeoutError:
                continue
        return pb.PullItemsResponse(
            items=[pb.FeedItem(feed_version=stored.feed_version, item=public(stored)) for stored in found],
            version=version,
            epoch=store_now.epoch,
            reset=reset,
            more=more,
        )
