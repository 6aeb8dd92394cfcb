"""Identity numbers where none may stand: exchange keeps no number in clear, so free text is searched for them.

Found by their check character: citizen numbers and residence permits (GB 11643, 18 digits), new cards of foreign
permanent residents (9 + province + nationality + birth + order + check), and by form the old 15-character numbers.
Passports and other numbers without a check character cannot be told from ordinary text and are not found.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from shuniu.national_numbers import PROVINCES, RESIDENCE_PREFIXES, birth_date, citizen_check

# People group a number by blanks, hyphens or dots; nothing else joins two groups.
_JOINTS: Final = re.compile(r"(?<=[0-9])[ \t\u00a0.\-_/·]{1,2}(?=[0-9X])")
_INVISIBLE: Final = frozenset({"Cf", "Mn"})
_EIGHTEEN: Final = re.compile(r"(?=([0-9]{17}[0-9X]))")
_FIFTEEN: Final = re.compile(r"(?<![0-9])[0-9]{15}(?![0-9X])")
# Old card of a foreign permanent resident: nationality, province and city, birth, order, check.
_OLD_FOREIGN: Final = re.compile(r"(?<![A-Z0-9])[A-Z]{3}([0-9]{12})(?![0-9])")


def holds_identity_number(text: str) -> bool:
    """Tells whether the text holds something that passes as an identity number, whatever width, grouping or case."""
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
    if any(_is_old(match[0][:2], match[0][6:12]) for match in _FIFTEEN.finditer(text)):
        return True
    return any(_is_old(match[1][:2], match[1][4:10]) for match in _OLD_FOREIGN.finditer(text))


def _is_eighteen(number: str) -> bool:
    if citizen_check(number[:17]) != number[17] or birth_date(number[6:14]) is None:
        return False
    citizen, permit = number[:2] in PROVINCES, number[:6] in RESIDENCE_PREFIXES
    return citizen or permit or (number[0] == "9" and number[1:3] in PROVINCES)


def _is_old(province: str, birth: str) -> bool:
    """Numbers of before 1999 write the year in two digits."""
    return province in PROVINCES and birth_date("19" + birth) is not None
