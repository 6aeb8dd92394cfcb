"""Public documents of other services: asked for now and then, served from memory, kept while their owner is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from shuniu.kit.errors import Code, HubError

Document = TypeVar("Document")
STALE_SECONDS = 86_400.0
"""The time for which the last copy is served when a new one cannot be had (stale-if-error, RFC 5861 4)."""


class Kept(Generic[Document]):
    """One document. A single question is under way at a time, whoever waits for it."""

    def __init__(self, fetch: Callable[[], Awaitable[Document]], fresh_seconds: float) -> None:
        self._fetch = fetch
        self._fresh = fresh_seconds
        self._document: Document | None = None
        self._fetched = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> Document:
        """Raises HubError when there is none."""
        found = self._current(self._fresh)
        if found is not None:
            return found
        async with self._lock:
            found = self._current(self._fresh)
            if found is not None:
                return found
            try:
                self._document = await self._fetch()
            except HubError as error:
                stale = self._current(STALE_SECONDS)
                if stale is None or error.code not in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                    raise
                return stale
            self._fetched = time.monotonic()
            return self._document

    def _current(self, seconds: float) -> Document | None:
        return self._document if time.monotonic() - self._fetched < seconds else None
