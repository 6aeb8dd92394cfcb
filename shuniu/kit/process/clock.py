"""Time as a dependency: code takes a Clock as an argument, so that tests set the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time, UTC, as integer microseconds since 1970-01-01."""

    def now_us(self) -> int: ...


class SystemClock:
    """The machine's clock. It may step backwards; ids and chains that need order keep their own counters."""

    def now_us(self) -> int:
        return time.time_ns() // 1000
