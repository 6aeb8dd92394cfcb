"""The lines that the demo shows while it works, and the times it measured."""

import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Times:
    """Seconds of each step, as observed."""

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def observe(self, step: str, seconds: float) -> None:
        self.steps[step].append(seconds)

    def quantile(self, step: str, share: float) -> float:
        """Seconds below which `share` of the observations lie."""
        ordered = sorted(self.steps[step])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Progress:
    """One live line on a terminal, a line every few seconds elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._live = sys.stdout.isatty()
        self._started = time.monotonic()
        self._said = 0.0
        self.done = 0
        self.failed = 0

    def say(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self._live else text, flush=True)

    def served(self, *, ok: bool) -> None:
        self.done += 1
        self.failed += 0 if ok else 1
        now = time.monotonic()
        if self._live:
            width = 30
            filled = width * self.done // self._total
            bar = "█" * filled + "·" * (width - filled)
            rate = self.done / (now - self._started)
            print(f"\r\x1b[K  {bar} {self.done}/{self._total}  {rate:.1f}/s  失败 {self.failed}", end="", flush=True)
        elif now - self._said > 2 or self.done == self._total:
            self._said = now
            print(f"  已办结 {self.done}/{self._total}，失败 {self.failed}", flush=True)
        if self._live and self.done == self._total:
            print(flush=True)
