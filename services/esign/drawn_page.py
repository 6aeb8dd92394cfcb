"""Pages as they look, pixel by pixel: what is blank, what can be seen through, what is apart from what."""

import math
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
# How much a colour channel (0 to 255) may be off and count as the same colour, and which share of what a place showed
# may be lost under a seal, and of what is around it be painted.
_SHADE = 48
_MOST_LOST = 0.02
_MOST_PAINTED = 0.5
# Pixels by which the ground of a place is found.
_SAMPLES = 10_000


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
        distance = least
        while distance < _APART_FROM_TYPE * (box.bottom - box.top):
            distance = min(distance * 1.5, _APART_FROM_TYPE * (box.bottom - box.top))
            if page.type_beside(box, math.ceil(distance)) * _APART_FROM_TYPE > distance:
                return False
        return True

    def type_beside(self, box: Box, distance: int) -> int:
        """The height in pixels of the largest sign that begins within that distance left or right of a place; lines
        that run past the place are none.
        """
        largest = 0
        for left, right in ((box.left - distance, box.left), (box.right, box.right + distance)):
            band = Box(max(0, left), box.top, min(self.width, right), box.bottom)
            if band.right <= band.left:
                continue
            columns = [self._column(x, band) for x in range(band.left, band.right)]
            inked = [any(ink) for ink in zip(*(c for c in columns if not all(c)), strict=True)]
            run = 0
            for each in inked:
                run = run + 1 if each else 0
                largest = max(largest, run)
        return largest

    def _column(self, x: int, band: Box) -> list[bool]:
        """Where a column of pixels is not of the ground's colour, that of the band's first pixel next to the place."""
        at = range(band.top * self.stride + x * _BYTES_A_PIXEL, band.bottom * self.stride, self.stride)
        colours = [self.pixels[each : each + _BYTES_A_PIXEL] for each in at]
        ground = Counter(colours).most_common(1)[0][0]
        return [colour != ground for colour in colours]

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

    def unlike(self, box: Box, colour: bytes) -> int:
        """The pixels of a place that have another colour, one bit each."""
        place = b"".join(self.pixels[each] for each in self.rows(box))
        found = 0
        for channel, value in enumerate(colour):
            other = bytes(abs(shade - value) > _SHADE for shade in range(256))
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
        shown, seen = self.unlike(box, ground), after.unlike(box, ground)
        # A letter is read by what is around it: ink on ink hides it too.
        around = _widened(shown, box.right - box.left) & ~shown
        lost, painted = (shown & ~seen).bit_count(), (seen & around).bit_count()
        return lost <= _MOST_LOST * shown.bit_count() and painted <= _MOST_PAINTED * around.bit_count()

    def without(self, boxes: Sequence[Box]) -> bytes:
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
