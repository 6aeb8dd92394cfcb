"""Judges what stands on a page beside a place that may look different: other fields and annotations (ISO 32000-2,
12.5).

Of an annotation some readers draw what others leave out, and by its coordinates where others keep to its rectangle.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.signatures import inherited
from services.esign.domain.pdf.syntax import Dict, Name, Ref
from services.esign.revisions.domain import additions, places
from services.esign.revisions.domain.additions import Why
from services.esign.revisions.domain.page.streams import UnclearError
from services.esign.revisions.domain.places import Matrix, Rectangle

APART = 12.0
"""Points that a new field keeps from an annotation."""
# Points around a place in which looks are followed.
_NEAR = 8.0
# Points, of a rectangle that has an area.
_LEAST_SIDE = 0.01
# Flags NoZoom and NoRotate, and how many times as large as its longer side what has them may be shown.
_OWN_SIZE_OR_TURN, _MOST_TIMES = 1 << 3 | 1 << 4, 4


def shares_a_place(document: Document, number: int, box: Rectangle, page: Mapping[str, Any]) -> bool:
    """Tells whether a field, object `number`, has its place in common with another field, whose look it would hide, or
    for which it would be taken. Raises PdfError.
    """
    for ref, value in _listed(document, page):
        if ref != Ref((number, 0)) and value.get("Subtype") == "Widget":
            other = additions.rectangle(document.resolve(value.get("Rect")))
            if other is None or additions.meet(box, other):
                return True
    return False


def is_over_another(document: Document, number: int, box: Rectangle, page: Mapping[str, Any], why: Why) -> bool:
    """Tells whether a place is over an annotation, or a new one beside one, be it another's signature. Raises
    PdfError.
    """
    wanted = places.wider(box, APART) if why is Why.NEW else box
    for ref, value in _listed(document, page):
        if ref == Ref((number, 0)) or _is_drawn_nowhere(document, value):
            continue
        if value.get("Subtype") == "Widget" and (
            why is not Why.NEW or (inherited(document, value, "FT") == "Sig" and not additions.shows(document, value))
        ):
            continue
        other = additions.rectangle(document.resolve(value.get("Rect")))
        if other is None or additions.overlap(wanted, other):
            return True
    return False


def are_in_their_places(document: Document, page: Mapping[str, Any], box: Rectangle) -> bool:
    """Tells whether every reader draws each annotation of a page in its rectangle, if it draws it; or away from a
    place. Raises PdfError.
    """
    return all(
        _is_in_its_place(document, value) and not _may_reach(document, value, places.wider(box, APART))
        for _, value in _listed(document, page)
    )


def looks_near(
    document: Document, number: int, box: Rectangle, page: Mapping[str, Any]
) -> list[tuple[PdfObject, Matrix, Rectangle]]:
    """The looks of annotations near a place but the field's own, object `number`: each with the matrix that fits it
    into its rectangle (12.5.5), and the rectangle. Raises UnclearError where it is not known which look is shown.
    """
    found = []
    for ref, value in _listed(document, page):
        where = additions.rectangle(document.resolve(value.get("Rect")))
        if ref == Ref((number, 0)) or not additions.shows(document, value):
            continue
        if where is None:
            raise UnclearError
        if not places.meet(places.wider(box, _NEAR), where):
            continue
        states = document.resolve(value.get("AP"))
        normal = states.get("N") if isinstance(states, Dict) else None
        if not additions.is_stream(document, normal):
            named, state = document.resolve(normal), document.resolve(value.get("AS"))
            normal = named.get(state) if isinstance(named, Dict) and isinstance(state, Name) else None
            if normal is None:
                continue
        holder = additions.stream_of(document, normal)
        matrix = None if holder is None else fitted(document, holder, where)
        if holder is None or matrix is None:
            raise UnclearError
        found.append((holder, matrix, where))
    return found


def fitted(document: Document, holder: PdfObject, box: Rectangle) -> Matrix | None:
    """The matrix that fits a look into its rectangle (12.5.5, algorithm 8.1); None where there is none."""
    bounds = additions.rectangle(document.resolve(holder.value.get("BBox")))
    own = document.resolve(holder.value.get("Matrix", [1, 0, 0, 1, 0, 0]))
    if bounds is None or not isinstance(own, list) or len(own) != 6 or not all(type(n) in {int, float} for n in own):
        return None
    a, b, c, d, e, f = own
    moved = places.moved(bounds, (a, b, c, d, e, f))
    if min(places.size(moved)) <= 0:
        return None
    across, up = (shown / side for shown, side in zip(places.size(box), places.size(moved), strict=True))
    fit: Matrix = (across, 0, 0, up, box[0] - moved[0] * across, box[1] - moved[1] * up)
    return places.times((a, b, c, d, e, f), fit)


def _is_in_its_place(document: Document, value: Mapping[str, Any]) -> bool:
    if is_drawn_by_reader(document, value):
        return False
    box = additions.rectangle(document.resolve(value.get("Rect")))
    if additions.shows(document, value):
        # Without an area to fit it in, some draw a look as large as it is; and some draw what it marks instead.
        return box is not None and min(additions.size(box)) >= _LEAST_SIDE and _marks_within(document, value, box)
    if value.get("Subtype") in {"Widget", "Link", "Popup"}:
        return True
    states = document.resolve(value.get("AP"))
    # Without a look it is drawn by its own coordinates.
    return isinstance(states, Dict) and additions.is_stream(document, states.get("N"))


def _marks_within(document: Document, value: Mapping[str, Any], box: Rectangle) -> bool:
    """Tells whether the places of the page that it marks (12.5.6.10) are in its rectangle."""
    listed = document.resolve(value.get("QuadPoints", []))
    found = [document.resolve(each) for each in listed] if isinstance(listed, list) else [None]
    numbers = [float(each) for each in found if isinstance(each, int | float)]
    if len(numbers) % 8 or len(numbers) != len(found):
        return False
    corners = zip(numbers[::2], numbers[1::2], strict=True)
    return all(places.is_in((x, y, x, y), places.wider(box, 1)) for x, y in corners)


def _may_reach(document: Document, value: Mapping[str, Any], place: Rectangle) -> bool:
    """Tells whether it may leave its rectangle for a place: it keeps its size or stands upright whatever the page does,
    so that it turns about a corner and grows from there (table 167); or its window is open, which some draw.
    """
    flags, box = document.resolve(value.get("F", 0)), additions.rectangle(document.resolve(value.get("Rect")))
    if box is None:
        return False
    if value.get("Subtype") == "Popup" and not _is_drawn_nowhere(document, value):
        return places.meet(box, place)
    is_held = type(flags) is not int or bool(flags & _OWN_SIZE_OR_TURN)
    if not is_held or _is_drawn_nowhere(document, value):
        return False
    return places.meet(places.wider(box, _MOST_TIMES * max(places.size(box))), place)


def is_drawn_by_reader(document: Document, value: Mapping[str, Any]) -> bool:
    """Tells whether a field without a look has a ground or a border of its own, which some readers draw (table 189)."""
    marks = document.resolve(value.get("MK"))
    is_drawn = isinstance(marks, Dict) and not marks.keys().isdisjoint({"BG", "BC"})
    return is_drawn and not _has_look(document, value)


def _has_look(document: Document, value: Mapping[str, Any]) -> bool:
    """Tells whether a look is there to be drawn in its place: a stream, of its state where it has several."""
    states = document.resolve(value.get("AP"))
    normal = states.get("N") if isinstance(states, Dict) else None
    if additions.is_stream(document, normal):
        return True
    named, state = document.resolve(normal), document.resolve(value.get("AS"))
    chosen = named.get(state) if isinstance(named, Dict) and isinstance(state, Name) else None
    return additions.is_stream(document, chosen)


def _is_drawn_nowhere(document: Document, value: Mapping[str, Any]) -> bool:
    """A link without a border, a window that opens beside the page; with a look some readers draw it all the same."""
    kind = value.get("Subtype")
    if "AP" in value or kind not in {"Link", "Popup"}:
        return False
    if kind == "Popup":
        return document.resolve(value.get("Open")) in (None, False)
    style = document.resolve(value.get("BS"))
    if isinstance(style, Dict):
        return bool(document.resolve(style.get("W", 1)) == 0)
    border = document.resolve(value.get("Border"))
    return isinstance(border, list) and len(border) >= 3 and document.resolve(border[2]) == 0


def _listed(document: Document, page: Mapping[str, Any]) -> Iterator[tuple[Any, Dict]]:
    listed = document.resolve(page.get("Annots"))
    for each in listed if isinstance(listed, list) else []:
        value = document.resolve(each)
        if isinstance(value, Dict):
            yield each, value
