"""Chinese ideographs by range: Python's own tables lag behind the extensions that place and personal names already use.

Pure: domains may import this.
"""

from __future__ import annotations

# Unicode's Unified_Ideograph, and U+3007 (〇), which names hold. Of the block F900 to FAFF only twelve are unified; the
# others, like those of 2F800 to 2FA1F, are second codes of unified ideographs, and NFC and NFKC replace them.
_RANGES = (
    (0x3007, 0x3007),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    *((point, point) for point in (0xFA0E, 0xFA0F, 0xFA11, 0xFA13, 0xFA14, 0xFA1F)),
    *((point, point) for point in (0xFA21, 0xFA23, 0xFA24, 0xFA27, 0xFA28, 0xFA29)),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2EE5F),
    (0x30000, 0x3347F),
)

CHARACTER_CLASS = "".join(f"{chr(low)}-{chr(high)}" for low, high in _RANGES)
"""The same ideographs for the inside of a regular expression's brackets."""


def is_ideograph(mark: str) -> bool:
    """Tells whether one character of a text in NFC or NFKC is an ideograph of any Unicode extension in use."""
    point = ord(mark)
    return any(low <= point <= high for low, high in _RANGES)
