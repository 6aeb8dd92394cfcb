"""Chinese ideographs by range: Python's own tables lag behind the extensions that place and personal names already
use.
"""

from __future__ import annotations

_RANGES = (
    (0x3007, 0x3007),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2EE5F),
    (0x30000, 0x3347F),
)


def is_ideograph(mark: str) -> bool:
    """Whether one character is an ideograph of any Unicode extension in use."""
    point = ord(mark)
    return any(low <= point <= high for low, high in _RANGES)
