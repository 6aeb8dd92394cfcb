"""A page that the layout engine made once, and what differs between documents written into it.

The engine's file is taken apart: what all documents share stays byte for byte at the beginning of each, then come the
few objects that differ (text, its font, QR code, metadata) and the cross-reference table. One revision, PDF/A-2b
(ISO 19005-2) as the engine's own pages: the font is embedded with the widths it has, nothing is transparent.
"""

import base64
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from services.esign.domain.moments import whole_second
from services.esign.pages.domain.opentype import Font
from services.esign.pages.domain.textflow import Line

NUMBER_MARK = "0FORM-FIELD-NUMBER0"
"""The number on a page that is to be a form."""
MARK_SECONDS = 0
"""Its time, s since 1970."""

_TRAILER = re.compile(
    rb"trailer\n<</Size (\d+)/Root (\d+) 0 R/Info (\d+) 0 R/ID\[\(([^()\\]+)\)\(([^()\\]+)\)\]>>\nstartxref\n(\d+)\n"
)
_ENTRY = re.compile(rb"(\d{10}) \d{5} ([nf])(?: |\r)\n")
_BLOCK = re.compile(rb"q .*?\nQ(?:\n|$)", re.DOTALL)
_TEXT = re.compile(
    rb"q 1 0 0 -1 ([\d.]+) ([\d.]+) cm(.*?)\nBT 0 Tr/f\d+ ([\d.]+) Tf 1 0 0 -1 0 0 Tm(\[.*?\]TJ|\(.*?\)Tj)\nET",
    re.DOTALL,
)
_NUMBER = re.compile(rb"[-\d.]+")
_STREAM = re.compile(rb"(<<.*?>>)\nstream\n(.*)\nendstream\Z", re.DOTALL)
_RESOURCES = re.compile(rb"/Resources (\d+) 0 R")
_CONTENTS = re.compile(rb"/Contents (\d+) 0 R")
_PAGE = re.compile(rb"/Kids\[(\d+) 0 R\]")
_METADATA = re.compile(rb"/Metadata (\d+) 0 R")
_IMAGE = re.compile(rb"/Subtype/Image.*?/ColorSpace (\d+) 0 R", re.DOTALL)
_WIDTH = re.compile(rb"/Width (\d+)")
# A code is drawn with one pixel a module; an uploaded seal has a hundred at least.
_WIDEST_CODE = 99
_CMAP_HEAD = (
    b"/CIDInit/ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)"
    b"/Supplement 0>>def\n/CMapName/Adobe-Identity-UCS def\n/CMapType 2 def\n"
    b"1 begincodespacerange\n<0000><FFFF>\nendcodespacerange\n"
)
_CMAP_TAIL = b"endcmap\nCMapName currentdict/CMap defineresource pop\nend\nend\n"


class FormError(Exception):
    """The engine's page is not built as this expects: documents are laid out one by one then."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text of the engine on a page: begin of the baseline in points from the lower left, size, what is added between
    its characters in thousandths of the em, and how it is coloured. `place` is its position among all that the page
    draws.
    """

    x: float
    y: float
    size: float
    added: float
    colour: bytes
    place: int


@dataclass(frozen=True, slots=True)
class Written:
    """Lines of one size and colour, each with the height of its baseline in points."""

    lines: tuple[tuple[Line, float], ...]
    size: float
    colour: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """An engine's file, taken apart."""

    objects: dict[int, bytes]
    head: bytes
    root: int
    info: int
    identifiers: tuple[bytes, bytes]

    def number(self, pattern: re.Pattern[bytes], holder: int) -> int:
        found = pattern.search(self.objects[holder])
        if found is None:
            raise FormError(pattern.pattern.decode())
        return int(found[1])

    @property
    def page(self) -> int:
        return self.number(_PAGE, 1)

    def stream(self, number: int) -> bytes:
        found = _STREAM.match(self.objects[number])
        if found is None:
            raise FormError("a stream expected")
        return zlib.decompress(found[2]) if b"/FlateDecode" in found[1] else found[2]

    @property
    def blocks(self) -> list[bytes]:
        content = self.stream(self.number(_CONTENTS, self.page))
        found = _BLOCK.findall(content)
        if b"".join(found).strip() != content.strip():
            raise FormError("drawing outside of blocks")
        return [block if block.endswith(b"\n") else block + b"\n" for block in found]


def runs(pdf: bytes) -> list[Run]:
    """Upright text of an engine's page, in its order. Raises FormError."""
    found = []
    for place, block in enumerate(take_apart(pdf).blocks):
        text = _TEXT.match(block)
        if text is not None:
            found.append(Run(float(text[1]), float(text[2]), float(text[4]), _added(text[5]), text[3], place))
    return found


def _added(shown: bytes) -> float:
    """The space that the operand of TJ adds between characters: minus the sum of its numbers, which stand outside of
    strings.
    """
    outside, depth, at = bytearray(), 0, 0
    while at < len(shown):
        byte = shown[at : at + 1]
        if byte == b"\\":
            at += 1
        elif byte == b"<" and depth == 0:
            # A string in hexadecimal digits.
            at = shown.index(b">", at)
            outside += b" "
        elif byte == b"(":
            depth += 1
            outside += b" "
        elif byte == b")":
            depth -= 1
        elif depth == 0:
            outside += byte
        at += 1
    return -sum(float(number) for number in _NUMBER.findall(outside))


@dataclass(frozen=True, slots=True)
class Form:
    """The parts that all documents of one form share."""

    font: Font
    head: bytes = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)
    root: int
    info: int
    # Numbers of the objects that differ: picture, metadata, text, then the five of its font.
    picture: int
    metadata: int
    first: int
    grey: int
    # Texts around number, time and identifiers.
    info_text: tuple[bytes | int, ...] = field(repr=False)
    metadata_text: tuple[bytes | int, ...] = field(repr=False)

    @classmethod
    def make(cls, page: bytes, before: int, font: Font) -> "Form":
        """From an engine's page with NUMBER_MARK for its number and MARK_SECONDS for its time. What is written goes
        behind the first `before` things that the page draws. Raises FormError.
        """
        parts = take_apart(page)
        objects, page_number = dict(parts.objects), parts.page
        metadata = parts.number(_METADATA, parts.root)
        pictures = [number for number, body in objects.items() if _IMAGE.search(body) and is_code(body)]
        resources, contents = parts.number(_RESOURCES, page_number), parts.number(_CONTENTS, page_number)
        first = max(objects) + 2
        if len(pictures) != 1 or objects[resources].count(b"/Font<<") != 1:
            raise FormError("one code and fonts expected")
        blocks = parts.blocks
        objects[contents] = _deflated(b"".join(blocks[:before]))
        objects[first - 1] = _deflated(b"".join(blocks[before:]))
        objects[page_number] = _CONTENTS.sub(
            b"/Contents[%d 0 R %d 0 R %d 0 R]" % (contents, first, first - 1), objects[page_number]
        )
        objects[resources] = objects[resources].replace(b"/Font<<", b"/Font<</v %d 0 R" % (first + 1))
        grey = parts.number(_IMAGE, pictures[0])
        metadata_text = parts.stream(metadata)
        head, entries = bytearray(parts.head), [b"0000000000 65535 f \n"]
        for number in range(1, first):
            # Filled in for each document.
            entries.append(b"%010d 00000 n \n" % len(head))
            if number not in (pictures[0], metadata, parts.info):
                head += b"%d 0 obj\n%b\nendobj\n" % (number, objects[number])
        return cls(
            font,
            bytes(head),
            tuple(entries),
            parts.root,
            parts.info,
            pictures[0],
            metadata,
            first,
            grey,
            tuple(_split(objects[parts.info], _info_marks())),
            tuple(_split(metadata_text, _metadata_marks(parts.identifiers))),
        )

    def fill(
        self, written: Sequence[Written], texts: Mapping[int, int], number: str, code: tuple[int, bytes], at_us: int
    ) -> bytes:
        """A document. `texts` gives the code point of each glyph that is written; `code` is the QR code: modules in a
        row, and its rows, one bit a module, padded to bytes. Raises CffError.
        """
        glyphs = sorted(texts)
        content = b"".join(_drawn(one) for one in written)
        tag = _tag(glyphs)
        name = tag + b"+" + self.font.name.encode()
        program = self.font.outlines.subset(name, glyphs)
        moment = whole_second(at_us)
        identity = sha256(number.encode())
        first_id = base64.b64encode(identity.digest()[:16])
        identity.update(content + code[1])
        second_id = base64.b64encode(identity.digest()[:16])
        info = {
            0: number.encode("utf-16-be").hex().upper().encode(),
            1: moment.strftime("D:%Y%m%d%H%M%SZ").encode(),
        }
        metadata = {
            0: number.encode(),
            1: moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").encode(),
            2: first_id,
            3: second_id,
        }
        modules, rows = code
        first, box = self.first, self.font.metrics.box
        bodies = (
            (
                self.picture,
                b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace %d 0 R/BitsPerComponent 1/Length %d>>\n"
                b"stream\n%b\nendstream" % (modules, modules, self.grey, len(rows), rows),
            ),
            (self.info, _joined(self.info_text, info)),
            (
                self.metadata,
                _stream(b"/Type/Metadata/Subtype/XML", _joined(self.metadata_text, metadata)),
            ),
            (first, _stream(b"", content)),
            (
                first + 1,
                b"<</Type/Font/Subtype/Type0/BaseFont/%b-Identity-H/Encoding/Identity-H/DescendantFonts[%d 0 R]"
                b"/ToUnicode %d 0 R>>" % (name, first + 2, first + 5),
            ),
            (
                first + 2,
                b"<</Type/Font/Subtype/CIDFontType0/BaseFont/%b/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
                b"/Supplement 0>>/FontDescriptor %d 0 R/DW 1000/W[%b]>>" % (name, first + 3, self._widths(glyphs)),
            ),
            (
                first + 3,
                b"<</Type/FontDescriptor/FontName/%b/Flags 6/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d"
                b"/CapHeight %d/StemV 95/FontFile3 %d 0 R>>"
                % (
                    name,
                    *box,
                    self.font.metrics.ascender,
                    self.font.metrics.descender,
                    self.font.metrics.capitals,
                    first + 4,
                ),
            ),
            (first + 4, _stream(b"/Subtype/CIDFontType0C", program)),
            (first + 5, _stream(b"", _to_unicode(glyphs, texts))),
        )
        return self._assembled(bodies, first_id, second_id)

    def _assembled(self, bodies: Sequence[tuple[int, bytes]], first_id: bytes, second_id: bytes) -> bytes:
        parts, entries, at = [self.head], [*self.entries, *[b""] * 6], len(self.head)
        for number, body in bodies:
            entries[number] = b"%010d 00000 n \n" % at
            text = b"%d 0 obj\n%b\nendobj\n" % (number, body)
            parts.append(text)
            at += len(text)
        parts.append(b"xref\n0 %d\n" % len(entries))
        parts += entries
        parts.append(
            b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[(%b)(%b)]>>\nstartxref\n%d\n%%%%EOF"
            % (len(entries), self.root, self.info, first_id, second_id, at)
        )
        return b"".join(parts)

    def _widths(self, glyphs: Sequence[int]) -> bytes:
        """Those that are not the default."""
        advances = self.font.advances
        return b"".join(b"%d[%d]" % (glyph, advances[glyph]) for glyph in glyphs if advances[glyph] != 1000)


def take_apart(pdf: bytes) -> Parts:
    found = _TRAILER.search(pdf, max(0, len(pdf) - 512))
    if found is None:
        raise FormError("trailer")
    xref = int(found[6])
    entries = _ENTRY.findall(pdf, xref, found.start())
    if not pdf.startswith(b"xref\n0 %d\n" % len(entries), xref) or len(entries) != int(found[1]):
        raise FormError("cross-reference table")
    starts = sorted((int(offset), number) for number, (offset, kind) in enumerate(entries) if kind == b"n")
    ends = [offset for offset, _ in starts[1:]] + [xref]
    objects: dict[int, bytes] = {}
    for (start, number), end in zip(starts, ends, strict=True):
        head, tail, whole = b"%d 0 obj\n" % number, b"\nendobj\n", pdf[start:end].rstrip() + b"\n"
        if not whole.startswith(head) or not whole.endswith(tail):
            raise FormError("object")
        objects[number] = whole[len(head) : -len(tail)]
    if sorted(objects) != list(range(1, len(entries))):
        raise FormError("objects are missing")
    return Parts(objects, pdf[: starts[0][0]], int(found[2]), int(found[3]), (found[4], found[5]))


def _info_marks() -> list[bytes]:
    moment = datetime.fromtimestamp(MARK_SECONDS, UTC)
    return [NUMBER_MARK.encode("utf-16-be").hex().upper().encode(), moment.strftime("D:%Y%m%d%H%M%SZ").encode()]


def _metadata_marks(identifiers: tuple[bytes, bytes]) -> list[bytes]:
    moment = datetime.fromtimestamp(MARK_SECONDS, UTC)
    return [NUMBER_MARK.encode(), moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").encode(), *identifiers]


def _split(text: bytes, marks: Sequence[bytes]) -> list[bytes | int]:
    """Text and, where a mark stood, its number. Every mark occurs."""
    if any(mark not in text for mark in marks):
        raise FormError("a mark is missing")
    found = re.split(b"(" + b"|".join(map(re.escape, marks)) + b")", text)
    return [marks.index(part) if part in marks else part for part in found]


def _joined(parts: Sequence[bytes | int], values: Mapping[int, bytes]) -> bytes:
    return b"".join(values[part] if isinstance(part, int) else part for part in parts)


def _drawn(written: Written) -> bytes:
    return b"".join(
        b"q%b\nBT/v %g Tf 1 0 0 1 %.4f %.4f Tm[%b]TJ\nET\nQ\n"
        % (written.colour, written.size, line.left, height, _shown(line))
        for line, height in written.lines
    )


def _shown(line: Line) -> bytes:
    """Operand of TJ: glyphs, and where something is added behind one, minus that."""
    codes = [f"{glyph:04X}" for glyph in line.glyphs]
    parts = [code if not added else f"{code}>{-added:.3f}<" for code, added in zip(codes, line.behind, strict=True)]
    return f"<{''.join(parts)}>".encode()


def _to_unicode(glyphs: Sequence[int], texts: Mapping[int, int]) -> bytes:
    lines = [_to_character(glyph, texts[glyph]) for glyph in glyphs]
    # A section holds at most a hundred.
    sections = [
        b"%d beginbfchar\n%bendbfchar\n" % (len(part), b"".join(part))
        for part in (lines[at : at + 100] for at in range(0, len(lines), 100))
    ]
    return b"".join((_CMAP_HEAD, *sections, _CMAP_TAIL))


@lru_cache(maxsize=65_536)
def _to_character(glyph: int, point: int) -> bytes:
    return b"<%04X><%b>\n" % (glyph, chr(point).encode("utf-16-be").hex().encode())


def _tag(glyphs: Sequence[int]) -> bytes:
    """Six capitals that differ between subsets (ISO 32000-1, 9.6.4)."""
    value = int.from_bytes(sha256(struct.pack(f">{len(glyphs)}H", *glyphs)).digest()[:8], "big")
    return bytes(65 + value // 26**place % 26 for place in range(6))


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(data), entries, data)


def _deflated(data: bytes) -> bytes:
    return _stream(b"/Filter/FlateDecode", zlib.compress(data, 9))


def is_code(image: bytes) -> bool:
    width = _WIDTH.search(image)
    return width is not None and int(width[1]) <= _WIDEST_CODE
