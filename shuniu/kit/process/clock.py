"""Time as a dependency: code takes a Clock as an argument, so that tests set the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time, UTC, as integer microseconds since 1970-01-01."""

    def now_us(self) -> int: ...


class SystemClock:
    """The machine's clock. It may step backwards; ids and chains that need order keep their own counters."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


@dataclass(slots=True)
class StepWatch:
    """Measures how far the clock was set since this was made. It is compared with CLOCK_BOOTTIME, which nobody can
    set; slow corrections change both alike.
    """

    wall_s: Callable[[], float] = time.time
    passed_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    _anchor_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._anchor_s = self.wall_s() - self.passed_s()

    def step_s(self) -> float:
        """Seconds that the clock was set forward; negative: back."""
        return self.wall_s() - self.passed_s() - self._anchor_s


STEPS = StepWatch()
"""The watch of this process."""
MOST_STEP_S = 1.0
"""Above it the clock is in doubt."""
