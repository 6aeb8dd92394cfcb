"""The registry feed: every process of the hub follows it, so suspensions arrive while the bus is unavailable."""

from typing import Any

from services.identity.platforms import store as platform_store
from services.identity.platforms import views
from shuniu.api.common.v1 import registry_pb2 as pb
from shuniu.api.common.v1 import registry_pb2_grpc
from shuniu.kit.feeds.serving import FeedServer
from shuniu.kit.foundation import Foundation


class RegistryFeedService(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Answers pulls of platforms and ended sessions."""

    def __init__(self, base: Foundation, feed: FeedServer) -> None:
        self._base = base
        self._feed = feed

    async def PullRegistry(self, request: pb.PullRegistryRequest, context: Any) -> pb.PullRegistryResponse:
        page, reset = await self._feed.pull(
            platform_store.feed, after_version=request.after_version, epoch=request.epoch, wait_s=request.wait_seconds
        )
        response = pb.PullRegistryResponse(
            platforms=[views.entry(row, version) for row, version in page.platforms],
            version=page.version,
            epoch=self._base.store.epoch,
            reset=reset,
            more=page.more,
        )
        for session_id, ended_us, version in page.ended:
            ended = response.ended_sessions.add(session_id=session_id, version=version)
            ended.ended_at.FromMicroseconds(ended_us)
        return response
