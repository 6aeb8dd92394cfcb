"""Writing into a PDF: objects as text, and one incremental update (ISO 32000-2, 7.5.6) behind what is there.

Cross-reference tables are continued by tables, streams by streams: hybrid files have two readings.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from services.esign.domain.digests import Digest
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Name, PdfError, Ref

# Wide enough for any file we accept; the numbers are padded with spaces, which the specification allows.
BYTE_RANGE_WIDTH = 48
_REGULAR = frozenset(b"!\"$&'*+,-.:;=?@\\^_`|~") | frozenset(range(0x30, 0x3A)) | frozenset(range(0x41, 0x5B))
_IN_NAMES = _REGULAR | frozenset(range(0x61, 0x7B))


def text_string(text: str) -> bytes:
    """A text string object: UTF-16BE with byte order mark, hexadecimal."""
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode() + b">"


# The last is of no standard, and read by some.
_MARKED = ((b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"))
_LANGUAGE = re.compile("\x1b[^\x1b]{0,16}\x1b")
# Where PDFDocEncoding is not Latin-1.
_PDF_SIGNS = {
    **dict(enumerate("\u02d8\u02c7\u02c6\u02d9\u02dd\u02db\u02da\u02dc", 0x18)),
    **dict(
        enumerate(
            "\u2022\u2020\u2021\u2026\u2014\u2013\u0192\u2044\u2039\u203a\u2212\u2030\u201e\u201c\u201d\u2018\u2019\u201a"
            "\u2122\ufb01\ufb02\u0141\u0152\u0160\u0178\u017d\u0131\u0142\u0153\u0161\u017e",
            0x80,
        )
    ),
    0xA0: "\u20ac",
}


def text_of(raw: bytes) -> str:
    """The text of a text string object (ISO 32000-2, 7.9.2.2), marks of languages left out; without a byte order mark
    in PDFDocEncoding (annex D.2).
    """
    for mark, encoding in _MARKED:
        if raw.startswith(mark):
            return _LANGUAGE.sub("", raw[len(mark) :].decode(encoding, errors="replace"))
    text = raw.decode("latin-1")
    return text if text.isascii() and text.isprintable() else text.translate(_PDF_SIGNS)


def written(value: Any) -> bytes:
    """A value as `Document` reads it, as text that is read as the same value. Raises PdfError."""
    if isinstance(value, Name):
        return b"/" + b"".join(
            bytes((byte,)) if byte in _IN_NAMES else b"#%02X" % byte for byte in value.encode("latin-1")
        )
    if isinstance(value, Ref):
        return b"%d %d R" % value
    if isinstance(value, Mapping):
        return b"<<" + b"".join(written(Name(key)) + b" " + written(member) for key, member in value.items()) + b">>"
    if isinstance(value, list):
        return b"[" + b" ".join(map(written, value)) + b"]"
    return _scalar(value)


def _scalar(value: Any) -> bytes:
    if isinstance(value, bytes):
        return b"<" + value.hex().upper().encode() + b">"
    if value is None or isinstance(value, bool):
        return {None: b"null", True: b"true", False: b"false"}[value]
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, float):
        # Shortest text that is read as the same number; exponents are no part of the language.
        plain = repr(value)
        return (plain if "e" not in plain else f"{value:.15f}").encode()
    raise PdfError("SYNTAX", f"a value of type {type(value).__name__} cannot be written", unsupported=True)


@dataclass(frozen=True, slots=True)
class Hole:
    """An update that ends with a signature not made yet: the whole file, where its hexadecimal digits stand, and the
    digest of everything else.
    """

    pdf: bytes
    start: int
    end: int
    digest: bytes


class Update:
    """One incremental update of a document in the making."""

    def __init__(self, document: Document) -> None:
        """Raises PdfError when the trailer has no usable /Size."""
        size = document.trailer.get("Size")
        if not isinstance(size, int) or size <= document.highest:
            raise PdfError("TRAILER", "trailer without a usable /Size")
        self._document = document
        self._size: int = size
        self._bodies: dict[int, bytes] = {}

    def reserve(self) -> int:
        """The number of an object that will be put later."""
        self._size += 1
        return self._size - 1

    def add(self, body: bytes) -> int:
        """A new object; its number."""
        number = self.reserve()
        self._bodies[number] = body
        return number

    def put(self, number: int, body: bytes) -> None:
        """A new body for an object that is there or was reserved."""
        self._bodies[number] = body

    def finished(self) -> bytes:
        """The document with the update."""
        head, offsets = self._objects()
        return b"".join((self._document.data, head, self._section(offsets, len(self._document.data) + len(head), b"")))

    def finished_around(self, number: int, dictionary: bytes, size: int, algorithm: Digest) -> Hole:
        """The document with the update, whose last object is the signature `number`: `dictionary` is its text without
        the closing brackets, `size` the longest CMS or token it has to hold, bytes.
        """
        head, offsets = self._objects()
        at = len(self._document.data) + len(head)
        offsets[number] = (at, 0)
        opening = b"%d 0 obj\n%b/ByteRange" % (number, dictionary)
        gap = at + len(opening) + BYTE_RANGE_WIDTH + len(b"/Contents")
        after = gap + 2 * size + 2
        closing = b">>\nendobj\n"
        closing += self._section(offsets, after + len(closing), dictionary)
        byte_range = (b"[0 %d %d %d]" % (gap, after, len(closing))).ljust(BYTE_RANGE_WIDTH)
        before = b"".join((self._document.data, head, opening, byte_range, b"/Contents"))
        pdf = b"".join((before, b"<", b"0" * (2 * size), b">", closing))
        return Hole(pdf, gap + 1, after - 1, algorithm.of(before, closing))

    def _objects(self) -> tuple[bytes, dict[int, tuple[int, int]]]:
        data = self._document.data
        parts = [] if data.endswith(b"\n") else [b"\n"]
        at = len(data) + len(parts)
        offsets: dict[int, tuple[int, int]] = {}
        for number, body in self._bodies.items():
            standing = self._document.object(number)
            generation = standing.generation if standing is not None else 0
            part = b"%d %d obj\n%b\nendobj\n" % (number, generation, body)
            offsets[number] = (at, generation)
            parts.append(part)
            at += len(part)
        return b"".join(parts), offsets

    def _section(self, offsets: dict[int, tuple[int, int]], at: int, seed: bytes) -> bytes:
        document = self._document
        match document.trailer.get("ID"):
            case [bytes() as first, _]:
                pass
            case _:
                first = sha256(document.data).digest()[:16]
        second = sha256(document.data)
        second.update(seed)
        info = document.trailer.get("Info")
        trailer = b"/Root %b%b/Prev %d/ID[<%b><%b>]" % (
            written(document.trailer["Root"]),
            b"/Info " + written(info) if isinstance(info, Ref) else b"",
            document.startxref,
            first.hex().encode(),
            second.hexdigest()[:32].encode(),
        )
        return section(offsets, at, self._size, trailer, document.kind)


def section(offsets: dict[int, tuple[int, int]], at: int, size: int, trailer: bytes, kind: str) -> bytes:
    """A cross-reference section that begins at byte `at`: table or stream (`kind`), with the end of the file.

    `trailer` lacks /Size: `size` counts the objects without the section's own stream.
    """
    if kind == "stream":
        return _xref_stream(b"/Size %d%b" % (size + 1, trailer), {**offsets, size: (at, 0)}, at)
    lines = [b"xref\n"]
    for run in _runs(sorted(offsets)):
        lines.append(b"%d %d\n" % (run[0], len(run)))
        lines += [b"%010d %05d n \n" % offsets[number] for number in run]
    return b"".join((*lines, b"trailer\n<</Size %d" % size, trailer, b">>\nstartxref\n%d\n%%%%EOF\n" % at))


def _xref_stream(entries: bytes, offsets: dict[int, tuple[int, int]], at: int) -> bytes:
    numbers = sorted(offsets)
    rows = b"".join(b"\x01" + offsets[n][0].to_bytes(4, "big") + offsets[n][1].to_bytes(2, "big") for n in numbers)
    index = b" ".join(b"%d %d" % (run[0], len(run)) for run in _runs(numbers))
    return (
        b"%d 0 obj\n<</Type/XRef/W[1 4 2]/Index[%b]%b/Length %d>>\nstream\n%b\nendstream\nendobj\n"
        b"startxref\n%d\n%%%%EOF\n"
        % (
            numbers[-1],
            index,
            entries,
            len(rows),
            rows,
            at,
        )
    )


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
