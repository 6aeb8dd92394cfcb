"""Batches concurrent calls: while one batch runs, the next is collected."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, Self, TypeVar

Wanted = TypeVar("Wanted")
Answer = TypeVar("Answer")
# Below this size of the crowd, waiting costs more than it saves.
_CROWDED = 16


class Crowd:
    """Counts the callers that are inside several batchers' work: a context manager for each of them."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    def __enter__(self) -> Self:
        self.size += 1
        return self

    def __exit__(self, *_error: object) -> None:
        self.size -= 1


class Batcher(Generic[Wanted, Answer]):
    """`work` takes the requests of several callers and returns their answers in order; it does all or nothing.

    When it raises, each request of the batch is retried alone, so that a caller fails only by its own request. It runs
    outside of every caller's context: a request carries what the work needs to know of its call.

    A batch costs nearly the same whatever its size, so with a `crowd` it waits until half of the crowd has come, for
    at most `patience_s`. With a small crowd it does not wait.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Wanted]], Awaitable[Sequence[Answer]]],
        *,
        most: int = 64,
        crowd: Crowd | None = None,
        patience_s: float = 0.02,
    ) -> None:
        self._work = work
        self._most = most
        self._crowd = crowd
        self._patience_s = patience_s
        self._waiting: list[tuple[Wanted, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()

    async def do(self, wanted: Wanted) -> Answer:
        """Raises what `work` raises for this request alone. Cancelling after the work has begun does not undo it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, answer))
        if len(self._waiting) >= self._wanted():
            self._enough.set()
        if self._running is None:
            self._running = asyncio.create_task(self._run(), context=Context())
        return await answer

    def _wanted(self) -> int:
        """The batch size to wait for."""
        if self._crowd is None or self._crowd.size < _CROWDED:
            return 0
        return min(self._most, self._crowd.size // 2)

    async def _run(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < self._wanted():
                    self._enough.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._enough.wait(), self._patience_s)
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                wanted = [one for one in batch if not one[1].done()]
                if wanted:
                    await self._batch(wanted)
        finally:
            self._running = None

    async def _batch(self, batch: Sequence[tuple[Wanted, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._work([wanted for wanted, _ in batch])
        except Exception as error:  # noqa: BLE001 — whatever it is belongs to who asked
            if len(batch) > 1:
                await asyncio.gather(*(self._batch([one]) for one in batch))
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, answer), found in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(found)
