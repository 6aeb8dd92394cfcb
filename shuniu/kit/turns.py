"""One at a time for each name, in this process; nothing is kept of names that nobody has or waits for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Who has it and who waits: it is thrown away by the last of them, or one who comes later would not wait for these.
    users: int = 0


@dataclass(slots=True)
class Turns(Generic[Name]):
    """Turns by name."""

    _lanes: dict[Name, _Lane] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def of(self, name: Name) -> AsyncIterator[None]:
        """Waits for the turn of that name and has it."""
        lane = self._lanes.setdefault(name, _Lane())
        lane.users += 1
        try:
            async with lane.lock:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[name]

    def __contains__(self, name: object) -> bool:
        """Whether somebody has the turn of that name or waits for it."""
        return name in self._lanes
