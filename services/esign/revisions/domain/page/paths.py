"""A path of a page's content while it is made: where it has lines and areas, and whether every reader draws them
(ISO 32000-1, 8.5).
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.esign.revisions.domain import places
from services.esign.revisions.domain.page.streams import UnclearError
from services.esign.revisions.domain.places import Matrix, Rectangle

# Points; farther corners are moved by readers that keep to small numbers of pixels.
_FARTHEST = 4000.0
# Points of what is thin, and between two places of a line.
_THINNEST, _SHORTEST = 0.2, 0.05
# Operators of one path, and points of all its lines, for which every reader has room.
_MOST_PIECES, _LONGEST = 1000, 100_000.0
# Points of the shortest dash, and how much longer the gap behind it may be.
_SHORTEST_DASH, _LONGEST_GAP = 0.5, 4
# Corners of a box, the first one twice.
_MOST_CORNERS = 5
# Of a corner that turns back, and how sharp one of an area may be; parts of one area that are compared.
_SHARPEST, _SHARPEST_AREA, _MOST_PARTS = 1e-6, 30.0, 100
_BEGINNINGS, _CURVES = frozenset({b"m", b"re"}), frozenset({b"c", b"v", b"y"})
Corner = tuple[float, float]


@dataclass(slots=True)
class Path:
    """`box`: around all its corners, None while it has none; `lines`: around each of its lines; `clips`: it cuts off
    what comes later.
    """

    box: Rectangle | None = None
    lines: list[Rectangle] = field(default_factory=list)
    clips: bool = False
    _areas: list[Rectangle] = field(default_factory=list)
    # The corners of each part, those of curves too.
    _corners: list[list[Corner]] = field(default_factory=list)
    _pieces: int = 0
    _length: float = 0
    _begun: Corner = (0, 0)
    _at: Corner = (0, 0)
    _has_length: bool = True
    _has_points: bool = False
    _is_rectangle: bool = True
    _has_curve: bool = False
    # By how many half pens its corners reach beyond their place, and the directions of its first line and its last.
    _sharpest: float = 1.0
    _first: Corner | None = None
    _last: Corner | None = None

    def extend(self, operator: bytes, numbers: list[float], ctm: Matrix) -> None:
        """Raises UnclearError."""
        if self.box is None and operator not in _BEGINNINGS:
            raise UnclearError
        self._pieces += 1
        self._is_rectangle = self._is_rectangle and operator == b"re"
        self._has_curve = self._has_curve or operator in _CURVES
        if operator == b"re":
            x, y, width, height = numbers
            numbers = [x, y, x + width, y, x + width, y + height, x, y + height, x, y]
        corners = [places.at(ctm, *numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
        if not all(abs(x) <= _FARTHEST and abs(y) <= _FARTHEST for x, y in corners):
            raise UnclearError
        if operator in _BEGINNINGS:
            self._has_points, self._has_length = self.has_points, False
            self._begun = self._at = corners[0]
            self._first = self._last = None
            self._areas.append(places.around(corners))
            self._corners.append([])
        if operator == b"re":
            for corner in corners[1:]:
                self._line([corner])
            self._turn(self._first)
        elif operator == b"h":
            self._line([self._begun])
            self._turn(self._first)
        elif operator != b"m":
            self._line(corners)
        if corners:
            self._corners[-1] += corners
            self.box = places.around(corners if self.box is None else [*corners, self.box[:2], self.box[2:]])
            last = self._areas[-1]
            self._areas[-1] = places.around([*corners, last[:2], last[2:]])

    def _line(self, corners: list[Corner]) -> None:
        """To the last of the corners; the others are those of a curve."""
        line = places.around([self._at, *corners])
        self.lines.append(line)
        self._length += sum(places.size(line))
        if max(places.size(line)) > _SHORTEST:
            self._has_length = True
        way = [self._at, *corners]
        steps = [(x - a, y - b) for (a, b), (x, y) in itertools.pairwise(way) if (x, y) != (a, b)]
        if steps:
            self._turn(steps[0])
            self._first, self._last = self._first or steps[0], steps[-1]
        self._at = corners[-1]

    def _turn(self, ahead: Corner | None) -> None:
        """A corner between the last line and one that goes on in a direction."""
        if self._last is None or ahead is None:
            return
        straight = math.hypot(*self._last) * math.hypot(*ahead)
        cosine = (self._last[0] * ahead[0] + self._last[1] * ahead[1]) / straight
        # The miter's length, in pens (8.4.3.5); of the angle between the lines, not of the turn.
        self._sharpest = max(self._sharpest, 1 / math.sqrt(max((1 + cosine) / 2, _SHARPEST)))

    def sharpness(self, limit: float) -> float:
        """By how many half pens its corners reach beyond their place, where the miter limit is at most `limit`."""
        return min(self._sharpest, limit)

    def areas(self) -> Iterator[Rectangle]:
        """Around each of its parts."""
        yield from self._areas

    @property
    def has_points(self) -> bool:
        """Tells whether a part has no length: of its stroke some readers draw the pen's ends alone, and some
        nothing.
        """
        return self._has_points or not self._has_length

    @property
    def is_box(self) -> bool:
        """Tells whether it is one upright box of some breadth, by which every reader cuts alike."""
        upright = all(min(places.size(line)) <= _SHORTEST for line in self.lines)
        return self._is_rectangle and self._pieces == 1 and upright and min(places.size(self._areas[0])) >= _THINNEST

    @property
    def is_long(self) -> bool:
        """Tells whether a reader may run out of room for it."""
        return self._pieces > _MOST_PIECES or self._length > _LONGEST

    def is_thin(self, *, fills: bool, is_light: bool, pen: float) -> bool:
        """Tells whether an area, or the pen (points; 0: none, or the thinnest there is), is thinner than some draw, or
        areas are in each other's way; that does no harm where it `is_light`.
        """
        is_unclear = any(map(_is_sliver, self._corners)) or (not is_light and (self._has_spur or self._overlaps))
        return (fills and is_unclear) or 0 < pen < _THINNEST

    @property
    def _has_spur(self) -> bool:
        """Tells whether a line turns back nearly upon itself."""
        return self._sharpest > _SHARPEST_AREA

    @property
    def _overlaps(self) -> bool:
        """Tells whether two parts may have something in common: what is left of both depends on how they are wound."""
        if len(self._areas) > _MOST_PARTS:
            return True
        return any(
            min(places.size(places.within(one, other))) > _SHORTEST and not self._is_frame(at, to)
            for (at, one), (to, other) in itertools.combinations(enumerate(self._areas), 2)
        )

    def _is_frame(self, one: int, other: int) -> bool:
        """Tells whether two parts are upright boxes, one well within the other: what is left is a frame, or the
        whole.
        """
        boxes = (self._areas[one], self._areas[other])
        corners = (self._corners[one], self._corners[other])
        if self._has_curve or not all(map(_is_upright, corners, boxes)):
            return False
        return any(places.is_in(places.wider(a, _THINNEST), b) for a, b in itertools.permutations(boxes))


def _is_sliver(corners: list[Corner]) -> bool:
    """Tells whether an area is thinner, over its length, than some draw."""
    length = max(math.hypot(x - corners[0][0], y - corners[0][1]) for x, y in corners)
    return _content(corners) < _THINNEST * length or min(places.size(places.around(corners))) < _THINNEST


def _is_upright(corners: list[Corner], box: Rectangle) -> bool:
    """Tells whether straight lines from corner to corner are a box, once around."""
    width, height = places.size(box)
    return len(corners) <= _MOST_CORNERS and abs(_content(corners) - width * height) < _SHORTEST


def _content(corners: list[Corner]) -> float:
    """Square points that are between straight lines from corner to corner."""
    around = [*corners, corners[0]]
    return abs(sum(x * b - a * y for (x, y), (a, b) in itertools.pairwise(around))) / 2


def is_usual_dash(dashes: list[float], phase: float) -> bool:
    """Tells whether a line is whole, or every reader dashes it alike."""
    if len(dashes) < 2:
        return phase == 0 and (not dashes or dashes[0] >= _SHORTEST_DASH)
    on, off, *more = dashes
    return not more and on >= max(_SHORTEST_DASH, off / _LONGEST_GAP) and phase < on + off
