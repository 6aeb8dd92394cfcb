"""Reads what a page needs of an OpenType font with CFF outlines (ISO/IEC 14496-22): characters, advances, glyphs,
metrics.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.esign.pages.domain.cff import CffFont


@dataclass(frozen=True, slots=True)
class Metrics:
    """Measures of the whole face, in thousandths of the em: bounding box, ascender, descender, height of capitals."""

    box: tuple[int, int, int, int]
    ascender: int
    descender: int
    capitals: int


@dataclass(frozen=True, slots=True)
class Font:
    """A font with 1,000 units in an em. `glyphs` maps code points, `advances` glyphs."""

    name: str
    glyphs: Mapping[int, int] = field(repr=False)
    advances: tuple[int, ...] = field(repr=False)
    outlines: CffFont = field(repr=False)
    metrics: Metrics

    @classmethod
    def read(cls, name: str, data: bytes) -> "Font":
        """Raises CffError, KeyError, ValueError."""
        tables = {
            tag: data[at : at + size]
            for tag, at, size in (
                struct.unpack_from(">4s4xII", data, 12 + 16 * n) for n in range(int.from_bytes(data[4:6], "big"))
            )
        }
        head, hhea, os2 = tables[b"head"], tables[b"hhea"], tables[b"OS/2"]
        if int.from_bytes(head[18:20], "big") != 1000:
            raise ValueError("1,000 units in an em expected")
        long = int.from_bytes(hhea[34:36], "big")
        total = int.from_bytes(tables[b"maxp"][4:6], "big")
        advances = [width for width, _ in struct.iter_unpack(">Hh", tables[b"hmtx"][: 4 * long])]
        ascender, descender = struct.unpack_from(">hh", hhea, 4)
        return cls(
            name,
            MappingProxyType(characters(tables[b"cmap"])),
            (*advances, *advances[-1:] * (total - long)),
            CffFont.read(tables[b"CFF "]),
            Metrics(
                struct.unpack_from(">4h", head, 36), ascender, descender, int.from_bytes(os2[88:90], "big", signed=True)
            ),
        )


def characters(cmap: bytes) -> dict[int, int]:
    """Glyph of each code point, from the subtables of format 12 (segmented coverage)."""
    found: dict[int, int] = {}
    for n in range(int.from_bytes(cmap[2:4], "big")):
        at = int.from_bytes(cmap[8 + 8 * n : 12 + 8 * n], "big")
        if int.from_bytes(cmap[at : at + 2], "big") != 12:
            continue
        for group in range(int.from_bytes(cmap[at + 12 : at + 16], "big")):
            first, last, glyph = struct.unpack_from(">III", cmap, at + 16 + 12 * group)
            found.update(zip(range(first, last + 1), range(glyph, glyph + last - first + 1), strict=True))
    return {point: glyph for point, glyph in found.items() if glyph}
