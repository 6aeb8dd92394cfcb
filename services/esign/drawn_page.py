"""Pages as they look, pixel by pixel: what is blank, what can be seen through, what is apart from what."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.esign import page_signs

# Pixels around a place that its edges may colour.
EDGE = 1
_BYTES_A_PIXEL = 3
# Points around a new field that are blank too: nearer, what it shows would read as part of the page's text. On a large
# page, of which a screen shows less, a share of its shorter side; beside large type, a share of its height.
_APART = 12.0
_APART_ON_PAGE = 0.02
_APART_FROM_TYPE = 0.6
_HIGHEST_TYPE = 0.3
# Points of a line's breadth up to which it is a rule, and no part of a sign.
_RULE = 2.0
# How much a colour channel (0 to 255) is off the ground's where there is ink, of each strength; which share of a sign's
# ink may be lost under a seal, or have its colour; which share of what is around all ink, so many pixels wide, may be
# painted. Signs reach so many points beyond a place.
_SHADES = (12, 24, 48, 96)
_MOST_LOST = 0.1
_MOST_COLOURED = 0.5
_MOST_EDGES = 0.5
_AROUND = 6
REACH = 15.0
_MOST_PAINTED = 0.5
# Pixels by which the ground of a place is found.
_SAMPLES = 10_000
_STRETCH = re.compile(rb"\x01+(?:\x00{1,3}\x01+)*")


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels, right and lower edge left out."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def edges(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom

    def moved(self, left: int, top: int, width: int, height: int) -> "Box":
        """In a part of the page that begins there, cut to it."""
        return Box(
            min(max(0, self.left - left), width),
            min(max(0, self.top - top), height),
            min(max(0, self.right - left), width),
            min(max(0, self.bottom - top), height),
        )

    def wider(self, by: int, width: int, height: int) -> "Box":
        return Box(
            max(0, self.left - by), max(0, self.top - by), min(width, self.right + by), min(height, self.bottom + by)
        )


@dataclass(slots=True)
class DrawnPage:
    """A page as it looks: rows of `stride` bytes, three bytes a pixel; `scale`: pixels a point."""

    width: int
    height: int
    stride: int
    pixels: bytes
    scale: float

    def rows(self, box: Box) -> Iterator[slice]:
        for row in range(box.top, box.bottom):
            start = row * self.stride
            yield slice(start + box.left * _BYTES_A_PIXEL, start + box.right * _BYTES_A_PIXEL)

    def is_apart(self, box: Box) -> bool:
        """Whether a place is blank, and nothing near it is of a size that both would read as one."""
        if not self.is_blank(box):
            return False
        least = max(_APART * self.scale, _APART_ON_PAGE * min(self.width, self.height), EDGE)
        if not self.is_blank(box.wider(math.ceil(least), self.width, self.height)):
            return False
        return not self.has_large_type_beside(box, least)

    def has_large_type_beside(self, box: Box, least: float) -> bool:
        """Whether left or right of a place a sign is nearer than a share of its own height, whatever the place's."""
        highest = _HIGHEST_TYPE * self.height
        around = Box(
            max(0, box.left - math.ceil(_APART_FROM_TYPE * highest)),
            max(0, box.top - math.ceil(highest)),
            min(self.width, box.right + math.ceil(_APART_FROM_TYPE * highest)),
            min(self.height, box.bottom + math.ceil(highest)),
        )
        start = box.top * self.stride + box.left * _BYTES_A_PIXEL
        ground = self.pixels[start : start + _BYTES_A_PIXEL]
        width = around.right - around.left
        ink = self.unlike(around, ground, _SHADES[0]).to_bytes(around.area, "big")
        rule = _RULE * self.scale
        for step, first, end in (
            (-1, box.left - 1 - around.left, -1),
            (1, box.right - around.left, width),
        ):
            wide, high = 0, 0
            for x in range(first, end, step):
                run = _run(ink[x::width], box.top - around.top, box.bottom - around.top)
                # Lines that run on are no type, and thin ones are rules.
                wide, high = (wide + 1, max(high, run)) if 0 < run <= highest else (0, 0)
                distance = abs(x - first) + 1 - wide
                if wide > rule and distance < _APART_FROM_TYPE * high and distance >= least:
                    return True
        return False

    def is_blank(self, box: Box) -> bool:
        """Whether the place has one colour. A place without a pixel is none."""
        found = [self.pixels[each] for each in self.rows(box)]
        line = found[0][:_BYTES_A_PIXEL] * (box.right - box.left) if found else b""
        return bool(line) and all(each == line for each in found)

    def unlike(self, box: Box, colour: bytes, shade: int) -> int:
        """The pixels of a place that have another colour, one byte each."""
        return page_signs.unlike(self.place(box), colour, shade)

    def can_be_seen_through(self, box: Box, after: "DrawnPage", texts: Sequence[Box] = (), *, is_drawn: bool) -> bool:
        """Whether what the place showed can be seen still: a seal lies over a text, a white sheet hides it. A look that
        draws something, and is not seen here, may hide it elsewhere; and so may its `texts`, which stand beside signs.
        """
        if not box.area or self.is_blank(box):
            return True
        if is_drawn and self.place(box) == after.place(box):
            return False
        ground = self._ground(box)
        # Signs that reach beyond the place are looked at whole.
        whole = box.wider(round(REACH * self.scale), self.width, self.height)
        shown = 0
        for shade in _SHADES:
            # Ink may come half as near to the ground as it was.
            ink = self.unlike(whole, ground, shade)
            if _is_sign_lost(ink, ink & ~after.unlike(whole, ground, shade // 2), whole, _MOST_LOST):
                return False
            shown |= ink
        was, now = self.place(whole), after.place(whole)
        width, height = whole.right - whole.left, whole.bottom - whole.top
        within = [each.moved(whole.left, whole.top, width, height).edges for each in texts]
        if page_signs.are_signs_by(within, was, ground, width, self.scale):
            return False
        if _is_sign_lost(shown, page_signs.made_other(was, now, shown), whole, _MOST_COLOURED):
            return False
        return not (
            self._is_painted_around(box, after, ground)
            or page_signs.are_edges_lost(was, now, width, _MOST_EDGES)
            or page_signs.is_one_made(was, now, ground, width, self.scale)
        )

    def _is_painted_around(self, box: Box, after: "DrawnPage", ground: bytes) -> bool:
        """Whether letters can be told no more from what is around them: ink on ink hides them, too."""
        shown = self.unlike(box, ground, _SHADES[0])
        around = _widened(shown, box.right - box.left, _AROUND) & ~shown
        painted = (after.unlike(box, ground, _SHADES[-1]) & around).bit_count()
        return painted > _MOST_PAINTED * around.bit_count()

    def is_part_of(self, box: Box, after: "DrawnPage") -> bool:
        """Whether in a place one of two pages shows all that the other one does: a tick comes or goes."""
        ground = self._ground(box)
        was, now = (page.unlike(box, ground, _SHADES[1]) for page in (self, after))
        return not (_is_sign_lost(was, was & ~now, box, _MOST_LOST) and _is_sign_lost(now, now & ~was, box, _MOST_LOST))

    def place(self, box: Box) -> bytes:
        """Its pixels, three bytes each."""
        return b"".join(self.pixels[each] for each in self.rows(box))

    def _ground(self, box: Box) -> bytes:
        place = self.place(box)
        step = _BYTES_A_PIXEL * max(1, box.area // _SAMPLES)
        return Counter(place[at : at + _BYTES_A_PIXEL] for at in range(0, len(place), step)).most_common(1)[0][0]

    def without(self, boxes: Sequence[Box]) -> bytes:
        if not boxes:
            return self.pixels
        left = bytearray(self.pixels)
        for box in boxes:
            for each in self.rows(box):
                left[each] = bytes(each.stop - each.start)
        return bytes(left)


def _run(column: bytes, top: int, bottom: int) -> int:
    """The longest stretch of ink in a column that meets the rows from `top` to `bottom`; small gaps do not part it."""
    found = (m.end() - m.start() for m in _STRETCH.finditer(column) if m.end() > top and m.start() < bottom)
    return max(found, default=0)


def _widened(pixels: int, width: int, by: int) -> int:
    """A set of pixels, a byte each in rows of `width`, and those up to so many pixels around them."""
    for row in (1, width):
        left, step = by, 1
        while left:
            step = min(step, left)
            pixels |= pixels << 8 * row * step | pixels >> 8 * row * step
            left, step = left - step, step + 1
    return pixels


def _is_sign_lost(ink: int, lost: int, box: Box, most: float) -> bool:
    return page_signs.is_one_lost(ink, lost, box.area, box.right - box.left, most)
