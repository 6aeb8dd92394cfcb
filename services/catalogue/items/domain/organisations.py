"""Unified social credit code (统一社会信用代码, GB 32100-2015): the check an item code needs for the agency inside
it.
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# 3^i mod 31 for the positions 1..17 (GB 32100-2015, table 3).
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
LENGTH = 18


def is_uscc(code: str) -> bool:
    """Whether ``code`` is a well-formed code with the right check character (upper case only)."""
    if len(code) != LENGTH or not set(code) <= set(ALPHABET):
        return False
    total = sum(weight * ALPHABET.index(mark) for weight, mark in zip(_WEIGHTS, code, strict=False))
    return code[-1] == ALPHABET[(31 - total % 31) % 31]
