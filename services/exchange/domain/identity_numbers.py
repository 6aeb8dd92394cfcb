"""Identity numbers where none may stand: exchange keeps no number in clear, so free text is searched for them.

Found by their check character: citizen numbers and residence permits (GB 11643, 18 digits), new cards of foreign
permanent residents (9 + province + nationality + birth + order + check), and by form the old 15-character numbers.
Passports and other numbers without a check character cannot be told from ordinary text and are not found.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"
# GB/T 2260, first two digits; 81 to 83 are residence permits of Hong Kong, Macao and Taiwan residents.
_PROVINCES: Final = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
_OLDEST: Final = 1880
# People group a number by blanks, hyphens or dots; nothing else joins two groups.
_JOINTS: Final = re.compile(r"(?<=[0-9])[ \t\u00a0.\-_/·]{1,2}(?=[0-9X])")
_INVISIBLE: Final = frozenset({"Cf", "Mn"})
_EIGHTEEN: Final = re.compile(r"(?=([0-9]{17}[0-9X]))")
_FIFTEEN: Final = re.compile(r"(?<![0-9])[0-9]{15}(?![0-9X])")
# Old card of a foreign permanent resident: nationality, province and city, birth, order, check.
_OLD_FOREIGN: Final = re.compile(r"(?<![A-Z0-9])[A-Z]{3}([0-9]{12})(?![0-9])")


def holds_identity_number(text: str) -> bool:
    """Whether the text holds something that passes as an identity number, whatever width, grouping or case."""
    plain = _plain(text)
    return any(_reads_as_number(candidate) for candidate in {plain, _JOINTS.sub("", plain)})


def _plain(text: str) -> str:
    wide = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.digit(mark)) if mark.isdecimal() else mark.upper() if mark.isascii() else mark
        for mark in wide
        if unicodedata.category(mark) not in _INVISIBLE
    )


def _reads_as_number(text: str) -> bool:
    if any(_is_eighteen(match[1]) for match in _EIGHTEEN.finditer(text)):
        return True
    if any(match[0][:2] in _PROVINCES and _is_day("19" + match[0][6:12]) for match in _FIFTEEN.finditer(text)):
        return True
    return any(match[1][:2] in _PROVINCES and _is_day("19" + match[1][4:10]) for match in _OLD_FOREIGN.finditer(text))


def _is_eighteen(number: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number[:17], strict=True))
    if _CHECKS[total % 11] != number[17] or not _is_day(number[6:14]):
        return False
    return number[:2] in _PROVINCES or (number[0] == "9" and number[1:3] in _PROVINCES)


def _is_day(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= _OLDEST
    except ValueError:
        return False
