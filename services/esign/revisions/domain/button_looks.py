"""Looks of a button, which are marks: lines and areas in plain colours, and one sign of the font that has ticks."""

from collections.abc import Mapping
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Array, Census, Cursor, Dict, Name, PdfError
from services.esign.revisions.domain import additions
from services.esign.revisions.domain.content_stream import pieces

_TICKS = "ZapfDingbats"
_RESOURCES = frozenset({"Font", "ProcSet"})
# Tick, crosses, disc, square, star and diamond of ZapfDingbats.
_USUAL = frozenset({b"4", b"8", b"l", b"n", b"u", b"H"})
# How much of one side the other is at least, of a square and of a line aslant.
_LEAST_SLOPE = 0.45
_OF_PATHS = frozenset(b"cm m l c v y re h w".split())
_FREE = frozenset(
    b"q Q cm m l c v y re h S s f F f* B B* b b* n W W* g G rg RG w J j M d BT ET Td TD Tm Tf TL BMC EMC Tj".split()
)


def are_marks(document: Document, value: Mapping[str, Any]) -> bool:
    """Tells whether every look of a button is such a mark. Raises PdfError where it is too much work."""
    return all(_is_mark(document, look) for look in additions.looks_of(document, value))


def are_usual(document: Document, value: Mapping[str, Any]) -> bool:
    """Tells whether looks of a button differ in nothing but what boxes are ticked with, a sign or a few lines. Raises
    PdfError where it is too much work.
    """
    looks = [_paths_and_signs(document, look) for look in additions.looks_of(document, value)]
    frame = min((paths for paths, _ in looks), key=len, default=())
    return all(
        signs in {b"", *_USUAL} and paths[: len(frame)] == frame and _is_usual_drawing(paths[len(frame) :])
        for paths, signs in looks
    )


def _is_usual_drawing(paths: tuple[tuple[bytes, bytes], ...]) -> bool:
    """Tells whether paths are nothing, a square, or up to two lines aslant, as of a tick or a cross: no digit is."""
    pen, lines, squares = (0.0, 0.0), 0, 0
    for operator, operands in paths:
        try:
            numbers = [float(each) for each in operands.split()]
        except ValueError:
            return False
        if operator == b"re" and len(numbers) == 4:
            squares += 1
            if not _is_even(numbers[2], numbers[3]):
                return False
        elif operator in {b"m", b"l"} and len(numbers) == 2:
            if operator == b"l":
                lines += 1
                if not _is_even(numbers[0] - pen[0], numbers[1] - pen[1]):
                    return False
            pen = (numbers[0], numbers[1])
        elif operator != b"w":
            return False
    return (lines, squares) in {(0, 0), (0, 1), (1, 0), (2, 0)}


def _is_even(across: float, up: float) -> bool:
    across, up = abs(across), abs(up)
    return _LEAST_SLOPE * across <= up and _LEAST_SLOPE * up <= across


def _paths_and_signs(document: Document, look: Any) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """The paths of a look that is a mark, operators and operands, and its signs."""
    holder = additions.stream_of(document, look)
    paths: list[tuple[bytes, bytes]] = []
    signs = b""
    if holder is not None:
        for operator, operands in pieces(document.stream_of(holder), document.census):
            if operator in _OF_PATHS:
                paths.append((operator, b" ".join(operands.split())))
            elif operator == b"Tj":
                signs += Cursor(operands, 0, Census()).value()
    return tuple(paths), signs


def _is_mark(document: Document, look: Any) -> bool:
    holder = additions.stream_of(document, look)
    if holder is None or holder.loose:
        return document.resolve(look) is None
    resources = document.resolve(holder.value.get("Resources", Dict()))
    if not isinstance(resources, Dict) or not resources.keys() <= _RESOURCES:
        return False
    try:
        content = document.stream_of(holder)
        signs = 0
        for operator, operands in pieces(content, document.census):
            if operator not in _FREE:
                return False
            if operator == b"Tf" and not _is_of_ticks(document, resources, operands):
                return False
            if operator == b"Tj":
                signs += len(Cursor(operands, 0, Census()).value())
    except PdfError as cause:
        if cause.limit:
            raise
        return False
    except TypeError:
        return False
    return signs <= 1


def _is_of_ticks(document: Document, resources: Dict, operands: bytes) -> bool:
    """Tells whether a font is chosen that has ticks; without one in the look's resources it is the form's."""
    name = Cursor(operands, 0, Census()).value()
    fonts = document.resolve(resources.get("Font"))
    font = document.resolve(fonts.get(name)) if isinstance(fonts, Dict) and isinstance(name, Name) else None
    if font is None:
        return bool(name == "ZaDb")
    return isinstance(font, Dict) and document.resolve(font.get("BaseFont")) == _TICKS and not _is_coded(document, font)


def _is_coded(document: Document, font: Dict) -> bool:
    """Tells whether other signs stand for its codes, or other shapes for its signs."""
    encoding = document.resolve(font.get("Encoding"))
    return isinstance(encoding, Dict | Array) or not font.keys().isdisjoint({"FontDescriptor", "CharProcs"})
