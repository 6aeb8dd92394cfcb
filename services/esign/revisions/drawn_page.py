"""Pages as they look, pixel by pixel: what is blank, what can be seen through, what is apart from what."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.esign.revisions import page_signs

# Pixels around a place that its edges may colour.
EDGE = 1
_BYTES_A_PIXEL = 3
_WHITE = b"\xff" * _BYTES_A_PIXEL
# Points around a new field that are blank too: nearer, what it shows would read as part of the page's text. On a large
# page, of which a screen shows less, a share of its shorter side.
_APART = 12.0
_APART_ON_PAGE = 0.02
# Ink differs from the paper by more than this in a colour channel (0 to 255); one step for each strength of ink.
_SHADES = (12, 24, 48, 96)
# A later look may take this share of a sign's ink, colour and outline.
_MOST_LOST = 0.1
_MOST_COLOURED = 0.5
_MOST_EDGES = 0.5
# It may paint this share of the pixels that are so near to ink.
_MOST_PAINTED = 0.5
_AROUND = 6
# Points beyond a place in which its signs are followed.
REACH = 15.0
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

    @property
    def edges(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom

    def within(self, other: "Box") -> "Box":
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(left, top, max(left, min(self.right, other.right)), max(top, min(self.bottom, other.bottom)))

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
        """Tells whether a place is blank, and nothing near it is of a size that both would read as one."""
        least = max(_APART * self.scale, _APART_ON_PAGE * min(self.width, self.height), EDGE)
        if not self.is_blank(box) or not self.is_blank(box.wider(math.ceil(least), self.width, self.height)):
            return False
        return self.is_alone(box)

    def is_alone(self, box: Box) -> bool:
        """Tells whether no sign is so near to a blank place that both read as one."""
        around = box.wider(math.ceil(page_signs.FARTHEST * self.scale), self.width, self.height)
        inner, width, _ = self._inside(box, around)
        ground = self.pixels[box.top * self.stride + box.left * _BYTES_A_PIXEL :][:_BYTES_A_PIXEL]
        return page_signs.is_apart(self.place(around), ground, width, self.scale, inner)

    def holds_signs(self, box: Box) -> bool:
        """Tells whether a place shows more than long thin lines."""
        around = box.wider(round(REACH * self.scale), self.width, self.height)
        inner, width, _ = self._inside(box, around)
        return page_signs.holds_signs(self.place(around), self._ground(around), width, self.scale, inner)

    def shows_signs(self, place: Box, boxes: Sequence[Box]) -> bool:
        """Tells whether in each of the boxes, which are in a place, something is that is no long thin line."""
        around = place.wider(round(REACH * self.scale), self.width, self.height)
        _, width, height = self._inside(place, around)
        inner = [box.moved(around.left, around.top, width, height).edges for box in boxes]
        return page_signs.are_in_all(self.place(around), self._ground(around), width, self.scale, inner)

    def _inside(self, box: Box, around: Box) -> tuple[tuple[int, int, int, int], int, int]:
        """A place in what is around it, and the size of that."""
        width, height = around.right - around.left, around.bottom - around.top
        return box.moved(around.left, around.top, width, height).edges, width, height

    def is_blank(self, box: Box) -> bool:
        """Tells whether the place has one colour. A place without a pixel is none."""
        found = [self.pixels[each] for each in self.rows(box)]
        line = found[0][:_BYTES_A_PIXEL] * (box.right - box.left) if found else b""
        return bool(line) and all(each == line for each in found)

    def shows(self, box: Box, colour: tuple[float, float, float] | None) -> bool:
        """Tells whether a part of a place has more than one colour, or the one that it is painted in."""
        if not self.is_blank(box):
            place = self.place(box)
            return page_signs.unlike(place, place[:_BYTES_A_PIXEL], _SHADES[0]) != 0
        pixel = self.pixels[box.top * self.stride + box.left * _BYTES_A_PIXEL :][:_BYTES_A_PIXEL]
        wanted = None if colour is None else [255 * share for share in reversed(colour)]
        return wanted is not None and all(abs(a - b) <= _SHADES[1] for a, b in zip(pixel, wanted, strict=True))

    def is_paper(self, box: Box) -> bool:
        """Tells whether a place is blank, and no part of something dark that was printed."""
        if not self.is_blank(box):
            return False
        ground = self.pixels[box.top * self.stride + box.left * _BYTES_A_PIXEL :][:_BYTES_A_PIXEL]
        around = box.wider(round(REACH * self.scale), self.width, self.height)
        return page_signs.is_light(ground) or ground == self._ground(around)

    def can_be_seen_through(self, box: Box, after: "DrawnPage", *, is_drawn: bool) -> bool:
        """Tells whether what the place showed can be seen still: a seal lies over a text, a white sheet hides it. A
        look that draws something, and is not seen here, may hide it elsewhere.
        """
        if not box.area or self.is_paper(box):
            return True
        if is_drawn and self.place(box) == after.place(box):
            return False
        # Signs that reach beyond the place are looked at whole.
        whole = box.wider(round(REACH * self.scale), self.width, self.height)
        width = whole.right - whole.left
        was, now = self.place(whole), after.place(whole)
        if page_signs.are_edges_lost(was, now, width, _MOST_EDGES):
            return False
        grounds = page_signs.grounds_of(was, width, self.scale)
        was, now = (page_signs.on_white(place, width, self.scale, grounds) for place in (was, now))
        shown = 0
        for shade in _SHADES:
            # Ink may come half as near to the ground as it was.
            ink = page_signs.unlike(was, _WHITE, shade)
            lost = ink & ~page_signs.unlike(now, _WHITE, shade // 2)
            if page_signs.is_one_lost(ink, lost, whole.area, width, _MOST_LOST):
                return False
            shown |= ink
        coloured = page_signs.made_other(was, now, shown)
        return not (
            page_signs.is_one_lost(shown, coloured, whole.area, width, _MOST_COLOURED)
            or self._is_painted_around(box, after)
            or page_signs.is_one_made(was, now, width, self.scale)
        )

    def _is_painted_around(self, box: Box, after: "DrawnPage") -> bool:
        """Tells whether letters can be told no more from what is around them: ink on ink hides them, too."""
        width, was = box.right - box.left, self.place(box)
        grounds = page_signs.grounds_of(was, width, self.scale)
        was, now = (page_signs.on_white(each, width, self.scale, grounds) for each in (was, after.place(box)))
        shown = page_signs.unlike(was, _WHITE, _SHADES[0])
        around = _widened(shown, width, _AROUND) & ~shown
        painted = (page_signs.unlike(now, _WHITE, _SHADES[-1]) & around).bit_count()
        return painted > _MOST_PAINTED * around.bit_count()

    def makes_another(self, box: Box, after: "DrawnPage", reach: float) -> bool:
        """Tells whether what came into a blank place goes on with a sign beside it: it looks like its ink, and is near.
        `reach`: points around the place in which signs are looked for.
        """
        whole = box.wider(math.ceil(reach * self.scale), self.width, self.height)
        width, was = whole.right - whole.left, self.place(whole)
        now = bytearray(was)
        # What came elsewhere is judged there.
        for row, line in zip(range(box.top, box.bottom), after.rows(box), strict=True):
            at = ((row - whole.top) * width + box.left - whole.left) * _BYTES_A_PIXEL
            now[at : at + line.stop - line.start] = after.pixels[line]
        grounds = page_signs.grounds_of(was, width, self.scale, has_broad_ink=True)
        was, came = (page_signs.on_white(each, width, self.scale, grounds) for each in (was, bytes(now)))
        return page_signs.is_one_made(was, came, width, self.scale)

    def is_part_of(self, box: Box, after: "DrawnPage") -> bool:
        """Tells whether one of two pages shows all that the other one shows in a place: a tick comes or goes."""
        ground, width = self._ground(box), box.right - box.left
        was, now = (page_signs.unlike(page.place(box), ground, _SHADES[1]) for page in (self, after))
        return not (
            page_signs.is_one_lost(was, was & ~now, box.area, width, _MOST_LOST)
            and page_signs.is_one_lost(now, now & ~was, box.area, width, _MOST_LOST)
        )

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


def _widened(pixels: int, width: int, by: int) -> int:
    """A set of pixels, a byte each in rows of `width`, and those up to so many pixels around them."""
    for row in (1, width):
        left, step = by, 1
        while left:
            step = min(step, left)
            pixels |= pixels << 8 * row * step | pixels >> 8 * row * step
            left, step = left - step, step + 1
    return pixels
