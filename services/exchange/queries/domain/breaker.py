"""Decides when a stream that does not answer is left alone, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

FAILURES: Final = 3
"""Questions in a row without an answer in time that open a breaker."""
SHORTEST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0


class Standing(Enum):
    """CLOSED: questions go. OPEN: none goes. HALF_OPEN: one may go, as a trial."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


@dataclass(slots=True)
class Breaker:
    """Keeps questions from a stream that does not answer. Each trial that fails doubles the pause. Instants are seconds
    of any one clock.
    """

    failures: int = 0
    pause_s: float = 0.0
    try_at: float = 0.0
    """The end of the pause."""
    trial: str = ""
    """The question that is under way as a trial; empty for none."""

    def standing(self, now: float) -> Standing:
        if not self.pause_s:
            return Standing.CLOSED
        return Standing.OPEN if self.trial or now < self.try_at else Standing.HALF_OPEN

    def begin(self, question: str, now: float) -> None:
        """A question goes out, after a pause as a trial."""
        self.trial = question if self.standing(now) is Standing.HALF_OPEN else ""

    def answered(self) -> bool:
        """An answer came, in time or late: the breaker closes. Returns whether it was open."""
        was_open = bool(self.pause_s)
        self.failures, self.pause_s, self.trial = 0, 0.0, ""
        return was_open

    def failed(self, now: float) -> None:
        """No answer came in time. Questions that were sent before the breaker opened change nothing."""
        self.failures += 1
        if self.trial or (not self.pause_s and self.failures >= FAILURES):
            self.open(now)

    def open(self, now: float) -> None:
        self.pause_s = min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, 2 * self.pause_s))
        self.try_at, self.trial = now + self.pause_s, ""

    def left(self, question: str) -> None:
        """An asker left before the end; another trial may be made when it was the one of the trial."""
        if self.trial == question:
            self.trial = ""
