"""Judges what a later version of a document may draw where the signed one drew nothing of its own: appearances of
fields.

A rectangle says nothing about what is painted: without /BBox, or in a rectangle that is a line, viewers paint an
appearance over the whole page. So an appearance is looked at, not the place it claims.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import hypot, isfinite
from typing import Any, Final

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import Dict, Name, PdfError, Ref
from services.esign.revisions.domain.places import Rectangle

# Shares of its page that an appearance may take: of a signature in a field that the earlier signer saw, of one in a new
# field, of what is filled in.
MOST_OF_PAGE = 1 / 4
MOST_OF_PAGE_NEW = 1 / 8
MOST_OF_PAGE_FILLED = 1 / 2
# Points beyond the page's edge that count as on it.
_SLACK = 1.0
_FARTHEST = 1e6
# Readers place an appearance in single precision: numbers beyond these move it.
_FARTHEST_IN_FORM = 20_000.0
_FARTHEST_OF_LOOK = 2_000.0
_SMALLEST_SIDE = 0.1
_SMALLEST_LOOK = 1.0
_LEAST_FACTOR, _MOST_FACTOR = 1e-2, 1e2
_COMMENT = re.compile(rb"%[^\r\n]*")
# Invisible, Hidden, NoZoom, NoRotate, NoView, ToggleNoView (ISO 32000-1, table 165): viewers differ in what they show.
_UNSEEN_FLAGS = 1 | 2 | 8 | 16 | 32 | 256
# Flags of a widget (ISO 32000-1, table 165) that say who may change it: ReadOnly, Locked, LockedContents.
_OF_EDITING = 64 | 128 | 512
# What a form XObject of an appearance has; more would make it look different from reader to reader.
FORM_KEYS = frozenset(
    {"Type", "Subtype", "FormType", "BBox", "Matrix", "Resources", "Group", "Length", "Filter", "DecodeParms", "Name"}
)


Colour = tuple[float, float, float]
"""Shares of red, green and blue."""
Area = tuple[Rectangle, Colour | None]
"""A box that something dark is in; with the colour of all of it, or None."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Text of a page that meets a place. `boxes`: where each piece of it is, or may be; `signs`: where signs of it are
    in the place, or may be; `areas`: where it has dark lines, areas or pictures. Where a reader shows all of them it
    shows something in each.
    """

    place: Rectangle = (0, 0, 0, 0)
    boxes: tuple[Rectangle, ...] = ()
    signs: tuple[Rectangle, ...] = ()
    areas: tuple[Area, ...] = ()


class Why(Enum):
    """The reason why a place on a page may look different than before."""

    # A signature field that the earlier signer saw, signed since.
    SIGNED = "signed"
    # A signature field that came later, where the page was blank.
    NEW = "new"
    # A form field filled in, as the certification allows.
    FILLED = "filled"
    # A button pushed, likewise.
    TICKED = "ticked"


@dataclass(frozen=True, slots=True)
class Patch:
    """A place that may look different: page (from 0), rectangle in points from the lower left corner. `draws`: a look
    that has operators stands there; `is_plain`: it is a seal's picture; `is_certain`: every reader shows it
    alike. `ink`: text that the page itself has there, or near; `shown`: what the look has there. `is_mark`: of a
    button, a usual sign that comes or goes in what all of its looks draw.
    """

    page: int
    rectangle: Rectangle
    why: Why
    draws: bool = False
    is_plain: bool = True
    is_certain: bool = True
    ink: Ink = Ink()
    shown: Ink = Ink()
    is_mark: bool = False


def rectangle(value: Any) -> Rectangle | None:
    """A rectangle with its corners in order; None when it is none that readers agree about."""
    if not isinstance(value, list) or len(value) != 4 or not all(type(n) in {int, float} for n in value):
        return None
    if not all(isfinite(n) and abs(n) <= _FARTHEST for n in value):
        return None
    x1, y1, x2, y2 = value
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def size(box: Rectangle) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Tells whether two rectangles have a point in common, or nearly."""
    return (
        one[0] - _SLACK <= other[2]
        and other[0] - _SLACK <= one[2]
        and one[1] - _SLACK <= other[3]
        and other[1] - _SLACK <= one[3]
    )


def meet(one: Rectangle, other: Rectangle) -> bool:
    """Tells whether two rectangles share more than an edge."""
    return (
        one[0] + _SLACK < other[2]
        and other[0] + _SLACK < one[2]
        and one[1] + _SLACK < other[3]
        and other[1] + _SLACK < one[3]
    )


def stream_of(document: Document, value: Any) -> PdfObject | None:
    """The stream that a reference leads to; None for everything else. Raises PdfError."""
    holder = document.object(value[0]) if isinstance(value, Ref) else None
    return holder if holder is not None and holder.stream is not None else None


def is_stream(document: Document, value: Any) -> bool:
    """Tells whether a value is a reference to a stream. Raises PdfError."""
    return stream_of(document, value) is not None


def invisible(document: Document, field: Mapping[str, Any]) -> bool:
    """Tells whether the field draws nothing in any reader: no extent in either direction, and an appearance, if there
    is one, without a single operator. Raises PdfError.
    """
    box = rectangle(document.resolve(field.get("Rect", [0, 0, 0, 0])))
    if box is None or size(box) != (0, 0):
        return False
    states = document.resolve(field.get("AP"))
    if states is None:
        return True
    if not isinstance(states, Dict):
        return False
    return all(_is_empty(document, states[key]) for key in states)


def has_place(document: Document, field: Mapping[str, Any]) -> bool:
    """Tells whether a page shows a field, or keeps a place for it, by itself or by its widgets. Raises PdfError."""
    kids = document.resolve(field.get("Kids"))
    held = [document.resolve(kid) for kid in kids] if isinstance(kids, list) else []
    return not all(isinstance(one, Dict) and invisible(document, one) for one in (field, *held))


def shows(document: Document, field: Mapping[str, Any]) -> bool:
    """Tells whether the field's look draws anything, or may."""
    states = document.resolve(field.get("AP"))
    try:
        return not (
            states is None or (isinstance(states, Dict) and all(_is_empty(document, states[key]) for key in states))
        )
    except PdfError as cause:
        if cause.limit:
            raise
        return True


def _is_empty(document: Document, form: Any) -> bool:
    holder = document.object(form[0]) if isinstance(form, Ref) else None
    if holder is None or holder.stream is None or holder.loose:
        return document.resolve(form) is None
    plain = holder.value.keys() <= FORM_KEYS and holder.value.get("Subtype", "Form") == "Form"
    return plain and draws_nothing(document, holder)


def draws_nothing(document: Document, holder: PdfObject) -> bool:
    """Tells whether a content stream has not a single operator. Raises PdfError."""
    return not _COMMENT.sub(b"", document.stream_of(holder)).strip(b"\x00\t\n\f\r ")


def is_hidden(document: Document, field: Mapping[str, Any]) -> bool:
    """Tells whether a widget's flags keep it from some readers or from the screen. Raises PdfError."""
    flags = document.resolve(field.get("F", 0))
    return type(flags) is not int or bool(flags & _UNSEEN_FLAGS)


def is_shown_alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tells whether two flags of a widget differ in nothing by which readers show or print it."""
    flags = (old.get("F", 0), new.get("F", 0))
    return all(type(each) is int for each in flags) and not (flags[0] ^ flags[1]) & ~_OF_EDITING


_TOO_LARGE = "it covers too much of the page"
AWKWARD: Final = frozenset({_TOO_LARGE})
"""Misfits of places that signers choose in good faith."""


def misfit(document: Document, field: Mapping[str, Any], page: Mapping[str, Any], *, most: float) -> str:
    """Says why the field's appearance is none that stays in its place; empty when it is one. `most`: the share of the
    page that it may take. Raises PdfError.
    """
    states = document.resolve(field.get("AP"))
    if why := misplaced(document, field, page, most=most):
        return why
    if states is None:
        return ""
    if not isinstance(states, Dict) or states.keys() != {"N"}:
        return "it has several appearances"
    return form_misfit(document, states["N"])


def misplaced(document: Document, field: Mapping[str, Any], page: Mapping[str, Any], *, most: float) -> str:
    """Says why the field's place is none that every reader shows alike, or is too large; empty when it is one. Raises
    PdfError.
    """
    box = rectangle(document.resolve(field.get("Rect")))
    if box is None or min(size(box)) <= 0:
        return "its rectangle has no area"
    if is_hidden(document, field):
        return "it is hidden from some readers"
    shown = page_box(document, page)
    if shown is None:
        return "its page has no size"
    if max(map(abs, (*shown, *box))) > _FARTHEST_IN_FORM or min(size(box)) < _SMALLEST_SIDE:
        return "its place is one that readers do not find alike"
    width, height = size(shown)
    if size(box)[0] * size(box)[1] > most * width * height:
        return _TOO_LARGE
    return ""


def form_misfit(document: Document, form: Any) -> str:
    """Says why a form is no look of a field; empty when it is one. Raises PdfError."""
    holder = document.object(form[0]) if isinstance(form, Ref) else None
    if holder is None or holder.stream is None or not isinstance(holder.value, Dict) or holder.loose:
        return "its appearance is no stream"
    value = holder.value
    box = rectangle(document.resolve(value.get("BBox")))
    matrix = document.resolve(value.get("Matrix", [1, 0, 0, 1, 0, 0]))
    if value.get("Subtype") != "Form" or not value.keys() <= FORM_KEYS:
        return "its appearance is no plain form"
    if box is None or min(size(box)) < _SMALLEST_SIDE or max(map(abs, box)) > _FARTHEST_OF_LOOK:
        return "its appearance has no bounding box"
    if not _places_well(matrix) or min(_sides(box, matrix)) < _SMALLEST_LOOK:
        return "its appearance has no usable matrix"
    return ""


def _sides(box: Rectangle, matrix: list[float]) -> tuple[float, float]:
    """The sides of the upright rectangle around the box once the matrix has turned and scaled it."""
    width, height = size(box)
    a, b, c, d = matrix[:4]
    return abs(a) * width + abs(c) * height, abs(b) * width + abs(d) * height


def _places_well(matrix: Any) -> bool:
    """Tells whether a matrix turns, mirrors and scales by ordinary numbers, so that every reader comes to the same
    place.
    """
    if not isinstance(matrix, list) or len(matrix) != 6 or not all(type(n) in {int, float} for n in matrix):
        return False
    a, b, c, d = matrix[:4]
    if not all(isfinite(n) and abs(n) <= _FARTHEST_OF_LOOK for n in matrix):
        return False
    first, second = hypot(a, b), hypot(c, d)
    if not all(_LEAST_FACTOR <= each <= _MOST_FACTOR for each in (first, second)):
        return False
    return bool(abs(a * d - b * c) >= first * second / 2)


def resources_of(document: Document, page: Mapping[str, Any]) -> Any:
    """The page's resources, inherited where need be. Raises PdfError."""
    return _of_page(document, page, "Resources")


def looks_of(document: Document, field: Mapping[str, Any]) -> list[Any]:
    """Every look of a widget, of all of its states. Raises PdfError."""
    states = document.resolve(field.get("AP"))
    found: list[Any] = []
    for each in states.values() if isinstance(states, Dict) else ():
        looks = document.resolve(each)
        found += looks.values() if isinstance(looks, Dict) and not is_stream(document, each) else [each]
    return found


def look_of(document: Document, field: Mapping[str, Any]) -> Any:
    """The form that a widget shows: its one look, or that of its state. Raises PdfError."""
    states = document.resolve(field.get("AP"))
    normal = states.get("N") if isinstance(states, Dict) else None
    looks = document.resolve(normal)
    if isinstance(looks, Dict) and not is_stream(document, normal):
        state = document.resolve(field.get("AS", Name("Off")))
        return looks.get(state) if isinstance(state, Name) else None
    return normal


def outside(document: Document, box: Rectangle, page: Mapping[str, Any]) -> bool:
    """Tells whether part of the rectangle is beyond the page. Raises PdfError."""
    shown = page_box(document, page)
    return shown is None or not (
        box[0] >= shown[0] - _SLACK
        and box[1] >= shown[1] - _SLACK
        and box[2] <= shown[2] + _SLACK
        and box[3] <= shown[3] + _SLACK
    )


def is_by_a_cut(document: Document, box: Rectangle, page: Mapping[str, Any], apart: float) -> bool:
    """Tells whether a place is so near to an edge at which the page's crop box cuts its media box: some readers show
    what is beyond. Raises PdfError.
    """
    shown, media = page_box(document, page), rectangle(document.resolve(_of_page(document, page, "MediaBox")))
    if shown is None or media is None:
        return True
    near = (box[0] - shown[0], box[1] - shown[1], shown[2] - box[2], shown[3] - box[3])
    cut = (shown[0] - media[0], shown[1] - media[1], media[2] - shown[2], media[3] - shown[3])
    return any(distance < apart and left_out > _SLACK for distance, left_out in zip(near, cut, strict=True))


def page_box(document: Document, page: Mapping[str, Any]) -> Rectangle | None:
    """The part of the page that is shown: its crop box within its media box, inherited where need be. Raises
    PdfError.
    """
    media = rectangle(document.resolve(_of_page(document, page, "MediaBox")))
    crop = rectangle(document.resolve(_of_page(document, page, "CropBox"))) or media
    if media is None or crop is None:
        return None
    found = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    return found if min(size(found)) > 0 else None


def is_upright(document: Document, page: Mapping[str, Any]) -> bool:
    """Tells whether the page is turned by whole quarters, as the standard has it (table 30). Raises PdfError."""
    turn = document.resolve(_of_page(document, page, "Rotate"))
    return turn is None or (type(turn) is int and turn % 90 == 0)


def _of_page(document: Document, page: Mapping[str, Any], key: str) -> Any:
    node: Any = page
    for _ in range(32):
        if not isinstance(node, Dict):
            return None
        if key in node:
            return node[key]
        node = document.resolve(node.get("Parent"))
    raise PdfError("PAGES", "the pages are no tree", unsupported=True)
