"""Places the signatures of a flow on its own document. Pure; millimetres from the lower left of an A4 page."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.esign.flows.domain.scenarios import Actor

POINTS_PER_MM = 72 / 25.4
# The prescribed diameter for seals of county and city organs (国发〔1999〕25 号) is 42 mm.
SEAL_MM = 42.0
_PERSON_MM = 16.0
_WIDTH_MM = 50.0
_COLUMNS = 3
_LEFT_MM, _BOTTOM_MM = 28.0, 28.0
# Between rows: the title of the row below stands there.
_GAP_MM = 8.0


@dataclass(frozen=True, slots=True)
class Place:
    """A signature's rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def points(self) -> tuple[float, float, float, float]:
        """Lower left and upper right corner, in points."""
        corners = (self.x, self.y, self.x + self.width, self.y + self.height)
        x1, y1, x2, y2 = (round(n * POINTS_PER_MM, 2) for n in corners)
        return (x1, y1, x2, y2)


def places(actors: Sequence[Actor]) -> list[Place]:
    """A place for each signer, row by row from the top, the last row at the foot of the page."""
    rows = [actors[at : at + _COLUMNS] for at in range(0, len(actors), _COLUMNS)]
    heights = [SEAL_MM if Actor.PLATFORM in row else _PERSON_MM for row in rows]
    found: list[list[Place]] = []
    y = _BOTTOM_MM
    for row, height in zip(reversed(rows), reversed(heights), strict=True):
        found.append([_place(column, y, height, actor) for column, actor in enumerate(row)])
        y += height + _GAP_MM
    return [place for row in reversed(found) for place in row]


def foot(made: Sequence[Place]) -> float:
    """Height from the page's lower margin to above the highest place's title."""
    return max(place.y + place.height for place in made) + _GAP_MM - 25.0


def _place(column: int, y: float, height: float, actor: Actor) -> Place:
    x = _LEFT_MM + column * (_WIDTH_MM + 2.0)
    if actor is Actor.PLATFORM:
        return Place(x + (_WIDTH_MM - SEAL_MM) / 2, y, SEAL_MM, SEAL_MM)
    return Place(x, y, _WIDTH_MM, min(height, _PERSON_MM))
