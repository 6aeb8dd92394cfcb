"""Check characters for the example's own data, written from the standards: an example imports nothing of the hub's
inside.
"""

from __future__ import annotations

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def citizen_check(body: str) -> str:
    """ISO 7064 MOD 11-2 over 17 digits (GB 11643): 0-9 or X."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return "10X98765432"[total % 11]


def uscc_check(body: str) -> str:
    """Check character over the first 17 characters of a unified social credit code (GB 32100)."""
    total = sum(USCC_ALPHABET.index(mark) * pow(3, place, 31) for place, mark in enumerate(body))
    return USCC_ALPHABET[-total % 31]
