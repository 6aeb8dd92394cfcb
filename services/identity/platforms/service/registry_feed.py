"""The registry feed: every process of the hub follows it, so suspensions arrive while the bus is unavailable."""

import asyncio
from typing import Any

from services.identity.platforms import store as rows
from services.identity.platforms import views
from shuniu.api.common.v1 import registry_pb2 as pb
from shuniu.api.common.v1 import registry_pb2_grpc
from shuniu.kit.foundation import Foundation

MAX_WAIT = 25
LOOK_SECONDS = 0.5
"""How often a waiting call looks by itself: another replica may have changed the registry."""


class RegistryFeedService(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Answers pulls; `wake` after each commit that changed the registry or ended a session."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._changed = asyncio.Event()
        self._draining = False

    def wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def drain(self) -> None:
        """Ends waiting calls when the process stops."""
        self._draining = True
        self.wake()

    async def PullRegistry(self, request: pb.PullRegistryRequest, context: Any) -> pb.PullRegistryResponse:
        store = self._base.store
        reset = request.epoch != store.epoch
        after = 0 if reset else request.after_version
        until = asyncio.get_running_loop().time() + min(max(request.wait_seconds, 0), MAX_WAIT)
        while True:
            changed = self._changed
            page = await store.read(rows.feed, after)
            left = until - asyncio.get_running_loop().time()
            if reset or page.version != after or left <= 0 or self._draining:
                break
            try:
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await changed.wait()
            except TimeoutError:
                continue
        response = pb.PullRegistryResponse(
            platforms=[views.entry(row, version) for row, version in page.platforms],
            version=page.version,
            epoch=store.epoch,
            reset=reset,
            more=page.more,
        )
        for session_id, ended_us, version in page.ended:
            ended = response.ended_sessions.add(session_id=session_id, version=version)
            ended.ended_at.FromMicroseconds(ended_us)
        return response
