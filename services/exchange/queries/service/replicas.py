"""ProviderStreamService: questions of other replicas over streams that this one holds."""

from typing import Any

from services.exchange.queries.forwarding import ON_THE_WAY_SECONDS
from services.exchange.queries.streams import ProviderStreams
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc


class ProviderStreamService(query_pb2_grpc.ProviderStreamServiceServicer):
    """Asks over the streams of this process, and passes nothing on."""

    def __init__(self, streams: ProviderStreams) -> None:
        self._streams = streams

    async def AskProvider(self, request: pb.AskProviderRequest, context: Any) -> pb.AskProviderResponse:
        # A client of the hub always sets a deadline.
        seconds = max(0.0, (context.time_remaining() or 0.0) - ON_THE_WAY_SECONDS)
        answer = await self._streams.ask_here(request.question, request.provider, seconds)
        return pb.AskProviderResponse(answer=answer)
