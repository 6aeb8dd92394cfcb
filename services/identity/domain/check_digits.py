"""Check characters of Chinese identity and organisation numbers. All arguments are ASCII and already upper case."""

from __future__ import annotations

# GB 32100-2015, table 2: letters that look like digits or like each other (I O Z S V) are not used.
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# 3^i mod 31 for the positions 1..17 (GB 32100-2015, table 3).
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
# GB 11643-1999, 4.2.2: 2^(18-i) mod 11 for the positions 1..17.
_CITIZEN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_CHECKS = "10X98765432"


def citizen_check(body: str) -> str:
    """Check character (0-9 or X) of the first 17 digits, ISO 7064 MOD 11-2 (GB 11643-1999, 4.2)."""
    total = sum(weight * int(digit) for weight, digit in zip(_CITIZEN_WEIGHTS, body, strict=True))
    return _CITIZEN_CHECKS[total % 11]


def uscc_check(body: str) -> str:
    """Check character of the first 17 characters of a unified social credit code (GB 32100-2015, annex A)."""
    total = sum(weight * USCC_ALPHABET.index(mark) for weight, mark in zip(_USCC_WEIGHTS, body, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]
