"""Tells whether what a page is drawn by has the types and ranges of the standard (ISO 32000-1, tables 58, 75, 89 and
95).

Of values that are none readers draw nothing, or something: where a place is blank to one of them, another shows a text.
Makers write sound ones; so a page that has others is not asked whether a place on it was blank.
"""

from collections.abc import Mapping
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, Name
from services.esign.revisions.domain import blending

_BITS = frozenset({1, 2, 4, 8, 16})
_DEFAULTS = frozenset({"DefaultGray", "DefaultRGB", "DefaultCMYK"})
_OWN_COLOURS = frozenset({"JPXDecode"})


def is_sound(document: Document, page: Mapping[str, Any], resources: Any) -> bool:
    """`resources`: the page's, which it may inherit. Raises PdfError."""
    return all(_is_sound(document, part) for part in blending.parts_of_page(document, page, resources))


def _is_sound(document: Document, part: Dict) -> bool:
    states = document.resolve(part.get("ExtGState"))
    if isinstance(states, Dict) and "PatternType" not in part:
        for each in states.values():
            state = document.resolve(each)
            if not isinstance(state, Dict) or not _is_sound_state(document, state):
                return False
    spaces = document.resolve(part.get("ColorSpace"))
    if isinstance(spaces, Dict) and not _DEFAULTS.isdisjoint(spaces):
        # Some readers take the page's for what stands in an appearance, too, and some take none.
        return False
    if "PatternType" in part:
        return _is_sound_pattern(document, part)
    kind = document.resolve(part.get("Subtype"))
    if kind == "Image" and "Width" in part:
        return _is_sound_picture(document, part)
    if kind == "Form" and "BBox" in part:
        return _numbers(document, part["BBox"], 4) is not None and _is_matrix(document, part)
    return True


def _is_sound_state(document: Document, state: Dict) -> bool:
    shares = [document.resolve(state[key]) for key in ("ca", "CA") if key in state]
    if not all(_is_number(share) and 0 <= share <= 1 for share in shares):
        return False
    width = document.resolve(state.get("LW", 0))
    # A list of modes is transparent to some readers alone.
    mode = document.resolve(state.get("BM", Name("Normal")))
    return _is_number(width) and width >= 0 and isinstance(mode, Name)


def _is_sound_pattern(document: Document, part: Dict) -> bool:
    if document.resolve(part["PatternType"]) != 1:
        return _is_matrix(document, part)
    box = _numbers(document, part.get("BBox"), 4)
    steps = [document.resolve(part.get(key)) for key in ("XStep", "YStep")]
    return (
        box is not None
        and box[0] < box[2]
        and box[1] < box[3]
        and all(_is_number(step) and step != 0 for step in steps)
        and document.resolve(part.get("PaintType")) in (1, 2)
        and document.resolve(part.get("TilingType")) in (1, 2, 3)
        and _is_matrix(document, part)
    )


def _is_sound_picture(document: Document, part: Dict) -> bool:
    sides = [document.resolve(part.get(key)) for key in ("Width", "Height")]
    if not all(type(side) is int and side > 0 for side in sides):
        return False
    filters = document.resolve(part.get("Filter"))
    listed = filters if isinstance(filters, list) else [filters]
    if any(document.resolve(each) in _OWN_COLOURS for each in listed):
        return True
    if document.resolve(part.get("ImageMask")) is True:
        decode = document.resolve(part.get("Decode", [0, 1]))
        return decode in ([0, 1], [1, 0]) and document.resolve(part.get("BitsPerComponent", 1)) == 1
    return (
        document.resolve(part.get("BitsPerComponent")) in _BITS and document.resolve(part.get("ColorSpace")) is not None
    )


def _is_matrix(document: Document, part: Dict) -> bool:
    return "Matrix" not in part or _numbers(document, part["Matrix"], 6) is not None


def _numbers(document: Document, value: Any, count: int) -> list[Any] | None:
    found = document.resolve(value)
    if not isinstance(found, list) or len(found) != count:
        return None
    numbers = [document.resolve(each) for each in found]
    return numbers if all(map(_is_number, numbers)) else None


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}
