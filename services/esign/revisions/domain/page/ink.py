"""Finds what a page has in a place that may look different later.

Whether a place was blank is asked of one renderer. It draws nothing where it cannot load a font, decode a picture or
come by a colour, and another reader does. Lines and areas in plain colours are drawn alike everywhere, and whole
pictures of plain bytes. Where anything else but text meets the place nothing is known of it; of text it is told where
the signs are, and of dark areas where they are, so that what the renderer shows nothing of is not taken for nothing.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import PdfError
from services.esign.revisions.domain import additions, blending, places
from services.esign.revisions.domain.additions import Ink
from services.esign.revisions.domain.page.reading import Reading, is_read_along
from services.esign.revisions.domain.page.state import IDENTITY, State
from services.esign.revisions.domain.page.streams import UnclearError, content_of, joined, streams_of
from services.esign.revisions.domain.page.walk import Walk
from services.esign.revisions.domain.places import Matrix, Rectangle

# Points around a place in which print has colours that every reader has.
_NEAR = 8.0

Look = tuple[PdfObject, Matrix, Rectangle]


def ink_of(
    document: Document,
    page: Mapping[str, Any],
    resources: Any,
    box: Rectangle,
    apart: float,
    beside: Callable[[], Iterable[Look]],
) -> Ink | None:
    """Finds what a page has in a place, `apart` points around it included; None when readers may follow the content
    differently, or have what is near differently. `resources`: the page's, which it may inherit; `beside`: looks of
    annotations near the place, with their matrices and rectangles. Raises PdfError where it is too much work.
    """
    place = places.wider(box, apart)
    walk = Walk(document, place, places.wider(box, max(apart, _NEAR)))
    if not blending.is_plain_group(document, page.get("Group")):
        return None
    try:
        content = joined([content_of(document, each) for each in streams_of(document, page.get("Contents"))])
        shown = additions.page_box(document, page)
        walk.form(content, resources, State(clip=shown or place), 0)
        for look, ctm, clip in beside():
            walk.form(content_of(document, look), look.value.get("Resources"), State(clip=clip, ctm=ctm), 1)
    except UnclearError:
        return None
    except PdfError as cause:
        if cause.limit:
            raise
        return None
    return Ink(place, tuple(walk.boxes), tuple(walk.signs), tuple(walk.areas))


def shown_by(document: Document, look: Look) -> Ink | None:
    """Finds what a look has in its place on the page; None where readers may follow it differently. Raises PdfError
    where it is too much work.
    """
    holder, ctm, place = look
    walk = Walk(document, place)
    try:
        walk.form(document.stream_of(holder), document.resolve(holder.value.get("Resources")), State(place, ctm), 1)
    except UnclearError:
        return None
    return Ink(place, tuple(walk.boxes), tuple(walk.signs), tuple(walk.areas))


def is_certain(document: Document, look: Any) -> bool:
    """Tells whether every reader shows a form alike: its colours, lines, areas and pictures. Raises PdfError."""
    return _is_followed(document, look, (-math.inf, -math.inf, math.inf, math.inf))


def is_followed_alike(document: Document, look: Any) -> bool:
    """Tells whether every reader comes to the same places by a form's content. Raises PdfError where it is too much
    work.
    """
    return _is_followed(document, look, None)


def words_of(document: Document, look: Any) -> str | None:
    """The text that a form says, where it is nothing but strings that everybody sees, on a ground; None where that is
    not known. Raises PdfError where it is too much work.
    """
    holder, reading = additions.stream_of(document, look), Reading()
    if holder is None or not is_read_along(document.resolve(holder.value.get("Matrix", [*IDENTITY]))):
        return None
    is_followed = _is_followed(document, look, (-math.inf, -math.inf, math.inf, math.inf), reading)
    return reading.words if is_followed else None


def _is_followed(document: Document, look: Any, near: Rectangle | None, reading: Reading | None = None) -> bool:
    holder = additions.stream_of(document, look)
    box = None if holder is None else additions.rectangle(document.resolve(holder.value.get("BBox")))
    if holder is None or box is None:
        return document.resolve(look) is None
    walk = Walk(document, box, near, reading=reading)
    try:
        walk.form(document.stream_of(holder), document.resolve(holder.value.get("Resources")), State(box), 1)
    except UnclearError:
        return False
    return True
