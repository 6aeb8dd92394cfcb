"""Reads what the layout engine drew on a page: its texts, character by character, and where the QR code lies.

An OFD page is written from the engine's own PDF page, so that both forms show the same in the same places.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.esign.pages.domain.form import FormError, Parts, is_code, take_apart

_TEXT = re.compile(
    rb"q 1 0 0 -1 ([-\d.]+) ([-\d.]+) cm(.*?)\nBT 0 Tr/(f\d+) ([\d.]+) Tf 1 0 0 -1 0 0 Tm(.*)\nET", re.DOTALL
)
_IMAGE = re.compile(rb"q ([\d.]+) 0 0 ([\d.]+) ([-\d.]+) ([-\d.]+) cm/(x\d+) Do")
_COLOUR = re.compile(rb"((?:[\d.]+ )+)scn\Z")
_MEDIA = re.compile(rb"/MediaBox\[0 0 ([\d.]+) ([\d.]+)\]")
_REFERENCE = re.compile(rb"/(\w+) (\d+) 0 R")
_WIDTHS = re.compile(rb"/W\[(.*)\]", re.DOTALL)
_WIDTH_ROW = re.compile(rb"(\d+)\s*(?:\[([^\]]*)\]|(\d+)\s+([\d.]+))")
_CMAP_CHAR = re.compile(rb"<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4,})>")
_CMAP_RANGE = re.compile(rb"<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4,})>")
_CMAP_PART = re.compile(rb"beginbf(char|range)(.*?)endbf", re.DOTALL)
_ADDED = re.compile(rb"[-\d.]+")
# What ends, continues or nests a string (ISO 32000-2, 7.3.4.2): parentheses in pairs need no escape.
# One with many glyphs to escape is written in hexadecimal digits.
_PAREN = re.compile(rb"\\.|[()]|<[0-9A-Fa-f]*>", re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


@dataclass(frozen=True, slots=True)
class DrawnText:
    """Upright text: where its baseline begins (points from the lower left), size in points, colour (0 to 255 each),
    and where each of its characters begins, in points from there.
    """

    x: float
    y: float
    size: float
    colour: tuple[int, int, int]
    characters: str
    offsets: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page of `width` by `height` points. `code`: left, bottom, width and height of the QR code."""

    width: float
    height: float
    texts: tuple[DrawnText, ...]
    code: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _PdfFont:
    """Characters and advances (thousandths of the em) of an engine's font by its codes."""

    characters: Mapping[int, str] = field(repr=False)
    advances: Mapping[int, float] = field(repr=False)


def read(pdf: bytes) -> DrawnPage:
    """The engine's page. Raises FormError when it has anything but upright text and pictures."""
    parts = take_apart(pdf)
    page = parts.objects[parts.page]
    media = _MEDIA.search(page)
    if media is None:
        raise FormError("a page without a size")
    references = {name: int(number) for name, number in _REFERENCE.findall(_resources(parts, page))}
    fonts: dict[bytes, _PdfFont] = {}
    texts: list[DrawnText] = []
    codes: list[tuple[float, float, float, float]] = []
    for block in parts.blocks:
        text, image = _TEXT.match(block), _IMAGE.match(block)
        if text is not None:
            if text[4] not in fonts:
                fonts[text[4]] = _font(parts, references[text[4]])
            texts.append(_text(text, fonts[text[4]]))
        elif image is None:
            raise FormError("a page with more than upright text and pictures")
        elif is_code(parts.objects[references[image[5]]]) and not _is_pixel(parts.objects[references[image[5]]]):
            wide, high, left, bottom = (float(image[n]) for n in range(1, 5))
            codes.append((left, bottom, wide, high))
    if len(codes) != 1:
        raise FormError("one QR code expected")
    return DrawnPage(float(media[1]), float(media[2]), tuple(texts), codes[0])


def _is_pixel(image: bytes) -> bool:
    """Tells whether it is what stands where no seal is to be seen."""
    return b"/Width 1/" in image


def _resources(parts: Parts, page: bytes) -> bytes:
    found = re.search(rb"/Resources (\d+) 0 R", page)
    if found is None:
        raise FormError("a page without resources")
    return parts.objects[int(found[1])]


def _font(parts: Parts, number: int) -> _PdfFont:
    font = parts.objects[number]
    unicode = parts.stream(parts.number(re.compile(rb"/ToUnicode (\d+) 0 R"), number))
    descendant = parts.number(re.compile(rb"/DescendantFonts\[(\d+) 0 R\]"), number)
    widths = _WIDTHS.search(parts.objects[descendant])
    if widths is None or b"/Encoding/Identity-H" not in font:
        raise FormError("a font of another kind")
    return _PdfFont(dict(_characters(unicode)), dict(_advances(widths[1])))


def _characters(cmap: bytes) -> Iterator[tuple[int, str]]:
    for kind, section in _CMAP_PART.findall(cmap):
        if kind == b"char":
            for code, target in _CMAP_CHAR.findall(section):
                yield int(code, 16), _utf16(target)
            continue
        for first, last, target in _CMAP_RANGE.findall(section):
            begin, text = int(first, 16), _utf16(target)
            for code in range(begin, int(last, 16) + 1):
                yield code, text[:-1] + chr(ord(text[-1]) + code - begin)


def _utf16(digits: bytes) -> str:
    return bytes.fromhex(digits.decode()).decode("utf-16-be")


def _advances(rows: bytes) -> Iterator[tuple[int, float]]:
    """The two shapes of /W (ISO 32000-2, 9.7.4.3)."""
    for first, listed, last, width in _WIDTH_ROW.findall(rows):
        begin = int(first)
        if last:
            yield from ((code, float(width)) for code in range(begin, int(last) + 1))
        else:
            yield from enumerate((float(value) for value in listed.split()), begin)


def _text(found: re.Match[bytes], font: _PdfFont) -> DrawnText:
    size = float(found[5])
    characters: list[str] = []
    offsets: list[float] = []
    at = 0.0
    for shown in _operands(found[6]):
        if isinstance(shown, float):
            at -= shown / 1000 * size
            continue
        for place in range(0, len(shown), 2):
            code = int.from_bytes(shown[place : place + 2], "big")
            text = font.characters.get(code)
            if not text or len(text) != 1:
                raise FormError("a glyph that stands for no single character")
            characters.append(text)
            offsets.append(round(at, 4))
            at += font.advances.get(code, 0.0) / 1000 * size
    return DrawnText(float(found[1]), float(found[2]), size, colour(found[3]), "".join(characters), tuple(offsets))


def _operands(shown: bytes) -> Iterator[bytes | float]:
    """Strings, as the glyphs' numbers, and the numbers between them, in turn."""
    depth = begin = outside = 0
    for found in _PAREN.finditer(shown):
        if found[0] == b"(":
            if depth == 0:
                yield from (float(number) for number in _ADDED.findall(shown, outside, found.start()))
                begin = found.end()
            depth += 1
        elif found[0] == b")":
            depth -= 1
            if depth == 0:
                yield _ESCAPED.sub(_unescaped, shown[begin : found.start()])
                outside = found.end()
        elif depth == 0 and found[0].startswith(b"<"):
            yield from (float(number) for number in _ADDED.findall(shown, outside, found.start()))
            yield bytes.fromhex(found[0][1:-1].decode())
            outside = found.end()


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes((int(code, 8) & 0xFF,)) if code[:1].isdigit() else _LETTERS.get(code, code)


def colour(operators: bytes) -> tuple[int, int, int]:
    """Red, green and blue (0 to 255) of the engine's operators. Raises FormError."""
    found = _COLOUR.search(operators)
    parts = [round(float(part) * 255) for part in found[1].split()] if found is not None else [0]
    if len(parts) not in {1, 3}:
        raise FormError("a colour of another kind")
    red, green, blue = parts if len(parts) == 3 else parts * 3
    return red, green, blue
