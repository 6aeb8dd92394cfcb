"""Limits the number of wrong questions by document number. Without a limit a stranger could guess the second field of a
document, or ask for every number of the public ledger.
"""

import secrets
from dataclasses import dataclass, field
from hashlib import blake2b

from shuniu.kit import errors

_MINUTE_US = 60 * 1_000_000
_HOUR_US = 60 * _MINUTE_US
# A date of issue is guessed after some hundred tries; nobody reads the one on his paper wrong ten times.
_WRONG_MOST = 10
# The ledger shows the days of issue in the order of the numbers, so somebody who lists the register gives the right day
# for most of them. The limits allow the papers on a desk; all numbers of a hub would take years.
_QUICK_MOST, _DAY_MOST = 20, 200
# A quarter of a megabyte a slot; more than 600,000 keys in the window before one stands for another.
_ROWS, _PLACES, _FULL = 4, 65_536, 255


@dataclass(slots=True)
class Counts:
    """Counts of keys in a sliding window of `slots` slots of `slot_us` µs. Of this process only.

    Kept in tables of fixed size, one a slot, each key in four places that nobody can foretell: however many other keys
    are counted, none is forgotten before its time. A flood counts some keys too high.
    """

    slot_us: int
    slots: int
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
    _tables: dict[int, bytearray] = field(default_factory=dict, repr=False)

    def of(self, key: str, now_us: int) -> int:
        """At most 255 a slot. What was counted while the clock was ahead does not count."""
        now = now_us // self.slot_us
        recent = [table for slot, table in self._tables.items() if 0 <= now - slot <= self.slots]
        return min(sum(table[place] for table in recent) for place in self._places(key))

    def add(self, key: str, now_us: int) -> None:
        slot = now_us // self.slot_us
        if slot not in self._tables:
            self._tables = {at: table for at, table in self._tables.items() if abs(at - slot) <= self.slots}
            self._tables[slot] = bytearray(_PLACES * _ROWS)
        table = self._tables[slot]
        for place in self._places(key):
            table[place] = min(table[place] + 1, _FULL)

    def take_back(self, key: str, added_us: int) -> None:
        """Undoes one `add` of that time. A count at its most is not known any more, and stays."""
        table = self._tables.get(added_us // self.slot_us)
        if table is None:
            return
        for place in self._places(key):
            if 0 < table[place] < _FULL:
                table[place] -= 1

    def _places(self, key: str) -> list[int]:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), key=self._key, digest_size=4 * _ROWS).digest()
        return [row * _PLACES + int.from_bytes(digest[4 * row : 4 * row + 4], "big") % _PLACES for row in range(_ROWS)]


@dataclass(slots=True)
class Tries:
    """Wrong tries of each asker for each number, and how many numbers each asker names. Nobody's tries count for
    another, so no stranger shuts a number for those who hold the document.
    """

    _wrong: Counts = field(default_factory=lambda: Counts(_MINUTE_US, 10))
    _quick: Counts = field(default_factory=lambda: Counts(_MINUTE_US, 10))
    _day: Counts = field(default_factory=lambda: Counts(_HOUR_US, 24))

    def admit(self, asker: str, number: str, now_us: int) -> None:
        """Counts the number for the asker, once a day, and a wrong try. Called before anything is looked up: questions
        asked at once have no more tries than questions in turn. Raises RESOURCE_EXHAUSTED: NUMBER_GUESSED or
        NUMBERS_TRIED.
        """
        pair = f"{asker}\n{number}"
        if self._wrong.of(pair, now_us) >= _WRONG_MOST:
            raise errors.exhausted(
                "NUMBER_GUESSED",
                "Too many wrong tries for this number; wait ten minutes, or verify by file, hash or QR code.",
                "该编号核对错误次数过多，请十分钟后再试，或改用文件、摘要、二维码核验。",
            )
        if not self._day.of(pair, now_us):
            self._count_number(asker, pair, now_us)
        self._wrong.add(pair, now_us)

    def _count_number(self, asker: str, pair: str, now_us: int) -> None:
        if self._quick.of(asker, now_us) >= _QUICK_MOST or self._day.of(asker, now_us) >= _DAY_MOST:
            raise errors.exhausted(
                "NUMBERS_TRIED",
                "Too many different numbers from one place; try again later, or verify by file, hash or QR code.",
                "您查询的编号过多，请稍后再试，或改用文件、摘要、二维码核验。",
            )
        self._day.add(pair, now_us)
        self._quick.add(asker, now_us)
        self._day.add(asker, now_us)

    def not_wrong(self, asker: str, number: str, admitted_us: int) -> None:
        """Takes back the wrong try that `admit` counted at that time: the answer was right, or there is none."""
        self._wrong.take_back(f"{asker}\n{number}", admitted_us)
