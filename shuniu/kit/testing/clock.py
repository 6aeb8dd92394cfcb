"""Time and waiting in tests: the clock moves when told, and waiting is for a condition."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

# 2026-01-01T00:00:00Z
_START_US: Final = 1_767_225_600_000_000


class ManualClock:
    """A Clock that stands still until `advance`."""

    def __init__(self, us: int = _START_US) -> None:
        self._us = us

    def now_us(self) -> int:
        return self._us

    def advance(self, seconds: float) -> None:
        self._us += round(seconds * 1_000_000)


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, within: float = 10.0, message: str = "condition"
) -> T:
    """Wait until `condition` (plain or async) is true, looking every 10 ms; returns its value.

    Raises AssertionError naming the last value when it is not true `within` seconds.
    """
    until = time.monotonic() + within
    while True:
        value = condition()
        result: T = await value if inspect.isawaitable(value) else value
        if result:
            return result
        if time.monotonic() > until:
            raise AssertionError(f"{message} not true within {within} s; last value {result!r}")
        await asyncio.sleep(0.01)
