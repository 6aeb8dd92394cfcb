"""Draws versions of a document with PDFium and compares them: the second line against forged pages.

PDFium reads files in its own way and knows nothing of this project's reader, which is the point. It is not
thread-safe: one drawing at a time in a process. Foreign documents are drawn in the confined worker only.
"""

import ctypes
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from services.esign.domain.additions import Patch, Why
from services.esign.domain.second_look import Comparison, Seen, Version

# A page is drawn with at most so many pixels (A4 at 130 dpi), all pages together with so many, as long as each has so
# many (A4 at 55 dpi, where another digit is still another shade).
_MOST_PIXELS = 1_600_000
_MOST_PIXELS_OF_ALL = 40_000_000
_FEWEST_PIXELS = 300_000
_MOST_SCALE = 2.0
_LONGEST_SIDE = 6000
# Pages drawn of all versions together, and seconds of processor time spent with them: less than a worker gives to a
# document, so that everything else about it can still be told.
_MOST_PAGES = 600
_MOST_SECONDS = 1.5
_BYTES_A_PIXEL = 3
# FPDFBitmap_BGR of fpdfview.h: three bytes a pixel.
_BGR = 2
# Pixels around a patch that its edges may colour.
_EDGE = 2
_ONE_AT_A_TIME = threading.Lock()


class _UnseenError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Box:
    """Pixels, right and lower edge left out."""

    left: int
    top: int
    right: int
    bottom: int

    def wider(self, by: int, width: int, height: int) -> "_Box":
        return _Box(
            max(0, self.left - by), max(0, self.top - by), min(width, self.right + by), min(height, self.bottom + by)
        )


@dataclass(slots=True)
class _Drawn:
    """A page as it looks: rows of `stride` bytes, three bytes a pixel."""

    width: int
    height: int
    stride: int
    pixels: bytes

    def rows(self, box: _Box) -> Iterator[slice]:
        for row in range(box.top, box.bottom):
            start = row * self.stride
            yield slice(start + box.left * _BYTES_A_PIXEL, start + box.right * _BYTES_A_PIXEL)

    def is_blank(self, box: _Box) -> bool:
        """Whether the place has one colour."""
        found = [self.pixels[each] for each in self.rows(box)]
        first = found[0][:_BYTES_A_PIXEL] if found else b""
        line = first * (box.right - box.left)
        return all(each == line for each in found)

    def without(self, boxes: Sequence[_Box]) -> bytes:
        if not boxes:
            return self.pixels
        left = bytearray(self.pixels)
        for box in boxes:
            for each in self.rows(box):
                left[each] = bytes(each.stop - each.start)
        return bytes(left)


def look(pdf: bytes, versions: Sequence[Version]) -> Comparison:
    """Whether every page of `pdf` looks as in each of the earlier versions, but for their patches."""
    with _ONE_AT_A_TIME:
        try:
            return _compared(pdf, versions)
        except _UnseenError as cause:
            return Comparison(Seen.UNSEEN, why=str(cause))


def _compared(pdf: bytes, versions: Sequence[Version]) -> Comparison:
    until = time.process_time() + _MOST_SECONDS
    covered = 0
    with ExitStack() as stack:
        now = stack.enter_context(_opened(pdf))
        earlier = [(version, stack.enter_context(_opened(pdf[: version.end]))) for version in versions]
        count = len(now)
        if any(len(document) != count for _, document in earlier):
            return Comparison(Seen.DIFFERENT)
        drawings = count * (1 + len(versions))
        if drawings > _MOST_PAGES:
            raise _UnseenError(f"more than {_MOST_PAGES} pages to draw")
        pixels = min(_MOST_PIXELS, max(_FEWEST_PIXELS, _MOST_PIXELS_OF_ALL // max(1, drawings)))
        for number in range(count):
            with _page(now, number) as page:
                after = _drawn(page, pixels)
            for version, document in earlier:
                if time.process_time() > until:
                    raise _UnseenError(f"drawing takes more than {_MOST_SECONDS} seconds")
                patches = [patch for patch in version.patches if patch.page == number]
                with _page(document, number) as page:
                    before, boxes = _drawn(page, pixels), [_box(page, patch, pixels) for patch in patches]
                if not _alike(before, after, boxes):
                    return Comparison(Seen.DIFFERENT, number + 1)
                new = (box for box, patch in zip(boxes, patches, strict=True) if patch.why is Why.NEW)
                if not all(before.is_blank(box) for box in new):
                    covered = covered or number + 1
    return Comparison(Seen.COVERED, covered) if covered else Comparison(Seen.SAME)


def _alike(before: _Drawn, after: _Drawn, boxes: Sequence[_Box]) -> bool:
    if (before.width, before.height, before.stride) != (after.width, after.height, after.stride):
        return False
    if before.pixels == after.pixels:
        return True
    wider = [box.wider(_EDGE, before.width, before.height) for box in boxes]
    return before.without(wider) == after.without(wider)


@contextmanager
def _opened(pdf: bytes) -> Iterator[Any]:
    # Loaded when the first document needs it: few do.
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as cause:
        raise _UnseenError("the renderer cannot open the file") from cause
    try:
        # Fields are drawn by the form, everything else by the page.
        document.init_forms()
        yield document
    finally:
        document.close()


@contextmanager
def _page(document: Any, number: int) -> Iterator[Any]:
    try:
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


def _drawn(page: Any, pixels: int) -> _Drawn:
    try:
        bitmap = page.render(scale=_scale(page, pixels), force_bitmap_format=_BGR)
    except (RuntimeError, ValueError) as cause:
        raise _UnseenError("the renderer cannot draw a page") from cause
    try:
        return _Drawn(bitmap.width, bitmap.height, bitmap.stride, bytes(bitmap.buffer))
    finally:
        bitmap.close()


def _box(page: Any, patch: Patch, pixels: int) -> _Box:
    """A patch in pixels, whatever the page's box and rotation."""
    from pypdfium2 import raw

    scale = _scale(page, pixels)
    width, height = (math.ceil(side * scale) for side in page.get_size())
    x1, y1, x2, y2 = patch.rectangle
    xs, ys = [], []
    for x, y in ((x1, y1), (x2, y2)):
        found_x, found_y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, ctypes.byref(found_x), ctypes.byref(found_y))
        xs.append(min(max(found_x.value, 0), width))
        ys.append(min(max(found_y.value, 0), height))
    return _Box(min(xs), min(ys), max(xs), max(ys))
