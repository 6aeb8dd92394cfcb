"""A path of a page's content while it is made: where it has lines and areas, and whether every reader draws them
(ISO 32000-1, 8.5).
"""

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
_BEGINNINGS = frozenset({b"m", b"re"})
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
    _pieces: int = 0
    _length: float = 0
    _begun: Corner = (0, 0)
    _at: Corner = (0, 0)
    _has_length: bool = True
    _has_points: bool = False
    _is_rectangle: bool = True

    def extend(self, operator: bytes, numbers: list[float], ctm: Matrix) -> None:
        """Raises UnclearError."""
        if self.box is None and operator not in _BEGINNINGS:
            raise UnclearError
        self._pieces += 1
        self._is_rectangle = self._is_rectangle and operator == b"re"
        if operator == b"re":
            x, y, width, height = numbers
            numbers = [x, y, x + width, y, x + width, y + height, x, y + height, x, y]
        corners = [places.at(ctm, *numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
        if not all(abs(x) <= _FARTHEST and abs(y) <= _FARTHEST for x, y in corners):
            raise UnclearError
        if operator in _BEGINNINGS:
            self._has_points, self._has_length = self.has_points, False
            self._begun = self._at = corners[0]
            self._areas.append(places.around(corners))
        if operator == b"re":
            for corner in corners[1:]:
                self._line([corner])
        elif operator == b"h":
            self._line([self._begun])
        elif operator != b"m":
            self._line(corners)
        if corners:
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
        self._at = corners[-1]

    def areas(self) -> Iterator[Rectangle]:
        """Around each of its parts."""
        yield from self._areas

    @property
    def has_points(self) -> bool:
        """Whether a part has no length: of its stroke some readers draw the pen's ends alone, and some nothing."""
        return self._has_points or not self._has_length

    @property
    def is_box(self) -> bool:
        """Whether it is one upright box of some breadth, by which every reader cuts alike."""
        upright = all(min(places.size(line)) <= _SHORTEST for line in self.lines)
        return self._is_rectangle and self._pieces == 1 and upright and min(places.size(self._areas[0])) >= _THINNEST

    @property
    def is_long(self) -> bool:
        """Whether a reader may run out of room for it."""
        return self._pieces > _MOST_PIECES or self._length > _LONGEST

    def is_thin(self, *, fills: bool, pen: float) -> bool:
        """Whether an area, or the pen (points; 0: none, or the thinnest there is), is thinner than some draw."""
        return (fills and any(min(places.size(area)) < _THINNEST for area in self._areas)) or 0 < pen < _THINNEST


def is_usual_dash(dashes: list[float], phase: float) -> bool:
    """Whether a line is whole, or every reader dashes it alike."""
    if len(dashes) < 2:
        return phase == 0 and (not dashes or dashes[0] >= _SHORTEST_DASH)
    on, off, *more = dashes
    return not more and on >= max(_SHORTEST_DASH, off / _LONGEST_GAP) and phase < on + off
