"""A path of a page's content while it is made: what it goes around, and whether every reader draws it (ISO 32000-1,
8.5).
"""

from dataclasses import dataclass

from services.esign.revisions.domain import places
from services.esign.revisions.domain.page.streams import UnclearError
from services.esign.revisions.domain.places import Matrix, Rectangle

# Points; farther corners are moved by readers that keep to small numbers of pixels.
_FARTHEST = 4000.0
# Points of what is thin, and between two places of a line.
_THINNEST, _SHORTEST = 0.2, 0.05
# Points of the shortest dash, and how much longer the gap behind it may be.
_SHORTEST_DASH, _LONGEST_GAP = 0.5, 4
_BEGINNINGS = frozenset({b"m", b"re"})


@dataclass(slots=True)
class Path:
    """`box`: around all its corners, None while it has none."""

    box: Rectangle | None = None
    clips: bool = False
    # Points, of its rectangles.
    _thinnest: float = _FARTHEST
    # Where its last part begins, whether that has a length, and whether one before has none.
    _begun: tuple[float, float] = (0, 0)
    _has_length: bool = True
    _has_points: bool = False

    def extend(self, operator: bytes, numbers: list[float], ctm: Matrix) -> None:
        """Raises UnclearError."""
        if self.box is None and operator not in _BEGINNINGS:
            raise UnclearError
        if operator == b"re":
            x, y, width, height = numbers
            self._thinnest = min(self._thinnest, min(abs(width), abs(height)) * places.least(ctm))
            numbers = [x, y, x + width, y, x, y + height, x + width, y + height]
        corners = [places.at(ctm, *numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
        if not all(abs(x) <= _FARTHEST and abs(y) <= _FARTHEST for x, y in corners):
            raise UnclearError
        if operator in _BEGINNINGS:
            self._has_points, self._has_length = self.has_points, False
            self._begun = corners[0]
        x, y = self._begun
        if any(max(abs(corner[0] - x), abs(corner[1] - y)) > _SHORTEST for corner in corners):
            self._has_length = True
        if corners:
            self.box = places.around(corners if self.box is None else [*corners, self.box[:2], self.box[2:]])

    @property
    def has_points(self) -> bool:
        """Whether a part has no length: of its stroke some readers draw the pen's ends alone, and some nothing."""
        return self._has_points or not self._has_length

    def is_thin(self, *, fills: bool, pen: float) -> bool:
        """Whether an area, or the pen (points; 0: none, or the thinnest there is), is thinner than some draw."""
        return (fills and self._thinnest < _THINNEST) or 0 < pen < _THINNEST


def is_usual_dash(dashes: list[float], phase: float) -> bool:
    """Whether a line is whole, or every reader dashes it alike."""
    if len(dashes) < 2:
        return phase == 0 and (not dashes or dashes[0] >= _SHORTEST_DASH)
    on, off, *more = dashes
    return not more and on >= max(_SHORTEST_DASH, off / _LONGEST_GAP) and phase < on + off
