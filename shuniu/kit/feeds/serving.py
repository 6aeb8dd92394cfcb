"""The serving half of a feed: a caller gets what changed after a version, or waits until something has."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection

from shuniu.kit.store import Store

MOST_WAIT_S: Final = 25.0
_LOOK_S: Final = 0.5
"""Seconds between two reads of a waiting call where other replicas commit too; own commits wake it at once."""


class FeedPage(Protocol):
    """Page of a feed that a store read after a version."""

    @property
    def version(self) -> int:
        """The version that the page reaches; the one that was asked for when nothing changed."""


P = TypeVar("P", bound=FeedPage)


class FeedServer:
    """Answers the long polls of one feed. `topic`: what each unit announces that changes it; `drain` when the process
    ends.
    """

    def __init__(self, store: Store, topic: str) -> None:
        self._store = store
        store.listen(topic, self.wake)
        self._changed = asyncio.Event()
        self._draining = False

    def wake(self) -> None:
        """Lets waiting calls read again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def drain(self) -> None:
        """Ends waiting calls, and those that come later at their first read."""
        self._draining = True
        self.wake()

    async def pull(
        self, read: Callable[[Connection, int], P], *, after_version: int, epoch: int, wait_s: float
    ) -> tuple[P, bool]:
        """The page after a version, and whether the caller starts anew with it: because the store's epoch is another,
        or because it has never reached that version (a restored store). Waits at most `wait_s` and 25 seconds.
        """
        reset = epoch != self._store.epoch or after_version < 0
        after = 0 if reset else after_version
        loop = asyncio.get_running_loop()
        until = loop.time() + min(max(wait_s, 0), MOST_WAIT_S)
        look_s = _LOOK_S if self._store.is_shared else MOST_WAIT_S
        while True:
            # Taken before the read: a commit between read and wait wakes the wait.
            changed = self._changed
            page = await self._store.read(read, after)
            if page.version < after:
                reset, after = True, 0
                continue
            left = until - loop.time()
            if reset or page.version != after or left <= 0 or self._draining:
                return page, reset
            try:
                async with asyncio.timeout(min(left, look_s)):
                    await changed.wait()
            except TimeoutError:
                continue
