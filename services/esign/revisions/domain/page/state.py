"""The graphics state of a content stream, as far as it decides where something is and whether all readers draw it
(ISO 32000-1, 8.4 and 9.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.esign.revisions.domain.additions import Colour
from services.esign.revisions.domain.page.font_widths import Font
from services.esign.revisions.domain.places import Matrix, Rectangle

IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)
# Points of the thinnest pen that every reader draws; half pens that a sharp corner may reach (8.4.3.5).
THINNEST_PEN, LIMIT = 0.2, 10.0
OF_INKS = 4
"""Numbers of a colour of DeviceCMYK."""


@dataclass(frozen=True, slots=True)
class State:
    """The part of the graphics state that decides where something is and whether all readers draw it."""

    clip: Rectangle
    ctm: Matrix = IDENTITY
    width: float = 1
    # Whether the colours are known, and whether they are those of paper.
    fill: bool = True
    stroke: bool = True
    is_fill_light: bool = False
    fill_colour: Colour | None = (0, 0, 0)
    is_stroke_light: bool = False
    rendering: int = 0
    is_dashed: bool = False
    fill_parts: int = 1
    stroke_parts: int = 1
    mixed: bool = False
    # Entries of graphics states by which colours are others than they say; each is taken back by itself alone.
    changed: frozenset[str] = frozenset()
    is_faded: bool = False
    # How many matrices make up this one: each rounds, for readers of single precision.
    moves: int = 0
    font: Font | None = None
    size: float = 0
    spacing: float = 0
    word: float = 0
    stretch: float = 1
    leading: float = 0
    rise: float = 0
    # Whether a form begins with what was set for the texts around it: for some readers nothing is.
    is_text_left: bool = False


def rgb_of(colour: Sequence[float]) -> Colour:
    """Shares of red, green and blue, of a colour of one, three or four numbers."""
    if len(colour) == OF_INKS:
        return (1 - colour[-1],) * 3
    red, green, blue = colour if len(colour) > 1 else (colour[0],) * 3
    return red, green, blue


def lightness(colour: Sequence[float]) -> float:
    """Share of light of a colour."""
    red, green, blue = rgb_of(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue
