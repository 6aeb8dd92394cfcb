"""Packages that other readers may take for a PDF."""

import re

# Without an object no reader finds a PDF document.
_OF_PDF = (b"%PDF-", b"startxref")
_PDF_OBJECT = re.compile(rb"obj(?![a-zA-Z0-9])")
_PDF_SPACES, _PDF_LINE_ENDS, _DIGITS, _PERCENT = b"\0\t\n\v\f\r \x85\xa0", b"\r\n", b"0123456789", ord("%")
_MOST_DIGITS = 10
# Bytes before one object, and before all; a million takes a quarter of a second.
_MOST_OBJECTS, _FARTHEST, _MOST_LOOKED_AT = 2000, 4096, 1_000_000


def is_two_faced(data: bytes) -> bool:
    """Whether other readers may take the same bytes for a PDF: some look for its header, some are content with any of
    its objects. Compressed files show none by chance.
    """
    if any(word in data for word in _OF_PDF):
        return True
    left = _MOST_LOOKED_AT
    for count, found in enumerate(_PDF_OBJECT.finditer(data)):
        has_numbers, looked_at = _two_numbers_before(data, found.start())
        left -= looked_at
        if has_numbers or count > _MOST_OBJECTS or left < 0:
            return True
    return False


def _two_numbers_before(data: bytes, end: int) -> tuple[bool, int]:
    """Whether two numbers stand before that place, each with spaces or comments behind it; and how many bytes were
    looked at, each once: from a `%` on all is as it is behind the end of its line.
    """
    # What of it lies between here and the end: the last gap; the digits of the second number, which are before that;
    # the gap before the second number. The same behind the line's end.
    gap, digits, first_gap = True, 0, False
    line_gap = line_first_gap = False
    for at in range(end - 1, max(0, end - _FARTHEST) - 1, -1):
        byte = data[at]
        if byte in _DIGITS:
            if first_gap:
                return True, end - at
            is_number = at + 1 < end and (gap or digits > 0) and digits < _MOST_DIGITS
            gap, digits, first_gap = False, digits + 1 if is_number else 0, False
        elif byte in _PDF_SPACES:
            first_gap = first_gap or digits > 0
            if byte in _PDF_LINE_ENDS:
                line_gap, line_first_gap = gap, first_gap
            digits = 0
        elif byte == _PERCENT:
            gap, digits, first_gap = line_gap, 0, line_first_gap
        else:
            gap, digits, first_gap = False, 0, False
        if not (gap or digits or first_gap or line_gap or line_first_gap):
            return False, end - at
    return False, min(end, _FARTHEST)
