"""Draws documents with PDFium, MuPDF and Poppler and compares them: judges that know nothing of the hub's own look."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2

from services.esign.revisions.domain.additions import Patch

# Pixels a point, as long as a page stays below so many pixels.
_SCALE = 3.0
_MOST_PIXELS = 2_500_000
# Pixels around a patch that its edges may colour.
_EDGE = 3
Picture = Any
Corners = tuple[float, float, float, float]
Drawn = tuple[Picture, Picture, Corners, int]
Reader = Callable[[bytes], list[Drawn]]


class NotDrawnError(Exception):
    """The renderer cannot draw the document."""


def by_pdfium(pdf: bytes) -> list[Drawn]:
    """Each page as it looks on the screen and in print, with what is shown of it (points) and its rotation."""
    found = []
    try:
        document = pypdfium2.PdfDocument(pdf)
        try:
            document.init_forms()
            for page in document:
                width, height = page.get_size()
                scale = min(_SCALE, (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
                pictures = [_picture(page, scale, mode) for mode in (None, "print")]
                found.append((pictures[0], pictures[1], page.get_bbox(), page.get_rotation()))
                page.close()
        finally:
            document.close()
    except (pypdfium2.PdfiumError, RuntimeError, ValueError) as cause:
        raise NotDrawnError(str(cause)) from cause
    return found


def _picture(page: Any, scale: float, mode: str | None) -> Picture:
    bitmap = page.render(scale=scale, optimize_mode=mode)
    try:
        return bitmap.to_numpy().copy()
    finally:
        bitmap.close()


def differs(before: bytes, after: bytes, patches: Sequence[Patch], read: Reader = by_pdfium) -> int:
    """The first page (from 1) that PDFium shows or prints otherwise outside the patches; 0 when there is none. Raises
    NotDrawnError when the earlier one cannot be drawn. `read`: who draws the earlier one, or remembers it.
    """
    old = read(before)
    try:
        new = by_pdfium(after)
    except NotDrawnError:
        return 1
    if len(old) != len(new):
        return max(len(old), len(new))
    for number, (one, other) in enumerate(zip(old, new, strict=True)):
        boxes = [patch.rectangle for patch in patches if patch.page == number]
        for at in (0, 1):
            if not _same(one[at], other[at], [_pixels(box, one[2], one[3], one[at].shape) for box in boxes]):
                return number + 1
    return 0


def _pixels(box: Corners, shown: Corners, rotation: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Where a rectangle is in a picture: left, top, right, bottom, wider by the edge."""
    left, bottom, right, top = shown
    # Shares of the page from its left and from its top.
    x = [(each - left) / (right - left) for each in (box[0], box[2])]
    y = [(top - each) / (top - bottom) for each in (box[1], box[3])]
    if rotation == 90:
        x, y = [1 - each for each in y], x
    elif rotation == 180:
        x, y = [1 - each for each in x], [1 - each for each in y]
    elif rotation == 270:
        x, y = y, [1 - each for each in x]
    height, width = shape[:2]
    return (
        max(0, int(min(x) * width) - _EDGE),
        max(0, int(min(y) * height) - _EDGE),
        max(0, int(max(x) * width) + 1 + _EDGE),
        max(0, int(max(y) * height) + 1 + _EDGE),
    )


def _same(old: Picture, new: Picture, boxes: Sequence[tuple[int, int, int, int]]) -> bool:
    if old.shape != new.shape:
        return False
    if not boxes or np.array_equal(old, new):
        return bool(np.array_equal(old, new))
    one, other = old.copy(), new.copy()
    for left, top, right, bottom in boxes:
        one[top:bottom, left:right] = other[top:bottom, left:right] = 0
    return bool(np.array_equal(one, other))


def _read_ppm(data: bytes) -> list[Picture]:
    """Pictures in the format PPM (P6), one after another."""
    found, at = [], 0
    while data[at : at + 2] == b"P6":
        parts = data[at : at + 64].split(None, 4)[:4]
        width, height, depth = (int(part) for part in parts[1:4])
        begin = (
            at + data[at : at + 64].index(parts[3], len(b"P6 ") + len(parts[1]) + len(parts[2]) + 1) + len(parts[3]) + 1
        )
        assert depth == 255
        end = begin + width * height * 3
        found.append(np.frombuffer(data[begin:end], np.uint8).reshape(height, width, 3))
        at = end
    return found


def _drawn_by(command: Sequence[str], pdf: bytes, directory: Path) -> list[Picture]:
    file = directory / "drawn.pdf"
    file.write_bytes(pdf)
    done = subprocess.run([*command, str(file)], capture_output=True, timeout=60, check=False)
    return _read_ppm(done.stdout)


OTHERS = {"MuPDF": ("mutool", "draw", "-q", "-r", "72", "-F", "ppm", "-o", "-"), "Poppler": ("pdftoppm", "-r", "72")}
"""Renderers with an own reader each, and how they are called."""


def differs_elsewhere(before: bytes, after: bytes, patches: Sequence[Patch], directory: Path) -> str:
    """Which of the other renderers shows another page outside the patches; empty when none does."""
    geometry = by_pdfium(before)
    for name, command in OTHERS.items():
        old, new = (_drawn_by(command, pdf, directory) for pdf in (before, after))
        if len(old) != len(new):
            return name
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            shown, rotation = geometry[number][2:]
            boxes = [_pixels(p.rectangle, shown, rotation, one.shape) for p in patches if p.page == number]
            if not _same(one, other, boxes):
                return name
    return ""
