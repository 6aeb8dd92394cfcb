"""Limits what is done at once. Senders take turns, so one that sends much delays only itself."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable


class Places:
    """`most` at once, `share` of them of one sender. So many of it wait, `waiting_of_one`, and so many in all; each of
    them for `seconds` at most. More, and those whom it takes longer, get the error that `busy` makes.
    """

    def __init__(
        self,
        most: int,
        busy: Callable[[], Exception],
        *,
        share: int,
        waiting_of_one: int,
        waiting: int,
        seconds: float = 20.0,
    ) -> None:
        self._most = most
        self._busy = busy
        self._share = max(1, share)
        self._waiting_of_one, self._waiting_most = waiting_of_one, waiting
        self._seconds = seconds
        self._held: Counter[str] = Counter()
        # In the order of turns.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @contextlib.asynccontextmanager
    async def hold(self, sender: str) -> AsyncIterator[None]:
        """Raises what `busy` makes."""
        await self._take(sender)
        try:
            yield
        finally:
            self._give_back(sender)

    async def _take(self, sender: str) -> None:
        if self._has_place(sender):
            # Those in the queue wait because their own sender has its share.
            self._held[sender] += 1
            return
        lane = self._waiting.get(sender, ())
        if len(lane) >= self._waiting_of_one or sum(map(len, self._waiting.values())) >= self._waiting_most:
            raise self._busy()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(sender, deque()).append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as cause:
            if turn.done() and not turn.cancelled():
                # It was given in the moment in which its owner left.
                self._give_back(sender)
            self._forget(sender, turn)
            if isinstance(cause, TimeoutError):
                raise self._busy() from None
            raise

    def _has_place(self, sender: str) -> bool:
        return self._held.total() < self._most and self._held[sender] < self._share

    def _give_back(self, sender: str) -> None:
        self._held[sender] -= 1
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

    def _forget(self, sender: str, turn: asyncio.Future[None]) -> None:
        lane = self._waiting.get(sender)
        if lane is None or turn not in lane:
            return
        lane.remove(turn)
        if not lane:
            del self._waiting[sender]
