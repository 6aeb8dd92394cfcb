"""Check characters and tables of the national standards for identity numbers, organisation codes and divisions.

Arguments are ASCII and already upper case. Pure: domains may import this.
"""

from __future__ import annotations

from datetime import date

# GB 32100-2015, table 2: letters that look like digits or like each other (I O Z S V) are not used.
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_LENGTH = 18
# 3^i mod 31 for the positions 1..17 (GB 32100-2015, table 3).
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
# GB 11643-1999, 4.2.2: 2^(18-i) mod 11 for the positions 1..17.
_CITIZEN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_CHECKS = "10X98765432"

# GB/T 2260, first two digits, as they stand in the numbers of citizens and of foreign permanent residents. A number
# keeps the code of the place and day of its issue, so only this part, which has never been withdrawn, can be checked
# for everybody alive. GB/T 2260 also has 81 (Hong Kong) and 82 (Macao), which stand in no such number; it has no 83.
PROVINCES = frozenset(
    str(code)
    for low, high in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71))
    for code in range(low, high + 1)
)
# Residence permits of Hong Kong, Macao and Taiwan residents (Regulation of 2018, article 5): prefix → ISO 3166 alpha-3.
RESIDENCE_PREFIXES = {"810000": "HKG", "820000": "MAC", "830000": "TWN"}
# The oldest person ever recorded in China was born in this century; an earlier year is a typing error.
EARLIEST_BIRTH = date(1880, 1, 1)


def citizen_check(body: str) -> str:
    """Check character (0-9 or X) of the first 17 digits, ISO 7064 MOD 11-2 (GB 11643-1999, 4.2)."""
    total = sum(weight * int(digit) for weight, digit in zip(_CITIZEN_WEIGHTS, body, strict=True))
    return _CITIZEN_CHECKS[total % 11]


def uscc_check(body: str) -> str:
    """Check character of the first 17 characters of a unified social credit code (GB 32100-2015, annex A)."""
    total = sum(weight * USCC_ALPHABET.index(mark) for weight, mark in zip(_USCC_WEIGHTS, body, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


def is_uscc(code: str) -> bool:
    """Tells whether ``code`` is a unified social credit code (统一社会信用代码) with the right check character."""
    return len(code) == USCC_LENGTH and set(code) <= set(USCC_ALPHABET) and uscc_check(code[:-1]) == code[-1]


def birth_date(digits: str) -> date | None:
    """The date of birth written YYYYMMDD; None for what is no day, or too early for anybody."""
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return day if day >= EARLIEST_BIRTH else None


def upwards(division: str) -> tuple[str, ...]:
    """A division code of 6 digits, then those of its city and its province; each once."""
    return tuple(dict.fromkeys((division, division[:4] + "00", division[:2] + "0000")))
