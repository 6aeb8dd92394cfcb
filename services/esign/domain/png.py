"""Pictures in PNG (ISO/IEC 15948), read strictly and within bounds: what an uploaded seal picture must be."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Samples = NDArray[np.int16]
# What says how to draw the picture; text, metadata and unknown chunks could hold anything.
_HARMLESS = frozenset(
    {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"sBIT", b"bKGD", b"tIME"}
)
# What changes colours, and what it holds where it changes nothing: those of sRGB (11.3.2.1, 11.3.2.2).
_COLOURS = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"iCCP": None,
    b"bKGD": None,
    b"sBIT": None,
}
_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples a pixel by colour type (11.2.2); palettes are not read."""


class PngError(ValueError):
    """The bytes are no PNG that is read here; `reason` DAMAGED or EXTRA."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """Size in pixels, bits a sample, colour type, and whether it is interlaced."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool


def read_header(png: bytes) -> Header:
    """The header, after every chunk was found whole and in its place. Raises PngError."""
    names = [name for name, _ in _chunks(png)]
    if not names or names[0] != b"IHDR" or names.count(b"IHDR") != 1 or b"IDAT" not in names:
        raise PngError("DAMAGED", "chunks are missing or repeated")
    strange = sorted({name for name in names if name not in _HARMLESS})
    if strange:
        raise PngError("EXTRA", f"chunks that no picture needs: {', '.join(map(repr, strange))}")
    header = next(_chunks(png))[1]
    if len(header) != 13:
        raise PngError("DAMAGED", "the header is malformed")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if packing or filtering or interlace > 1 or not width or not height:
        raise PngError("DAMAGED", "the header is malformed")
    return Header(width, height, depth, colour, bool(interlace))


def read_pixels(png: bytes) -> Samples:
    """Rows, columns, samples. For 8 bits a sample without interlacing, and not before the header was found acceptable:
    it says how much memory is taken, and not a byte more is unpacked. Raises PngError.
    """
    header = read_header(png)
    each = _SAMPLES.get(header.colour)
    if each is None or header.depth != 8 or header.interlaced:
        raise PngError("DAMAGED", "a kind of picture that is not read here")
    packed = b"".join(body for name, body in _chunks(png) if name == b"IDAT")
    size = header.height * (1 + header.width * each)
    opened = zlib.decompressobj()
    try:
        flat = opened.decompress(packed, size + 1)
    except zlib.error as cause:
        raise PngError("DAMAGED", "the pixels do not unpack") from cause
    if len(flat) != size or not opened.eof or opened.unused_data:
        raise PngError("DAMAGED", "more or fewer pixels than the header says")
    lines = np.frombuffer(flat, np.uint8).reshape(header.height, -1)
    if lines[:, 0].max() > 4:
        raise PngError("DAMAGED", "an unknown filter")
    return _unfiltered(lines[:, 0], lines[:, 1:].reshape(header.height, header.width, each).astype(np.int16))


def has_usual_colours(png: bytes) -> bool:
    """Tells whether every reader shows the samples as they are: as sRGB (11.3.2), on no ground of its own. Raises
    PngError.
    """
    return all(name not in _COLOURS or _COLOURS[name] == body for name, body in _chunks(png))


def without_colours(png: bytes) -> bytes:
    """The picture without what says otherwise how to show its samples. Raises PngError."""
    kept = [(name, body) for name, body in _chunks(png) if name not in _COLOURS or _COLOURS[name] == body]
    return SIGNATURE + b"".join(
        struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in kept
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(SIGNATURE):
        raise PngError("DAMAGED", "not a PNG")
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        if at + 12 > len(png):
            raise PngError("DAMAGED", "the file ends early")
        size, name = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + size]
        if len(png) < at + 12 + size or zlib.crc32(name + body) != struct.unpack_from(">I", png, at + 8 + size)[0]:
            raise PngError("DAMAGED", "a chunk is cut or changed")
        yield name, body
        at += 12 + size
    if at != len(png):
        raise PngError("DAMAGED", "something follows the picture")


def _unfiltered(filters: NDArray[Any], filtered: Samples) -> Samples:
    """Undoes the row filters (9.2) along diagonals, whose pixels depend on earlier diagonals only: in Python itself a
    large picture would take seconds.
    """
    height, width, each = filtered.shape
    whole = np.zeros((height + 1, width + 1, each), np.int16)
    for diagonal in range(height + width - 1):
        row = np.arange(max(0, diagonal - width + 1), min(height - 1, diagonal) + 1)
        column = diagonal - row
        left, up, corner = whole[row + 1, column], whole[row, column + 1], whole[row, column]
        kind = filters[row][:, None]
        predicted = np.select(
            [kind == 1, kind == 2, kind == 3, kind == 4], [left, up, (left + up) >> 1, _paeth(left, up, corner)], 0
        )
        whole[row + 1, column + 1] = (filtered[row, column] + predicted) & 0xFF
    return whole[1:, 1:]


def _paeth(left: Samples, up: Samples, corner: Samples) -> Samples:
    guess = left + up - corner
    by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    nearer = np.where(by_up <= by_corner, up, corner)
    return np.where((by_left <= by_up) & (by_left <= by_corner), left, nearer).astype(np.int16)
