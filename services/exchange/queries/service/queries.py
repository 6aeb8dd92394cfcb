"""QueryService: calls under a grant, each within its contract and with its evidence."""

from typing import Any

from services.exchange import metrics
from services.exchange.queries.granted_calls import GrantedCalls
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation, asked_of
from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.rpc.caller import current_caller


class QueryService(query_pb2_grpc.QueryServiceServicer):
    """Questions of handling agencies about the applicants of their cases."""

    def __init__(self, base: Foundation, calls: GrantedCalls) -> None:
        self._base = base
        self._calls = calls
        # A retry waits for its first try.
        self._retries: KeyedLocks[tuple[str, str]] = KeyedLocks()

    async def Query(self, request: pb.QueryRequest, context: Any) -> pb.QueryResponse:
        asked = asked_of(request)
        async with self._retries.of((asked.caller_key, asked.request_id)):
            begun = await self._base.write(self._calls.begin, request, asked, current_caller().platform)
            if isinstance(begun, pb.QueryResponse):
                return begun
            try:
                reply, leaving = await self._calls.ask(begun, context.time_remaining())
            except HubError as error:
                await self._base.write(self._calls.failed, begun.row, error.reason)
                metrics.QUERIES.labels("query", error.reason).inc()
                raise
            response = await self._base.write(self._calls.done, begun.row, reply, leaving)
            if isinstance(response, HubError):
                metrics.QUERIES.labels("query", response.reason).inc()
                raise response
            metrics.QUERIES.labels("query", "OK").inc()
            return response
