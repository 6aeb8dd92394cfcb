"""Fonts with a TrueType program of our own (ISO/IEC 14496-22): each of its signs is a black box."""

import struct
import zlib
from collections.abc import Mapping

from tests.support.updates import stream

FIRST, LAST, SPACE = 0x20, 0x7E, 3
"""Codes that it has signs for, and the number of the sign of the first one, which is white."""
_SIGNS = SPACE + LAST - FIRST + 1
_BOX = (50, 0, 450, 700)
DESCRIPTOR = (
    b"<</Type/FontDescriptor/FontName/%b/Flags %d/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800/Descent -200"
    b"/CapHeight 700/StemV 80/FontFile2 %d 0 R>>"
)


def _box() -> bytes:
    left, low, right, high = _BOX
    corners = struct.pack(">5h", 1, left, low, right, high) + struct.pack(">HH", 3, 0) + b"\1" * 4
    across, up = (left, 0, right - left, 0), (low, high - low, 0, low - high)
    return corners + struct.pack(">4h", *across) + struct.pack(">4h", *up)


def program(advance: int, *, is_white: bool = False) -> bytes:
    """Every sign takes so many thousandths of an em; `is_white`: none of them has an outline."""
    box = b"" if is_white else _box()
    box += bytes(-len(box) % 4)
    outlines = [b"" if at <= SPACE else box for at in range(_SIGNS)]
    places = [sum(map(len, outlines[:at])) for at in range(_SIGNS + 1)]
    codes = struct.pack(">12H2h2H", 4, 32, 0, 4, 4, 1, 0, LAST, 0xFFFF, 0, FIRST, 0xFFFF, SPACE - FIRST, 1, 0, 0)
    left, low, right, high = _BOX
    tables = {
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 1, 12) + codes,
        b"glyf": b"".join(outlines) or bytes(4),
        b"head": struct.pack(">IIIIHHQQ", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, 1000, 0, 0)
        + struct.pack(">4hHHhhh", left, low, right, high, 0, 8, 2, 1, 0),
        b"hhea": struct.pack(
            ">IhhhHhhhhhh4hhH", 0x10000, 800, -200, 0, advance, 0, 0, right, 1, 0, 0, *[0] * 5, _SIGNS
        ),
        b"hmtx": struct.pack(">Hh", advance, left) * _SIGNS,
        b"loca": struct.pack(f">{_SIGNS + 1}I", *places),
        b"maxp": struct.pack(">IH13H", 0x10000, _SIGNS, 4, 1, *[0] * 11),
        b"post": struct.pack(">IIhhI", 0x30000, 0, 0, 0, 0) + bytes(16),
    }
    at, head, body = 12 + 16 * len(tables), struct.pack(">IHHHH", 0x10000, len(tables), 128, 3, 0), b""
    for name, table in tables.items():
        head += name + struct.pack(">III", 0, at + len(body), len(table))
        body += table + bytes(-len(table) % 4)
    return head + body


def _program(advance: int, *, is_white: bool = False) -> bytes:
    data = program(advance, is_white=is_white)
    return stream(zlib.compress(data), b"/Filter/FlateDecode/Length1 %d" % len(data))


def of_bytes(entries: bytes, *, advance: int = 500, name: bytes = b"Small", is_white: bool = False) -> dict[int, bytes]:
    """Objects 63 to 65: a font with one byte a sign. `entries`: of its dictionary, such as its widths."""
    font = b"<</Type/Font/Subtype/TrueType/BaseFont/%b/Encoding/WinAnsiEncoding/FontDescriptor 64 0 R%b>>"
    return {
        63: font % (name, entries),
        64: DESCRIPTOR % (name, 32, 65),
        65: _program(advance, is_white=is_white),
    }


def widths(listed: Mapping[int, int] | None = None, *, advance: int = 500) -> bytes:
    """Entries that say the widths of all signs; `listed`: of some another one."""
    each = b" ".join(b"%d" % (listed or {}).get(code, advance) for code in range(FIRST, LAST + 1))
    return b"/FirstChar %d/LastChar %d/Widths[%b]" % (FIRST, LAST, each)


def of_pairs(listed: bytes, encoding: bytes = b"/Identity-H", *, advance: int = 500) -> dict[int, bytes]:
    """Objects 63 to 66: a font with two bytes a sign, the number of its outline. `listed`: entries of widths."""
    return {
        63: b"<</Type/Font/Subtype/Type0/BaseFont/Small/Encoding%b/DescendantFonts[66 0 R]>>" % encoding,
        64: DESCRIPTOR % (b"Small", 4, 65),
        65: _program(advance),
        66: b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Small/CIDToGIDMap/Identity/FontDescriptor 64 0 R"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>%b>>" % listed,
    }


def pairs(text: str) -> bytes:
    """A string of that font."""
    return b"<" + b"".join(b"%04x" % (ord(sign) - FIRST + SPACE) for sign in text) + b">"
