"""A font file with a few glyphs of a larger one, as viewers of OFD load it: OpenType with CFF outlines (ISO/IEC
14496-22), its characters in a `cmap`.
"""

import struct
from collections.abc import Sequence

import numpy as np

from services.esign.pages.domain.cff import CHARSET, Index, dictionary_of
from services.esign.pages.domain.opentype import Font

_FIELDS = struct.Struct(">4sIII")
_CHECK = 0xB1B0AFBA
# 2020-01-01, s since 1904: when a font was made says nothing here, and equal fonts shall be equal bytes.
_MADE = 3_660_681_600


def places(font: Font, points: Sequence[int]) -> dict[int, int]:
    """The number of each code point's glyph in the font that `build` makes of them. Raises KeyError for a character
    without a glyph.
    """
    by_glyph = {glyph: at for at, glyph in enumerate(sorted({font.glyphs[point] for point in points}), 1)}
    return {point: by_glyph[font.glyphs[point]] for point in points}


def build(font: Font, family: str, points: Sequence[int]) -> bytes:
    """The font of these code points (rising). Raises KeyError for a character without a glyph, CffError."""
    by_glyph = sorted({font.glyphs[point] for point in points})
    name = family.replace(" ", "").encode("ascii")
    advances = [font.advances[0], *(font.advances[glyph] for glyph in by_glyph)]
    characters = list(places(font, points).items())
    tables = {
        b"CFF ": _in_order(font.outlines.subset(name, by_glyph), len(by_glyph)),
        b"OS/2": _os2(font, points),
        b"cmap": _cmap(characters),
        b"head": _head(font),
        b"hhea": _hhea(font, advances),
        b"hmtx": b"".join(struct.pack(">Hh", advance, 0) for advance in advances),
        b"maxp": struct.pack(">IH", 0x00005000, len(advances)),
        b"name": _name(family),
        b"post": struct.pack(">IihhI4I", 0x00030000, 0, -100, 50, 0, 0, 0, 0, 0),
    }
    return _assembled(tables)


def _in_order(program: bytes, count: int) -> bytes:
    """The font with its glyphs numbered in their order: some readers take the place of a glyph for its CID."""
    names = Index.read(program, 4)
    charset = dictionary_of(Index.read(program, names.end)[0])[CHARSET][0]
    numbers = struct.pack(f">B{count}H", 0, *range(1, count + 1))
    return program[:charset] + numbers + program[charset + len(numbers) :]


def _assembled(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = count.bit_length() - 1
    head = struct.pack(">4s4H", b"OTTO", count, 16 << power, power, 16 * count - (16 << power))
    at = len(head) + _FIELDS.size * count
    rows, bodies, where, total = [head], [], 0, 0
    for tag, data in tables.items():
        if tag == b"head":
            where = at
        padded = data + bytes(-len(data) % 4)
        found = _sum(padded)
        total += found
        rows.append(_FIELDS.pack(tag, found, at, len(data)))
        bodies.append(padded)
        at += len(padded)
    directory = b"".join(rows)
    whole = bytearray(b"".join((directory, *bodies)))
    # The tables begin and end at multiples of four, so their sums add up.
    struct.pack_into(">I", whole, where + 8, (_CHECK - total - _sum(directory)) & 0xFFFFFFFF)
    return bytes(whole)


def _sum(padded: bytes) -> int:
    return int(np.frombuffer(padded, ">u4").sum(dtype=np.uint64)) & 0xFFFFFFFF


def _head(font: Font) -> bytes:
    return struct.pack(
        ">IIII2H2Q4h2H3h",
        0x00010000,
        0x00010000,
        0,
        0x5F0F3CF5,
        3,
        1000,
        _MADE,
        _MADE,
        *font.metrics.box,
        0,
        8,
        2,
        0,
        0,
    )


def _hhea(font: Font, advances: Sequence[int]) -> bytes:
    metrics = font.metrics
    return struct.pack(
        ">I3hH11hH",
        0x00010000,
        metrics.ascender,
        metrics.descender,
        0,
        max(advances),
        *(metrics.box[0], 0, metrics.box[2], 1, 0, 0),
        *(0, 0, 0, 0, 0),
        len(advances),
    )


def _os2(font: Font, points: Sequence[int]) -> bytes:
    metrics = font.metrics
    in_plane = [point for point in points if point <= 0xFFFF] or [0]
    return struct.pack(
        ">Hh3H11h10s4I4s3H3h2H2I2h3H",
        4,
        1000,
        *(400, 5, 0),
        *(650, 600, 0, 75, 650, 600, 0, 350, 50, 300, 0),
        bytes(10),
        *(0, 0, 0, 0),
        b"NONE",
        *(0x40, min(in_plane), max(in_plane)),
        *(metrics.ascender, metrics.descender, 0),
        *(metrics.ascender, -metrics.descender),
        *(0, 0),
        *(500, metrics.capitals),
        *(0, 32, 0),
    )


def _cmap(characters: Sequence[tuple[int, int]]) -> bytes:
    """Segments of format 12 for all, and of format 4 for those of the first plane, which old readers look for."""
    groups = b"".join(struct.pack(">III", point, point, glyph) for point, glyph in characters)
    wide = struct.pack(">2H3I", 12, 0, 16 + len(groups), 0, len(characters)) + groups
    narrow = _format_4([(point, glyph) for point, glyph in characters if point < 0xFFFF])
    at = 4 + 2 * 8
    return struct.pack(">2H", 0, 2) + struct.pack(">2HI2HI", 3, 1, at, 3, 10, at + len(narrow)) + narrow + wide


def _format_4(characters: Sequence[tuple[int, int]]) -> bytes:
    segments = [*((point, (glyph - point) & 0xFFFF) for point, glyph in characters), (0xFFFF, 1)]
    count = len(segments)
    power = count.bit_length() - 1
    points = struct.pack(f">{count}H", *(point for point, _ in segments))
    deltas = struct.pack(f">{count}H", *(delta for _, delta in segments))
    body = points + b"\0\0" + points + deltas + bytes(2 * count)
    size = 14 + len(body)
    return struct.pack(">7H", 4, size, 0, 2 * count, 2 << power, power, 2 * count - (2 << power)) + body


def _name(family: str) -> bytes:
    texts = [(1, family), (2, "Regular"), (4, family), (6, family.replace(" ", ""))]
    rows, strings = b"", b""
    for kind, text in texts:
        data = text.encode("utf-16-be")
        rows += struct.pack(">6H", 3, 1, 0x409, kind, len(data), len(strings))
        strings += data
    return struct.pack(">3H", 0, len(texts), 6 + len(rows)) + rows + strings
