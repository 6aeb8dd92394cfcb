"""Limits what is done at once. Senders take turns, so one that sends much delays only itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from shuniu.kit.process.fair_queue import FairQueue
from shuniu.kit.process.tally import Tally


@dataclass(eq=False, slots=True)
class _Turn:
    """Somebody who waits for a place."""

    sender: str
    given: asyncio.Future[None]
    size: int = 0


class Places:
    """`most` at once, of one sender `share`. Of one sender `waiting_of_one` wait, in all `waiting`, none longer than
    `seconds`. Whoever cannot wait, or has waited that long, gets the error that `busy` makes.
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
        self._held = Tally()
        self._waiting: FairQueue[_Turn] = FairQueue()

    @contextlib.asynccontextmanager
    async def hold(self, sender: str) -> AsyncIterator[None]:
        """Raises what `busy` makes."""
        await self._take(sender)
        try:
            yield
        finally:
            self._give_back(sender)

    async def _take(self, sender: str) -> None:
        turn = _Turn(sender, asyncio.get_running_loop().create_future())
        if self._has_place(turn):
            # Those in the queue wait because their own sender has its share.
            self._held.add(sender, 1)
            return
        if self._waiting.count_of(sender) >= self._waiting_of_one or len(self._waiting) >= self._waiting_most:
            raise self._busy()
        self._waiting.add(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn.given
        except BaseException as cause:
            self._waiting.remove(turn)
            if turn.given.done() and not turn.given.cancelled():
                # It was given in the moment in which its owner left.
                self._give_back(sender)
            if isinstance(cause, TimeoutError):
                raise self._busy() from None
            raise

    def _has_place(self, turn: _Turn) -> bool:
        return self._held.total < self._most and self._held.of(turn.sender) < self._share

    def _give_back(self, sender: str) -> None:
        self._held.add(sender, -1)
        while (turn := self._waiting.next(self._has_place)) is not None:
            if not turn.given.done():
                self._held.add(turn.sender, 1)
                turn.given.set_result(None)
