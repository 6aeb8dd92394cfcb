"""Limits of tries: each is counted before it is made, so no more are made at once than in turn. Pure.

A window begins with its first try; the next try after its end begins a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# One sender's tries for one name or number are few; what all senders may try together is a multiple, so that nobody
# keeps a person out from one address, and still nobody finds a password or number from many.
OF_ALL_SENDERS: Final = 5
# Namesakes: a common name has thousands of bearers, who mistype their numbers.
OF_ONE_NAME: Final = 20
# One address may be an office or a whole network behind a translator.
OF_ONE_SENDER: Final = 40


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` tries in a window of `window_us` µs."""

    most: int
    window_us: int

    def times(self, factor: int) -> Limit:
        return Limit(self.most * factor, self.window_us)


@dataclass(frozen=True, slots=True)
class Meter:
    """One count: its key, under which no name or number stands in clear, and its limit."""

    key: str
    limit: Limit


class TriesSpentError(Exception):
    """A meter is at its limit; the try is not to be made."""
