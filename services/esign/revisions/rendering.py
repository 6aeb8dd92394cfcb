"""Draws versions of a document with PDFium and compares them: the second line against forged pages.

PDFium reads files in its own way and knows nothing of this project's reader, which is the point. It is not
thread-safe: one drawing at a time in a process. Foreign documents are drawn in the confined worker only.

Short of memory, PDFium leaves out what it has none for, a picture or a group, and says nothing. So nothing is seen
while an allocation fails, and a difference counts only when it repeats with more memory and with less.
"""

import atexit
import ctypes
import errno
import math
import mmap
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from services.esign.domain.kept import kept_if_found
from services.esign.revisions.domain.additions import Ink, Patch, Why
from services.esign.revisions.domain.places import Rectangle
from services.esign.revisions.domain.second_look import MOST_PAGES, Comparison, Seen, Version, drawings_of
from services.esign.revisions.drawn_page import EDGE, REACH, Box, DrawnPage
from services.esign.revisions.page_signs import FARTHEST
from services.esign.revisions.pixels import CHANNELS

# A page is drawn with at most so many pixels (A4 at 130 dpi), all pages together with so many, as long as each has so
# many (A4 at 55 dpi, where another digit is still another shade).
_MOST_PIXELS = 1_600_000
_MOST_PIXELS_OF_ALL = 40_000_000
_FEWEST_PIXELS = 300_000
_MOST_SCALE = 2.0
# Pixels that a small page has, whatever the scale: viewers show it as large as the window.
_LEAST_PIXELS = 400_000
# Pixels a point below which small type cannot be told where something came.
_LEAST_SCALE = 0.7
_LONGEST_SIDE = 6000
# Pixels around what is drawn in which its ground is seen.
_AROUND = 2
# Pages drawn of all versions together, and seconds of processor time spent with them: less than a worker gives to a
# document, so that everything else about it can still be told.
_MOST_PAGES = MOST_PAGES
_MOST_SECONDS = 2.1
# FPDFBitmap_BGRA of fpdfview.h: with fewer channels text of fields is smoothed for a screen's coloured stripes.
_BGRA = 4
# Device space is asked for in whole numbers: so many of them are a pixel.
_PARTS_OF_A_PIXEL = 64
# Pixels a point, and pixels in all, by which a place is looked at from near: small type has points of one pixel else.
_NEAR_SCALE = 4.0
_NEAR_PIXELS = 800_000
# Points of the smaller side of a signature's field.
_SMALLEST_SIGNATURE = 20.0
# Share of a page that all that came later may take together.
_MOST_TAKEN = 0.5
# Memory that is kept from the renderer when a difference is looked at again, bytes: more than two versions of the
# largest document differ in what the renderer needs for them.
_RESERVE = 32 * 1024 * 1024
_TOO_LITTLE = "there is too little memory to draw it"
_OF_FIELDS = frozenset({Why.FILLED, Why.TICKED})
_ONE_AT_A_TIME = threading.Lock()
_OVER = threading.Event()

if hasattr(os, "register_at_fork"):
    # A process that is forked while another thread draws would have the lock held by nobody, and PDFium halfway
    # through a page: forking waits for the drawing.
    os.register_at_fork(
        before=_ONE_AT_A_TIME.acquire,
        after_in_parent=_ONE_AT_A_TIME.release,
        after_in_child=_ONE_AT_A_TIME.release,
    )


class _UnseenError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Difference:
    """The difference that was seen once: a page (from 0; None: the number of pages) that is not as in `version`."""

    version: Version
    page: int | None
    pixels: int


def look(pdf: bytes, versions: Sequence[Version]) -> Comparison:
    """Tells whether every page of `pdf` looks as in each of the earlier versions, but for their patches."""
    with _ONE_AT_A_TIME:
        if _OVER.is_set():
            return Comparison(Seen.UNSEEN, why="the process ends")
        until = time.thread_time() + _MOST_SECONDS
        try:
            found = _compared(pdf, versions, until)
            if isinstance(found, Comparison):
                return found
            _repeat(pdf, found, until)
        except _UnseenError as cause:
            return Comparison(Seen.UNSEEN, why=str(cause))
        return Comparison(Seen.DIFFERENT, 0 if found.page is None else found.page + 1)


def _compared(pdf: bytes, versions: Sequence[Version], until: float) -> Comparison | _Difference:
    covered = 0
    found_well: set[tuple[int, Patch, bytes, bytes]] = set()
    with ExitStack() as stack:
        now = stack.enter_context(_opened(pdf))
        earlier = [(version, stack.enter_context(_opened(pdf, version.end))) for version in versions]
        count = len(now)
        if any(version.pages != count for version in versions):
            # Who finds other pages has not seen these.
            raise _UnseenError("the renderer finds other pages")
        for version, document in earlier:
            if len(document) != count:
                return _Difference(version, None, 0)
        drawings = drawings_of(count, len(versions))
        if drawings > _MOST_PAGES:
            return Comparison(Seen.TOO_MANY, why=f"more than {_MOST_PAGES} pages to draw")
        pixels = min(_MOST_PIXELS, max(_FEWEST_PIXELS, _MOST_PIXELS_OF_ALL // max(1, drawings)))
        for number in range(count):
            after, _ = _drawn(now, number, pixels)
            _refuse_undrawn(now, number, versions)
            for version, document in earlier:
                _in_time(until)
                patches = [patch for patch in version.patches if patch.page == number]
                before, boxes = _drawn(document, number, pixels, patches)
                if patches and before.scale < _LEAST_SCALE:
                    raise _UnseenError(f"page {number + 1} is too large for its small type to be seen")
                if not _are_alike(before, after, boxes):
                    return _Difference(version, number, pixels)
                if any(patch.why in _OF_FIELDS for patch in patches):
                    # What the field showed may go; what lies under it may not.
                    under, _ = _drawn(document, number, pixels, fields=False)
                else:
                    under = before
                if _takes_too_much(before, boxes):
                    covered = covered or number + 1
                for box, patch in zip(boxes, patches, strict=True):
                    # Of the same place in many versions the same is found.
                    near = box.wider(math.ceil(FARTHEST * before.scale), before.width, before.height)
                    asked = (number, patch, before.place(near).tobytes(), under.place(near).tobytes())
                    if asked in found_well:
                        continue
                    _in_time(until)
                    is_shown = _shows(now, number, pixels, after, patch.shown)
                    if not _shows(document, number, pixels, under, patch.ink) or (
                        patch.why in _OF_FIELDS and not is_shown
                    ):
                        raise _UnseenError(f"page {number + 1} draws something that the renderer does not show")
                    known = replace(patch, is_certain=patch.is_certain and is_shown)
                    if _is_well(before, after, box, known) and (
                        patch.why is Why.NEW
                        or under.is_paper(box)
                        or _can_be_read(now, document, number, under, box, patch)
                    ):
                        found_well.add(asked)
                    else:
                        covered = covered or number + 1
    return Comparison(Seen.COVERED, covered) if covered else Comparison(Seen.SAME)


def _refuse_undrawn(document: Any, number: int, versions: Sequence[Version]) -> None:
    """Raises _UnseenError where the renderer does not know a field whose look came later: it has not drawn it."""
    wanted = {p.rectangle for version in versions for p in version.patches if p.page == number and p.draws}
    if not wanted:
        return
    from pypdfium2 import raw

    known: list[tuple[float, ...]] = []
    with _page(document, number) as page:
        for at in range(raw.FPDFPage_GetAnnotCount(page)):
            annotation = raw.FPDFPage_GetAnnot(page, at)
            if not annotation:
                continue
            box = raw.FS_RECTF()
            is_field = (
                document.formenv is not None and raw.FPDFAnnot_GetFormFieldType(document.formenv, annotation) >= 0
            )
            if is_field and raw.FPDFAnnot_GetRect(annotation, box):
                known.append((box.left, min(box.bottom, box.top), box.right, max(box.bottom, box.top)))
            raw.FPDFPage_CloseAnnot(annotation)
    for each in wanted:
        if not any(all(abs(a - b) < 1 for a, b in zip(each, found, strict=True)) for found in known):
            raise _UnseenError(f"the renderer does not know a field on page {number + 1}")


def _shows(document: Any, number: int, pixels: int, under: DrawnPage, ink: Ink) -> bool:
    """Tells whether this renderer shows something of all that is in a place; else another may show more."""
    if not ink.boxes and not ink.areas:
        return True
    inked, signs = (_boxes(document, number, pixels, each) for each in (ink.boxes, ink.signs))
    (place,) = _boxes(document, number, pixels, (ink.place,))
    around = [box.wider(_AROUND, under.width, under.height) for box in dict.fromkeys(inked) if box.area]
    within = [box.wider(_AROUND, under.width, under.height).within(place) for box in dict.fromkeys(signs) if box.area]
    dark = _boxes(document, number, pixels, [box for box, _ in ink.areas])
    inside = {(box.within(place), colour) for box, (_, colour) in zip(dark, ink.areas, strict=True)}
    unseen = any(box.area and not under.shows(box, colour) for box, colour in inside)
    return not unseen and not any(map(under.is_blank, around)) and (not within or under.shows_signs(place, within))


def _takes_too_much(before: DrawnPage, boxes: Sequence[Box]) -> bool:
    return sum(box.area for box in boxes) > _MOST_TAKEN * before.width * before.height


def _is_well(before: DrawnPage, after: DrawnPage, box: Box, patch: Patch) -> bool:
    """Tells whether a new place is apart from what the page showed, a signature in a blank one goes on with nothing
    beside it, and a button's picture is the one that it was, with its mark or without.
    """
    if patch.why is Why.NEW:
        return before.is_apart(box)
    if patch.why is Why.SIGNED and patch.draws:
        # Smaller ones are marks of somebody else's.
        if min(box.right - box.left, box.bottom - box.top) < _SMALLEST_SIGNATURE * before.scale:
            return False
        # What others show otherwise must not be near enough to be read as one with the page's signs. A seal may lie
        # over them.
        may_be_near = patch.is_certain or (patch.is_plain and not before.is_paper(box))
        # A seal is no sign that goes on with others.
        reach = REACH if patch.is_plain else FARTHEST
        return (may_be_near or before.is_alone(box)) and not before.makes_another(
            box, after, reach, is_seal=patch.is_plain
        )
    if patch.why is not Why.TICKED:
        return True
    # A mark in a frame is read by itself; any other is a sign like those beside it.
    if not before.is_part_of(box, after):
        return False
    # Without the mark, and with it.
    less, more = (before, after) if before.ink(box) <= after.ink(box) else (after, before)
    is_framed = patch.is_mark and before.has_a_mark_in_a_frame(box, after)
    return is_framed or not less.makes_another(box, more, FARTHEST, is_seal=False)


def _can_be_read(now: Any, document: Any, number: int, under: DrawnPage, box: Box, patch: Patch) -> bool:
    """Tells whether what a place showed can be read still, looked at from near. `under`: the page as it was, without
    the fields that were filled in.
    """
    if not box.area:
        return False
    whole = box.wider(round(REACH * under.scale), under.width, under.height)
    scale = max(under.scale, min(_NEAR_SCALE, under.scale * math.sqrt(_NEAR_PIXELS / whole.area)))
    was, inner = _drawn_near(document, number, scale, under, whole, patch, fields=patch.why not in _OF_FIELDS)
    if not was.holds_signs(inner):
        if patch.is_plain or patch.why in _OF_FIELDS or not patch.draws:
            return True
        # A line on which nothing was to be written is not taken away.
        then, _ = _drawn_near(now, number, scale, under, whole, patch)
        return (was.width, was.height) == (then.width, then.height) and was.keeps(inner, then)
    if patch.why in _OF_FIELDS:
        # What is filled in over signs is taken for one of them.
        return False
    if not patch.draws:
        # Some readers draw over a field that waits for its signature: what that hid comes to light.
        return False
    then, _ = _drawn_near(now, number, scale, under, whole, patch)
    if not patch.is_plain or (was.width, was.height) != (then.width, then.height):
        return False
    return was.can_be_seen_through(inner, then, is_drawn=patch.draws)


def _drawn_near(
    document: Any, number: int, scale: float, seen: DrawnPage, whole: Box, patch: Patch, *, fields: bool = True
) -> tuple[DrawnPage, Box]:
    """A part of a page, in pixels of `seen`, and where the patch is in it."""
    with _page(document, number) as page:
        sides = page.get_size()
        left, top = whole.left / seen.scale, whole.top / seen.scale
        right, bottom = sides[0] - whole.right / seen.scale, sides[1] - whole.bottom / seen.scale
        crop = tuple(max(0.0, each) for each in (left, bottom, right, top))
        drawn = _rendered(page, scale, fields=fields, crop=crop)
        by = (math.ceil(crop[0] * scale), math.ceil(crop[3] * scale))
        return drawn, _box(page, patch.rectangle, scale).moved(*by, drawn.width, drawn.height)


def _repeat(pdf: bytes, found: _Difference, until: float) -> None:
    """Looks once more, at each of the two versions alone, with all the memory there is and with less. Raises
    _UnseenError when a version does not look the same both times, or the two do not differ.

    Where memory is what makes the difference, something has no room in one version with all the memory and has room in
    the other with less, so that the two differ in what they take by more than the reserve: they do not.
    """
    ends = (len(pdf), found.version.end)
    if found.page is None:
        _counted_again(pdf, ends)
        return
    patches = [patch for patch in found.version.patches if patch.page == found.page]
    seen: list[tuple[DrawnPage, list[Box]]] = []
    for less in (False, True):
        for turn, end in enumerate(ends):
            _in_time(until)
            with _held() if less else nullcontext(), _opened(pdf, end) as document:
                drawn = _drawn(document, found.page, found.pixels, patches)
            if not less:
                seen.append(drawn)
            elif not drawn[0].looks_as(seen[turn][0]) or drawn[1] != seen[turn][1]:
                raise _UnseenError("a page is not drawn the same twice")
    (after, _), (before, boxes) = seen
    if _are_alike(before, after, boxes):
        raise _UnseenError("a page is not drawn the same twice")


def _counted_again(pdf: bytes, ends: Sequence[int]) -> None:
    counts = []
    for less in (False, True):
        for end in ends:
            with _held() if less else nullcontext(), _opened(pdf, end) as document:
                counts.append(len(document))
    if counts[:2] != counts[2:] or counts[0] == counts[1]:
        raise _UnseenError("pages are not counted the same twice")


def _in_time(until: float) -> None:
    if time.thread_time() > until:
        raise _UnseenError(f"drawing takes more than {_MOST_SECONDS} seconds")


@contextmanager
def _held() -> Iterator[None]:
    """Keeps the reserve from the renderer."""
    try:
        reserve = mmap.mmap(-1, _RESERVE)
    except (OSError, MemoryError) as cause:
        raise _UnseenError(_TOO_LITTLE) from cause
    with reserve:
        yield


@kept_if_found(1)
def _last_error() -> Callable[[], Any] | None:
    """Returns where the C library keeps the calling thread's errno; None where it has another name."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    for name in ("__errno_location", "__error"):
        if found := getattr(library, name, None):
            found.restype = ctypes.POINTER(ctypes.c_int)
            place: Callable[[], Any] = found
            return place
    return None


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Raises _UnseenError when the renderer asked for memory in vain meanwhile. A success leaves errno as it is."""
    last_error = _last_error()
    if last_error is None:
        yield
        return
    last_error()[0] = 0
    yield
    if last_error()[0] == errno.ENOMEM:
        raise _UnseenError(_TOO_LITTLE)


def _are_alike(before: DrawnPage, after: DrawnPage, boxes: Sequence[Box]) -> bool:
    return before.looks_as(after, [box.wider(EDGE, before.width, before.height) for box in boxes])


@lru_cache(maxsize=1)
def _pdfium() -> Any:
    """Loaded when the first document needs it: few do. Raises _UnseenError."""
    try:
        import pypdfium2
    except (ImportError, OSError) as cause:
        raise _UnseenError("the renderer cannot be loaded") from cause
    # Runs before pypdfium2's own, which takes the library down, and before what closes its documents: finalizers are
    # called at exit from the first one on.
    weakref.finalize(_OVER, int)
    atexit.register(_end)
    return pypdfium2


def _end() -> None:
    """At exit: waits for the drawing under way and lets no other begin."""
    with _ONE_AT_A_TIME:
        _OVER.set()


@contextmanager
def _opened(pdf: bytes, end: int | None = None) -> Iterator[Any]:
    """The document that the bytes before `end` are. They are not copied: a file may have dozens of versions."""
    pdfium = _pdfium()
    with ExitStack() as stack:
        try:
            with _enough_memory():
                opened = pdfium.raw.FPDF_LoadMemDocument64(pdf, len(pdf) if end is None else end, None)
                if not opened:
                    raise _UnseenError("the renderer cannot open the file")
                document = pdfium.PdfDocument(opened)
                stack.callback(document.close)
                # Fields are drawn by the form, everything else by the page.
                document.init_forms()
        except pdfium.PdfiumError as cause:
            raise _UnseenError("the renderer cannot open the file") from cause
        yield document


@contextmanager
def _page(document: Any, number: int) -> Iterator[Any]:
    try:
        with _enough_memory():
            page = document[number]
    except RuntimeError as cause:
        raise _UnseenError(f"the renderer cannot open page {number + 1}") from cause
    try:
        yield page
    finally:
        page.close()


def _scale(page: Any, pixels: int) -> float:
    width, height = page.get_size()
    if not (math.isfinite(width) and math.isfinite(height)) or min(width, height) < 1:
        raise _UnseenError("a page has no size")
    most = max(_MOST_SCALE, math.sqrt(_LEAST_PIXELS / (width * height)))
    return float(min(most, math.sqrt(pixels / (width * height)), _LONGEST_SIDE / max(width, height)))


def _drawn(
    document: Any, number: int, pixels: int, patches: Sequence[Patch] = (), *, fields: bool = True
) -> tuple[DrawnPage, list[Box]]:
    """A page, with its form's fields or without, and where the patches are on it."""
    with _page(document, number) as page:
        scale = _scale(page, pixels)
        drawn = _rendered(page, scale, fields=fields)
        return drawn, [_box(page, patch.rectangle, scale) for patch in patches]


def _rendered(page: Any, scale: float, *, fields: bool, crop: tuple[float, ...] = (0, 0, 0, 0)) -> DrawnPage:
    """`crop`: points that are left out, left, below, right and above."""
    try:
        with _enough_memory():
            bitmap = page.render(scale=scale, crop=crop, force_bitmap_format=_BGRA, may_draw_forms=fields)
    except (RuntimeError, ValueError) as cause:
        raise _UnseenError("the renderer cannot draw a page") from cause
    try:
        rows = np.frombuffer(bitmap.buffer, np.uint8).reshape(bitmap.height, bitmap.stride // 4, 4)
        return DrawnPage(rows[:, : bitmap.width, :CHANNELS].copy(), scale)
    finally:
        bitmap.close()


def _boxes(document: Any, number: int, pixels: int, places: Sequence[Rectangle]) -> list[Box]:
    if not places:
        return []
    with _page(document, number) as page:
        return [_box(page, place, _scale(page, pixels)) for place in places]


def _box(page: Any, place: Rectangle, scale: float) -> Box:
    """A place in pixels, those that it has a part of included, whatever the page's box and rotation."""
    from pypdfium2 import raw

    width, height = (math.ceil(side * scale) for side in page.get_size())
    parts = (width * _PARTS_OF_A_PIXEL, height * _PARTS_OF_A_PIXEL)
    x1, y1, x2, y2 = place
    xs, ys = [], []
    for x, y in ((x1, y1), (x2, y2)):
        found_x, found_y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, *parts, 0, x, y, ctypes.byref(found_x), ctypes.byref(found_y))
        xs.append(min(max(found_x.value / _PARTS_OF_A_PIXEL, 0), width))
        ys.append(min(max(found_y.value / _PARTS_OF_A_PIXEL, 0), height))
    return Box(math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys)))
