"""One lock per name, within this process. Locks are dropped after their last user."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclass(slots=True)
class _Counted:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Holder and waiters. Only the last of them drops the lock: a later user must wait for the earlier ones.
    users: int = 0


@dataclass(slots=True)
class KeyedLocks(Generic[Name]):
    """Locks by name."""

    _locks: dict[Name, _Counted] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def of(self, name: Name) -> AsyncIterator[None]:
        """Waits for the lock of that name and holds it."""
        counted = self._locks.setdefault(name, _Counted())
        counted.users += 1
        try:
            async with counted.lock:
                yield
        finally:
            counted.users -= 1
            if not counted.users:
                del self._locks[name]

    def __contains__(self, name: object) -> bool:
        """Tells whether somebody holds the lock of that name or waits for it."""
        return name in self._locks
