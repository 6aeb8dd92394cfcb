"""QueryService: calls under a grant, each within its contract and with its evidence."""

import asyncio
import math
import time
from typing import Any

from tenacity import AsyncRetrying, retry_if_result, wait_random_exponential

from services.exchange import metrics
from services.exchange.queries.granted_calls import Begun, GrantedCalls
from services.exchange.queries.store import CallRow
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation, asked_of
from shuniu.kit.process import log
from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.requests import RequestKey

_log = log.get("queries")


class QueryService(query_pb2_grpc.QueryServiceServicer):
    """Questions of handling agencies about the applicants of their cases."""

    def __init__(self, base: Foundation, calls: GrantedCalls) -> None:
        self._base = base
        self._calls = calls
        # A retry waits for its first try. What waits for one at another replica is in the call's row.
        self._retries: KeyedLocks[tuple[str, str]] = KeyedLocks()
        self._leaving: set[asyncio.Task[None]] = set()

    async def Query(self, request: pb.QueryRequest, context: Any) -> pb.QueryResponse:
        asked = asked_of(request)
        async with self._retries.of((asked.caller_key, asked.request_id)):
            begun = await self._begin(request, asked, context)
            if isinstance(begun, pb.QueryResponse):
                return begun
            left = context.time_remaining()
            try:
                return await self._answer(begun, math.inf if left is None else time.monotonic() + left)
            except asyncio.CancelledError:
                self._leave(begun.row)
                raise

    async def _begin(self, request: pb.QueryRequest, asked: RequestKey, context: Any) -> Begun | pb.QueryResponse:
        """The call, or its stored answer. Waits while another replica works on the request, until the caller's deadline
        cancels it. Raises HubError.
        """
        platform = current_caller().platform
        while True:
            left = context.time_remaining()
            begun = await self._base.write(self._calls.begin, request, asked, platform, left)
            if begun is not None:
                return begun
            waiting = AsyncRetrying(
                retry=retry_if_result(bool), wait=wait_random_exponential(multiplier=0.05, max=0.5), reraise=True
            )
            await waiting(self._base.store.read, self._calls.is_held_by_another, asked)

    async def _answer(self, begun: Begun, deadline: float) -> pb.QueryResponse:
        try:
            reply, leaving = await self._calls.ask(begun, deadline)
        except HubError as error:
            await self._base.write(self._calls.failed, begun.row, error.reason)
            metrics.QUERIES.labels("query", error.reason).inc()
            raise
        try:
            response = await self._base.write(self._calls.done, begun.row, reply, leaving)
        except HubError as error:
            metrics.QUERIES.labels("query", error.reason).inc()
            raise
        if isinstance(response, HubError):
            metrics.QUERIES.labels("query", response.reason).inc()
            raise response
        metrics.QUERIES.labels("query", "OK").inc()
        return response

    def _leave(self, row: CallRow) -> None:
        task = asyncio.create_task(self._end_lease(row), name=f"end of {row.call_id}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _end_lease(self, row: CallRow) -> None:
        try:
            await self._base.write(self._calls.left, row)
        except HubError as error:
            # It ends by itself.
            _log.warning("lease_left", call=row.call_id, cause=error.reason)

    async def close(self) -> None:
        """Waits for the leases that are being ended."""
        await asyncio.gather(*self._leaving, return_exceptions=True)
