"""Limits the uploads in memory at once. Networks take turns, so one that sends many delays only itself."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator

from shuniu.kit import errors
from shuniu.kit.errors import HubError

# Those who wait cost a socket here and their body at the edge.
_WAITING_OF_ONE, _WAITING = 4, 24


class Places:
    """`most` uploads altogether, a third of them of one network; the others wait `seconds` at most."""

    def __init__(self, most: int, seconds: float = 20.0) -> None:
        self._most = most
        self._share = max(1, most // 3)
        self._seconds = seconds
        self._held: Counter[str] = Counter()
        # In the order of turns.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @contextlib.asynccontextmanager
    async def hold(self, network: str) -> AsyncIterator[None]:
        """Raises RESOURCE_EXHAUSTED VERIFY_BUSY."""
        await self._take(network)
        try:
            yield
        finally:
            self._give_back(network)

    async def _take(self, network: str) -> None:
        if self._has_place(network):
            # Those in the queue wait because their own network has its share.
            self._held[network] += 1
            return
        lane = self._waiting.get(network, ())
        if len(lane) >= _WAITING_OF_ONE or sum(map(len, self._waiting.values())) >= _WAITING:
            raise _busy()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(network, deque()).append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as cause:
            if turn.done() and not turn.cancelled():
                # It was given in the moment in which its owner left.
                self._give_back(network)
            self._forget(network, turn)
            if isinstance(cause, TimeoutError):
                raise _busy() from None
            raise

    def _has_place(self, network: str) -> bool:
        return self._held.total() < self._most and self._held[network] < self._share

    def _give_back(self, network: str) -> None:
        self._held[network] -= 1
        # A counter keeps what it counted down to nothing.
        self._held += Counter()
        while (next_one := next(filter(self._has_place, self._waiting), None)) is not None:
            lane = self._waiting.pop(next_one)
            turn = lane.popleft()
            if lane:
                self._waiting[next_one] = lane
            if not turn.done():
                self._held[next_one] += 1
                turn.set_result(None)

    def _forget(self, network: str, turn: asyncio.Future[None]) -> None:
        lane = self._waiting.get(network)
        if lane is None or turn not in lane:
            return
        lane.remove(turn)
        if not lane:
            del self._waiting[network]


def _busy() -> HubError:
    return errors.exhausted(
        "VERIFY_BUSY",
        "Many documents are being verified; try again in a moment.",
        "正在核验的文件较多，请稍后重试。",
    )
