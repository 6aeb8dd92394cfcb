"""Pages as they look, pixel by pixel: what is blank, what can be seen through, what is apart from what."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.esign.revisions import page_marks, page_signs
from services.esign.revisions.page_signs import WHITE
from services.esign.revisions.pixels import Picture, changed, unlike, widened

# Pixels around a place that its edges may colour.
EDGE = 1
# Points around a new field that are blank too: nearer, what it shows would read as part of the page's text. On a large
# page, of which a screen shows less, a share of its shorter side.
_APART = 12.0
_APART_ON_PAGE = 0.02
# Ink differs from the paper by more than this in a colour channel (0 to 255); one step for each strength of ink.
_SHADES = (12, 24, 48, 96)
# A later look may take this share of a sign's ink, colour and outline.
_MOST_LOST = 0.1
# Levels of a colour channel from which on a pixel of a sign has another colour.
_ANOTHER = 48
_MOST_COLOURED = 0.5
_MOST_EDGES = 0.5
# It may paint this share of the pixels that are so near to ink.
_MOST_PAINTED = 0.5
_AROUND = 6
# Points beyond a button in which the frame around it may stand.
_FRAME = 3.0
# Points beyond a place in which its signs are followed.
REACH = 15.0


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


@dataclass(slots=True, eq=False)
class DrawnPage:
    """A page as it looks; `scale`: pixels a point."""

    pixels: Picture
    scale: float

    @property
    def width(self) -> int:
        return len(self.pixels[0])

    @property
    def height(self) -> int:
        return len(self.pixels)

    def looks_as(self, other: "DrawnPage", but_for: Sequence[Box] = ()) -> bool:
        """Tells whether another page has the same size and the same pixels outside of some places."""
        if self.pixels.shape != other.pixels.shape:
            return False
        different = changed(self.pixels, other.pixels)
        for box in but_for:
            different[box.top : box.bottom, box.left : box.right] = False
        return not different.any()

    def place(self, box: Box) -> Picture:
        return self.pixels[box.top : box.bottom, box.left : box.right]

    def is_apart(self, box: Box) -> bool:
        """Tells whether a place is blank, and nothing near it is of a size that both would read as one."""
        least = max(_APART * self.scale, _APART_ON_PAGE * min(self.width, self.height), EDGE)
        if not self.is_blank(box) or not self.is_blank(box.wider(math.ceil(least), self.width, self.height)):
            return False
        return self.is_alone(box)

    def is_alone(self, box: Box) -> bool:
        """Tells whether no sign is so near to a place that both read as one."""
        around = box.wider(math.ceil(page_signs.FARTHEST * self.scale), self.width, self.height)
        inner = _inside(box, around).edges
        return page_signs.is_apart(self.place(around), self._ground(box), self.scale, inner)

    def holds_signs(self, box: Box) -> bool:
        """Tells whether a place shows more than long thin lines."""
        around = self._within_reach(box)
        return page_signs.holds_signs(self.place(around), self._ground(around), self.scale, _inside(box, around).edges)

    def shows_signs(self, place: Box, boxes: Sequence[Box]) -> bool:
        """Tells whether in each of the boxes, which are in a place, something is that is no long thin line."""
        around = self._within_reach(place)
        inner = [_inside(box, around).edges for box in boxes]
        return page_signs.are_in_all(self.place(around), self._ground(around), self.scale, inner)

    def is_blank(self, box: Box) -> bool:
        """Tells whether the place has one colour. A place without a pixel is none."""
        return bool(box.area) and bool((self.place(box) == self._first(box)).all())

    def shows(self, box: Box, colour: tuple[float, float, float] | None) -> bool:
        """Tells whether a part of a place has more than one colour, or the one that it is painted in."""
        first = self._first(box)
        if not self.is_blank(box):
            return bool(unlike(self.place(box), first, _SHADES[0]).any())
        if colour is None:
            return False
        wanted = [255 * share for share in reversed(colour)]
        return all(abs(a - b) <= _SHADES[1] for a, b in zip(first.tolist(), wanted, strict=True))

    def is_paper(self, box: Box) -> bool:
        """Tells whether a place is blank, and no part of something dark that was printed."""
        if not self.is_blank(box):
            return False
        ground = self._first(box)
        return page_signs.is_light(ground) or bool((ground == self._ground(self._within_reach(box))).all())

    def can_be_seen_through(self, box: Box, after: "DrawnPage", *, is_drawn: bool) -> bool:
        """Tells whether what the place showed can be seen still: a seal lies over a text, a white sheet hides it. A
        look that draws something, and is not seen here, may hide it elsewhere.
        """
        if not box.area or self.is_paper(box):
            return True
        if is_drawn and (self.place(box) == after.place(box)).all():
            return False
        # Signs that reach beyond the place are looked at whole.
        whole = self._within_reach(box)
        was, now = self.place(whole), after.place(whole)
        if page_signs.are_edges_lost(was, now, _MOST_EDGES, self.scale):
            return False
        grounds = page_signs.grounds_of(was, self.scale)
        was, now = (page_signs.on_white(place, self.scale, grounds) for place in (was, now))
        shown = np.zeros(was.shape[:2], bool)
        for shade in _SHADES:
            # Ink may come half as near to the ground as it was.
            ink = unlike(was, WHITE, shade)
            if page_signs.is_one_lost(ink, ink & ~unlike(now, WHITE, shade // 2), _MOST_LOST, self.scale):
                return False
            shown |= ink
        return not (
            page_signs.is_one_lost(shown, shown & changed(was, now, _ANOTHER), _MOST_COLOURED, self.scale)
            or self._is_painted_around(box, after)
            or page_signs.is_one_made(was, now, self.scale)
        )

    def _is_painted_around(self, box: Box, after: "DrawnPage") -> bool:
        """Tells whether letters can be told no more from what is around them: ink on ink hides them, too."""
        was = self.place(box)
        grounds = page_signs.grounds_of(was, self.scale)
        was, now = (page_signs.on_white(each, self.scale, grounds) for each in (was, after.place(box)))
        shown = unlike(was, WHITE, _SHADES[0])
        around = widened(shown, _AROUND) & ~shown
        painted = np.count_nonzero(unlike(now, WHITE, _SHADES[-1]) & around)
        return bool(painted > _MOST_PAINTED * np.count_nonzero(around))

    def makes_another(self, box: Box, after: "DrawnPage", reach: float, *, is_seal: bool) -> bool:
        """Tells whether what came into a place goes on with a sign beside it: it is near, and where it is a seal looks
        like its ink. `reach`: points around the place in which signs are looked for.
        """
        whole = box.wider(math.ceil(reach * self.scale), self.width, self.height)
        was = self.place(whole)
        now = was.copy()
        # What came elsewhere is judged there.
        now[box.top - whole.top : box.bottom - whole.top, box.left - whole.left : box.right - whole.left] = after.place(
            box
        )
        # What is dark and broad is the strokes of large type to the one, and the ground of light print to the other.
        paper = page_signs.grounds_of(was, self.scale, has_broad_ink=True)
        one, other = (page_signs.on_white(each, self.scale, paper) for each in (was, now))
        if is_seal:
            # A seal has a colour of its own, on any ground.
            return page_signs.is_one_made(one, other, self.scale)
        if page_signs.goes_on(one, other, self.scale, self._shorter):
            return True
        ground = page_signs.grounds_of(was, self.scale)
        if (paper == ground).all():
            return False
        one, other = (page_signs.on_white(each, self.scale, ground) for each in (was, now))
        return page_signs.goes_on(one, other, self.scale, self._shorter)

    @property
    def _shorter(self) -> float:
        """Points of the shorter side."""
        return min(self.width, self.height) / self.scale

    def keeps(self, box: Box, after: "DrawnPage") -> bool:
        """Tells whether everything that a place showed is there still, rules included."""
        was, now = self.place(box), after.place(box)
        grounds = page_signs.grounds_of(was, self.scale)
        one, other = (page_signs.on_white(each, self.scale, grounds) for each in (was, now))
        return not page_signs.is_erased(one, other, self.scale)

    def has_a_mark_in_a_frame(self, box: Box, after: "DrawnPage") -> bool:
        """Tells whether what came to a place, or went, is one mark in a frame that the page or the place has."""
        whole = box.wider(math.ceil(_FRAME * self.scale), self.width, self.height)
        return page_marks.is_a_mark_in_a_frame(self.place(whole), after.place(whole), self._ground(whole))

    def ink(self, box: Box) -> int:
        """Pixels of a place that differ from the paper around it."""
        paper = self._ground(self._within_reach(box))
        return int(np.count_nonzero(unlike(self.place(box), paper, _SHADES[1])))

    def is_part_of(self, box: Box, after: "DrawnPage") -> bool:
        """Tells whether one of two pages shows all that the other one shows in a place: a tick comes or goes."""
        ground = self._ground(box)
        was, now = (unlike(page.place(box), ground, _SHADES[1]) for page in (self, after))
        return not (
            page_signs.is_one_lost(was, was & ~now, _MOST_LOST, self.scale)
            and page_signs.is_one_lost(now, now & ~was, _MOST_LOST, self.scale)
        )

    def _within_reach(self, box: Box) -> Box:
        return box.wider(round(REACH * self.scale), self.width, self.height)

    def _first(self, box: Box) -> Picture:
        """The colour of its first pixel."""
        found: Picture = self.pixels[box.top, box.left]
        return found

    def _ground(self, box: Box) -> Picture:
        """The colour that a place has most often."""
        return page_signs.most_frequent(self.place(box))


def _inside(box: Box, around: Box) -> Box:
    """A place in what is around it."""
    return box.moved(around.left, around.top, around.right - around.left, around.bottom - around.top)
