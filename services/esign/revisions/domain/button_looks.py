"""Looks of a button, which are marks: lines and areas in plain colours, and one sign of the font that has ticks."""

from collections.abc import Mapping
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Array, Census, Cursor, Dict, Name, PdfError
from services.esign.revisions.domain import additions
from services.esign.revisions.domain.content_stream import pieces

_TICKS = "ZapfDingbats"
_RESOURCES = frozenset({"Font", "ProcSet"})
_FREE = frozenset(
    b"q Q cm m l c v y re h S s f F f* B B* b b* n W W* g G rg RG w J j M d BT ET Td TD Tm Tf TL BMC EMC Tj".split()
)


def are_marks(document: Document, value: Mapping[str, Any]) -> bool:
    """Tells whether every look of a button is such a mark. Raises PdfError where it is too much work."""
    return all(_is_mark(document, look) for look in additions.looks_of(document, value))


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
