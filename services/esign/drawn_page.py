"""Pages as they look, pixel by pixel: what is blank, what can be seen through, what is apart from what."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
# How much a colour channel (0 to 255) is off the ground's where there is ink, of each strength; which share of the ink
# of a sign, that many points wide and high, may be lost under a seal, and of what is around all of it be painted.
_SHADES = (12, 24, 48, 96)
_MOST_LOST = 0.2
_SIGN = 6.0
_FEWEST = 4
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

    def is_apart(self, box: Box, beside: Sequence[Box]) -> bool:
        """Whether a place is blank, and nothing near it is of a size that both would read as one, other signatures'
        places aside.
        """
        if not self.is_blank(box):
            return False
        start = box.top * self.stride + box.left * _BYTES_A_PIXEL
        page = self.filled(beside, self.pixels[start : start + _BYTES_A_PIXEL]) if beside else self
        least = max(_APART * self.scale, _APART_ON_PAGE * min(self.width, self.height), EDGE)
        if not page.is_blank(box.wider(math.ceil(least), self.width, self.height)):
            return False
        return not page.has_large_type_beside(box, least)

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

    def filled(self, boxes: Sequence[Box], colour: bytes) -> "DrawnPage":
        """The same with places in one colour."""
        pixels = bytearray(self.pixels)
        for box in boxes:
            for each in self.rows(box.wider(EDGE, self.width, self.height)):
                pixels[each] = colour * ((each.stop - each.start) // _BYTES_A_PIXEL)
        return DrawnPage(self.width, self.height, self.stride, bytes(pixels), self.scale)

    def is_blank(self, box: Box) -> bool:
        """Whether the place has one colour. A place without a pixel is none."""
        found = [self.pixels[each] for each in self.rows(box)]
        line = found[0][:_BYTES_A_PIXEL] * (box.right - box.left) if found else b""
        return bool(line) and all(each == line for each in found)

    def unlike(self, box: Box, colour: bytes, shade: int) -> int:
        """The pixels of a place that have another colour, one byte each."""
        place = b"".join(self.pixels[each] for each in self.rows(box))
        found = 0
        for channel, value in enumerate(colour):
            other = bytes(abs(each - value) > shade for each in range(256))
            found |= int.from_bytes(place[channel::_BYTES_A_PIXEL].translate(other), "big")
        return found

    def can_be_seen_through(self, box: Box, after: "DrawnPage", *, is_drawn: bool) -> bool:
        """Whether what the place showed can be seen still: a seal lies over a text, a white sheet hides it. A look that
        draws something, and is not seen here, may hide it elsewhere.
        """
        if not box.area or self.is_blank(box):
            return True
        place = b"".join(self.pixels[each] for each in self.rows(box))
        if is_drawn and place == b"".join(after.pixels[each] for each in self.rows(box)):
            return False
        step = _BYTES_A_PIXEL * max(1, box.area // _SAMPLES)
        ground = Counter(place[at : at + _BYTES_A_PIXEL] for at in range(0, len(place), step)).most_common(1)[0][0]
        shown = lost = 0
        for shade in _SHADES:
            # Ink may come half as near to the ground as it was.
            ink = self.unlike(box, ground, shade)
            shown, lost = shown | ink, lost | ink & ~after.unlike(box, ground, shade // 2)
        # A letter is read by what is around it: ink on ink hides it too.
        around = _widened(shown, box.right - box.left) & ~shown
        painted = (after.unlike(box, ground, _SHADES[-1]) & around).bit_count()
        return painted <= _MOST_PAINTED * around.bit_count() and not self._is_lost_somewhere(box, shown, lost)

    def _is_lost_somewhere(self, box: Box, shown: int, lost: int) -> bool:
        """Whether of any sign of what a place showed more is gone than can be."""
        width, side = box.right - box.left, max(_FEWEST, round(_SIGN * self.scale))
        ink, gone = (each.to_bytes(box.area, "big") for each in (shown, lost))
        for top in range(0, box.bottom - box.top, side):
            lines = [line * width for line in range(top, min(top + side, box.bottom - box.top))]
            for left in range(0, width, side):
                right = min(left + side, width)
                of_ink = sum(ink.count(1, line + left, line + right) for line in lines)
                if of_ink >= _FEWEST:
                    of_gone = sum(gone.count(1, line + left, line + right) for line in lines)
                    if of_gone > _MOST_LOST * of_ink:
                        return True
        return False

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


def _widened(pixels: int, width: int) -> int:
    """A set of pixels, a byte each in rows of `width`, and those up to six pixels around them."""
    for row in (1, width):
        for step in (1, 2, 3):
            pixels |= pixels << 8 * row * step | pixels >> 8 * row * step
    return pixels
