"""Reads what the strings of a look say to a person: signs that everybody sees, one behind the other."""

from dataclasses import dataclass
from typing import Any

from services.esign.revisions.domain import places
from services.esign.revisions.domain.page.state import State
from services.esign.revisions.domain.page.streams import UnclearError
from services.esign.revisions.domain.places import Matrix, Rectangle

# Ems by which signs may be nearer to each other than they are broad, or off their line; from which on it is the next.
_KERNED, _LEVEL, _NEXT_LINE = 0.1, 0.1, 0.7
# Share by which sizes of one text differ at most, and points of the smallest.
_ONE_SIZE, _SMALLEST = 0.1, 4.0
# Ems between two strings from which on people see a blank.
_BLANK = 0.2


@dataclass(slots=True)
class Reading:
    """Collects strings; `words`: what was said so far, with a blank where people see room, and a new line where a line
    ends.
    """

    words: str = ""
    _behind: tuple[float, float] | None = None
    _size: float = 0.0

    def add(self, letters: str, state: State, placed: Matrix, ends: tuple[float, float], box: Rectangle) -> None:
        """A string that goes from one end to the other along its line, and what it takes of the form. Raises
        UnclearError for what is not to be seen, or in another order.
        """
        if letters.strip():
            start, behind = (places.at(placed, x, state.rise) for x in ends)
            em = state.size * placed[3]
            is_seen = state.rendering == 0 and not state.is_fill_light and places.is_in(box, state.clip)
            self._size = self._size or em
            is_of_one_size = em >= _SMALLEST and abs(em - self._size) <= _ONE_SIZE * self._size
            if not (is_seen and is_of_one_size and _is_straight(state, placed)):
                raise UnclearError
            self.words += self._between(start, em)
            self._behind = behind
        self.words += letters

    def _between(self, start: tuple[float, float], em: float) -> str:
        """Finds what is between the last string and one behind it, or on a line below. Raises UnclearError."""
        if self._behind is None:
            return ""
        (x, y), (left, line) = start, self._behind
        if y <= line - _NEXT_LINE * em:
            return "\n"
        if abs(y - line) > _LEVEL * em or x < left - _KERNED * em:
            raise UnclearError
        return " " if x > left + _BLANK * em else ""


def _is_straight(state: State, placed: Matrix) -> bool:
    """Tells whether signs stand upright and go from left to right, none over the one before."""
    a, b, _, d = placed[:4]
    return (
        min(a, d, state.size, state.stretch) > 0
        and abs(b) <= places.SLANT * a
        and min(state.spacing, state.word) >= -_KERNED * state.size
    )


def is_read_along(matrix: Any) -> bool:
    """Tells whether signs under a form's matrix are read in the same order: not mirrored, and not upside down, where a
    six is a nine.
    """
    if not places.is_matrix(matrix):
        return False
    a, b, c, d = matrix[:4]
    return bool(a * d - b * c > 0 and a >= 0)
