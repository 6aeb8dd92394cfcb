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
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.esign.domain.additions import Patch, Why
from services.esign.domain.second_look import MOST_PAGES, Comparison, Seen, Version, drawings_of

# A page is drawn with at most so many pixels (A4 at 130 dpi), all pages together with so many, as long as each has so
# many (A4 at 55 dpi, where another digit is still another shade).
_MOST_PIXELS = 1_600_000
_MOST_PIXELS_OF_ALL = 40_000_000
_FEWEST_PIXELS = 300_000
_MOST_SCALE = 2.0
_LONGEST_SIDE = 6000
# Pages drawn of all versions together, and seconds of processor time spent with them: less than a worker gives to a
# document, so that everything else about it can still be told.
_MOST_PAGES = MOST_PAGES
_MOST_SECONDS = 1.5
_BYTES_A_PIXEL = 3
# FPDFBitmap_BGR of fpdfview.h: three bytes a pixel.
_BGR = 2
# Pixels around a patch that its edges may colour.
_EDGE = 1
# Device space is asked for in whole numbers: so many of them are a pixel.
_PARTS_OF_A_PIXEL = 64
# Points around a new field that are blank too: nearer, what it shows would read as part of the page's text.
_APART = 12.0
# How much a colour channel (0 to 255) may be off and count as the same colour, and which share of what a place showed
# may be lost under a seal, and of what is around it be painted.
_SHADE = 48
_MOST_LOST = 0.02
_MOST_PAINTED = 0.5
# Pixels by which the ground of a place is found.
_SAMPLES = 10_000
# Share of a page that all that came later may take together.
_MOST_TAKEN = 0.5
# Memory that is kept from the renderer when a difference is looked at again, bytes: more than two versions of the
# largest document differ in what the renderer needs for them.
_RESERVE = 32 * 1024 * 1024
_TOO_LITTLE = "there is too little memory to draw it"
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
    """What was seen once: a page (from 0; None: the number of pages) that is not as in `version`."""

    version: Version
    page: int | None
    pixels: int


@dataclass(frozen=True, slots=True)
class _Box:
    """Pixels, right and lower edge left out."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def wider(self, by: int, width: int, height: int) -> "_Box":
        return _Box(
            max(0, self.left - by), max(0, self.top - by), min(width, self.right + by), min(height, self.bottom + by)
        )


@dataclass(slots=True)
class _Drawn:
    """A page as it looks: rows of `stride` bytes, three bytes a pixel; `scale`: pixels a point."""

    width: int
    height: int
    stride: int
    pixels: bytes
    scale: float

    def rows(self, box: _Box) -> Iterator[slice]:
        for row in range(box.top, box.bottom):
            start = row * self.stride
            yield slice(start + box.left * _BYTES_A_PIXEL, start + box.right * _BYTES_A_PIXEL)

    def is_blank(self, box: _Box) -> bool:
        """Whether the place has one colour. A place without a pixel is none."""
        found = [self.pixels[each] for each in self.rows(box)]
        line = found[0][:_BYTES_A_PIXEL] * (box.right - box.left) if found else b""
        return bool(line) and all(each == line for each in found)

    def unlike(self, box: _Box, colour: bytes) -> int:
        """The pixels of a place that have another colour, one bit each."""
        place = b"".join(self.pixels[each] for each in self.rows(box))
        found = 0
        for channel, value in enumerate(colour):
            other = bytes(abs(shade - value) > _SHADE for shade in range(256))
            found |= int.from_bytes(place[channel::_BYTES_A_PIXEL].translate(other), "big")
        return found

    def can_be_seen_through(self, box: _Box, after: "_Drawn") -> bool:
        """Whether what the place showed can be seen still: a seal lies over a text, a white sheet hides it."""
        if not box.area or self.is_blank(box):
            return True
        place = b"".join(self.pixels[each] for each in self.rows(box))
        step = _BYTES_A_PIXEL * max(1, box.area // _SAMPLES)
        ground = Counter(place[at : at + _BYTES_A_PIXEL] for at in range(0, len(place), step)).most_common(1)[0][0]
        shown, seen = self.unlike(box, ground), after.unlike(box, ground)
        # A letter is read by what is around it: ink on ink hides it too.
        around = _widened(shown, box.right - box.left) & ~shown
        lost, painted = (shown & ~seen).bit_count(), (seen & around).bit_count()
        return lost <= _MOST_LOST * shown.bit_count() and painted <= _MOST_PAINTED * around.bit_count()

    def without(self, boxes: Sequence[_Box]) -> bytes:
        if not boxes:
            return self.pixels
        left = bytearray(self.pixels)
        for box in boxes:
            for each in self.rows(box):
                left[each] = bytes(each.stop - each.start)
        return bytes(left)


def _widened(pixels: int, width: int) -> int:
    """A set of pixels, a byte each in rows of `width`, and those up to six pixels around them."""
    for row in (1, width):
        for step in (1, 2, 3):
            pixels |= pixels << 8 * row * step | pixels >> 8 * row * step
    return pixels


def look(pdf: bytes, versions: Sequence[Version]) -> Comparison:
    """Whether every page of `pdf` looks as in each of the earlier versions, but for their patches."""
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
    with ExitStack() as stack:
        now = stack.enter_context(_opened(pdf))
        earlier = [(version, stack.enter_context(_opened(pdf, version.end))) for version in versions]
        count = len(now)
        for version, document in earlier:
            if len(document) != count:
                return _Difference(version, None, 0)
        drawings = drawings_of(count, len(versions))
        if drawings > _MOST_PAGES:
            return Comparison(Seen.TOO_MANY, why=f"more than {_MOST_PAGES} pages to draw")
        pixels = min(_MOST_PIXELS, max(_FEWEST_PIXELS, _MOST_PIXELS_OF_ALL // max(1, drawings)))
        for number in range(count):
            after, _ = _drawn(now, number, pixels)
            for version, document in earlier:
                _in_time(until)
                # What came with a later version are signatures, and those may stand side by side.
                apart = _APART if version is versions[0] else 0.0
                patches = [patch for patch in version.patches if patch.page == number]
                before, boxes = _drawn(document, number, pixels, patches)
                if not _alike(before, after, boxes):
                    return _Difference(version, number, pixels)
                if _is_covered(before, after, list(zip(boxes, patches, strict=True)), apart):
                    covered = covered or number + 1
    return Comparison(Seen.COVERED, covered) if covered else Comparison(Seen.SAME)


def _is_covered(before: _Drawn, after: _Drawn, places: Sequence[tuple[_Box, Patch]], apart: float) -> bool:
    """Whether signatures that came later hide what the page showed, stand so near to it that both read as one (nearer
    than `apart` points), or take too much of the page.
    """
    if sum(box.area for box, _ in places) > _MOST_TAKEN * before.width * before.height:
        return True
    signatures = [(box, patch.why) for box, patch in places if patch.why is not Why.FILLED]
    near = max(_EDGE, math.ceil(apart * before.scale))
    return not all(
        before.is_blank(box.wider(near, before.width, before.height))
        if why is Why.NEW
        else before.can_be_seen_through(box, after)
        for box, why in signatures
    )


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
    seen: list[tuple[_Drawn, list[_Box]]] = []
    for less in (False, True):
        for turn, end in enumerate(ends):
            _in_time(until)
            with _held() if less else nullcontext(), _opened(pdf, end) as document:
                drawn = _drawn(document, found.page, found.pixels, patches)
            if not less:
                seen.append(drawn)
            elif drawn != seen[turn]:
                raise _UnseenError("a page is not drawn the same twice")
    (after, _), (before, boxes) = seen
    if _alike(before, after, boxes):
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


@lru_cache(maxsize=1)
def _last_error() -> Callable[[], Any] | None:
    """Where the C library keeps the calling thread's errno; None where it has another name."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    for name in ("__errno_location", "__error"):
        if found := getattr(library, name, None):
            found.restype = ctypes.POINTER(ctypes.c_int)
            return found  # type: ignore[no-any-return]
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


def _alike(before: _Drawn, after: _Drawn, boxes: Sequence[_Box]) -> bool:
    if (before.width, before.height, before.stride) != (after.width, after.height, after.stride):
        return False
    if before.pixels == after.pixels:
        return True
    wider = [box.wider(_EDGE, before.width, before.height) for box in boxes]
    return before.without(wider) == after.without(wider)


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
    return float(min(_MOST_SCALE, math.sqrt(pixels / (width * height)), _LONGEST_SIDE / max(width, height)))


def _drawn(document: Any, number: int, pixels: int, patches: Sequence[Patch] = ()) -> tuple[_Drawn, list[_Box]]:
    """A page, and where the patches are on it."""
    with _page(document, number) as page:
        try:
            scale = _scale(page, pixels)
            with _enough_memory():
                bitmap = page.render(scale=scale, force_bitmap_format=_BGR)
        except (RuntimeError, ValueError) as cause:
            raise _UnseenError("the renderer cannot draw a page") from cause
        try:
            drawn = _Drawn(bitmap.width, bitmap.height, bitmap.stride, bytes(bitmap.buffer), scale)
        finally:
            bitmap.close()
        return drawn, [_box(page, patch, pixels) for patch in patches]


def _box(page: Any, patch: Patch, pixels: int) -> _Box:
    """A patch in pixels, those that it has a part of included, whatever the page's box and rotation."""
    from pypdfium2 import raw

    scale = _scale(page, pixels)
    width, height = (math.ceil(side * scale) for side in page.get_size())
    parts = (width * _PARTS_OF_A_PIXEL, height * _PARTS_OF_A_PIXEL)
    x1, y1, x2, y2 = patch.rectangle
    xs, ys = [], []
    for x, y in ((x1, y1), (x2, y2)):
        found_x, found_y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, *parts, 0, x, y, ctypes.byref(found_x), ctypes.byref(found_y))
        xs.append(min(max(found_x.value / _PARTS_OF_A_PIXEL, 0), width))
        ys.append(min(max(found_y.value / _PARTS_OF_A_PIXEL, 0), height))
    return _Box(math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys)))
