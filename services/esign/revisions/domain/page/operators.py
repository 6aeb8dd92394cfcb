"""Operators of content streams by kind, and how many numbers each takes (ISO 32000-1, annex A)."""

import re
from typing import Any

from services.esign.domain.pdf.syntax import Census, Cursor
from services.esign.revisions.domain.page.streams import UnclearError

_NUMBERS = re.compile(rb"[\t\n\r ]*(?:-?(?:\d{1,9}(?:\.\d{0,16})?|\.\d{1,16})(?:[\t\n\r ]+|\Z))*")
COUNTS = {
    **dict.fromkeys((b"q", b"Q", b"h", b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"n", b"W", b"W*"), 0),
    **dict.fromkeys((b"BT", b"ET", b"T*"), 0),
    **dict.fromkeys((b"cm", b"Tm", b"c"), 6),
    **dict.fromkeys((b"re", b"v", b"y", b"k", b"K"), 4),
    **dict.fromkeys((b"rg", b"RG"), 3),
    **dict.fromkeys((b"m", b"l", b"Td", b"TD"), 2),
    **dict.fromkeys((b"w", b"J", b"j", b"M", b"i", b"g", b"G", b"Tc", b"Tw", b"Tz", b"TL", b"Tr", b"Ts"), 1),
}
PAINT = frozenset({b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"n"})
STROKES = frozenset({b"S", b"s", b"B", b"B*", b"b", b"b*"})
FILLS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"})
PATH = frozenset({b"m", b"l", b"c", b"v", b"y", b"re", b"h"})
CLIPS = frozenset({b"W", b"W*"})
OF_PATHS = PATH | PAINT | CLIPS
DEVICE = {b"g": "DeviceGray", b"rg": "DeviceRGB", b"k": "DeviceCMYK"}


def numbers_of(operands: bytes) -> list[float]:
    if _NUMBERS.fullmatch(operands) is None:
        raise UnclearError
    return [float(each) for each in operands.split()]


def values_of(operands: bytes) -> list[Any]:
    """Raises PdfError."""
    census = Census()
    cursor = Cursor(operands, 0, census)
    found = []
    while operands[cursor.at :].strip(b"\t\n\f\r "):
        found.append(cursor.value())
    return found
