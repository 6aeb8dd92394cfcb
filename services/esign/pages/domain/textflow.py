"""Chinese running text in lines, as the layout engine sets it: the same breaks, spaces and places of every glyph.

Only what official documents are written in: Han characters, ASCII letters and digits, and full-width punctuation, in
one size, justified, lines broken at the last place that fits. Everything else is left to the engine (`set_lines`
returns None). Rules: Unicode UAX #14 for where a line may break (禁则); clreq 3.1.6 and 3.2.2 for punctuation that
closes up and for the quarter em between Han and Latin characters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

# Ink on the left, space on the right, and the other way round: the space may go.
_CLOSING = frozenset("，。、；：！？）》〉」』】〕")
_OPENING = frozenset("（《〈「『【〔")
# Between the parts of a name (间隔号).
_DOT = "·"
_LATIN = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_HAN = (
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2A6DF), (0x2A700, 0x2EBE0), (0x2EBF0, 0x2EE5D)),
    *((0x30000, 0x3134A), (0x31350, 0x323AF), (0x3007, 0x3007)),
)
# Neighbours whose spaces are not worth a rule.
_RARE = frozenset({"MC", "MO", "CM", "OM", "MM"})
_KINDS = "HLCOM"
_OTHER = "?"
# Han and punctuation stand in squares.
_SQUARE = "HCO"
# No line ends between these: before closing punctuation, after opening, inside of Latin; a dot counts as Latin.
_TIED = frozenset(f"{a}{b}" for a in _KINDS for b in _KINDS if a == "O" or b == "C" or {a, b} <= {"L", "M"})
# No line grows between these: inside of Latin, nor before its punctuation.
_FIRM = frozenset(f"L{b}" for b in _KINDS if b != "H")
# In thousandths of the em.
_EM, _HALF, _QUARTER = 1000, 500, 250
_BEHIND = {"HL": _QUARTER, "CC": -_HALF, "CO": -_HALF}
_BEFORE = {"LH": _QUARTER, "OO": -_HALF}
# The engine's own tolerance, in points.
_FITS = 1e-6


@dataclass(frozen=True, slots=True)
class Column:
    """The place of paragraphs: left edge and width, indent of first lines, size of the text, all in points."""

    left: float
    width: float
    indent: float
    size: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line: where it begins (points from the left), its glyphs, and what is added behind each, in thousandths of the
    em.
    """

    left: float
    glyphs: tuple[int, ...]
    behind: tuple[float, ...]


def is_han(character: str) -> bool:
    point = ord(character)
    return any(first <= point <= last for first, last in _HAN)


def advance_of(text: str, glyphs: Mapping[int, int], advances: Sequence[int]) -> int:
    """Length of a text in one line, in thousandths of the em. Raises KeyError for a character without a glyph."""
    return sum(advances[glyphs[ord(c)]] for c in text)


def set_lines(text: str, column: Column, glyphs: Mapping[int, int], advances: Sequence[int]) -> list[Line] | None:
    """The lines of one paragraph; None when it holds something that is not for this. Raises KeyError for a character
    without a glyph.
    """
    kinds = "".join(map(_kind, text))
    pairs = [f"{a}{b}" for a, b in pairwise(kinds)]
    if _OTHER in kinds or "OOO" in kinds or not _RARE.isdisjoint(pairs):
        return None
    numbers = [glyphs[ord(c)] for c in text]
    natural = [advances[number] for number in numbers]
    if any(width != _EM for kind, width in zip(kinds, natural, strict=True) if kind in _SQUARE):
        return None
    paragraph = _Paragraph(kinds, pairs, numbers, natural, *_spaces(pairs))
    lines: list[Line] = []
    start = 0
    while start < len(text):
        left = column.indent if not lines else 0.0
        end = paragraph.end_of_line(start, (column.width - left + _FITS) / column.size * _EM)
        if end is None:
            return None
        lines.append(paragraph.line(start, end, column, left))
        start = end
    return lines


@cache
def _kind(character: str) -> str:
    if character in _LATIN:
        return "L"
    if character in _CLOSING:
        return "C"
    if character in _OPENING:
        return "O"
    if character == _DOT:
        return "M"
    return "H" if is_han(character) else _OTHER


def _spaces(pairs: Sequence[str]) -> tuple[list[int], list[int]]:
    """Space added before and behind each character for its neighbours, in thousandths of the em."""
    before = [_BEFORE.get(pair, 0) for pair in pairs]
    behind = [_BEHIND.get(pair, 0) for pair in pairs]
    return [0, *before], [*behind, 0]


def _trimmed(kind: str, added: int, edge: str) -> int:
    """Space that a character gains at the edge of a line (mostly less than 0): `added` is undone, punctuation is its
    ink.
    """
    if kind == edge:
        # It may have closed up with its neighbour already.
        return -_HALF - min(added, 0)
    return -added if kind == "H" else 0


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Kinds of its characters, of neighbours, glyphs, their advances, and what is added before and behind each."""

    kinds: str
    pairs: Sequence[str]
    numbers: Sequence[int]
    natural: Sequence[int]
    before: Sequence[int]
    behind: Sequence[int]

    def end_of_line(self, start: int, room: float) -> int | None:
        """Finds where the line that begins there ends: the last place where it may and fits; None: there is none."""
        width = _trimmed(self.kinds[start], self.before[start], "O")
        found: int | None = None
        final = len(self.kinds) - 1
        for at in range(start, len(self.kinds)):
            width += self.before[at] + self.natural[at] + self.behind[at]
            if at == final or self.pairs[at] not in _TIED:
                if width + _trimmed(self.kinds[at], self.behind[at], "C") > room:
                    break
                found = at + 1
        return found

    def line(self, start: int, end: int, column: Column, left: float) -> Line:
        kinds, before, behind = self.kinds, self.before, self.behind
        first = before[start] + _trimmed(kinds[start], before[start], "O")
        # The last line of a paragraph keeps its natural width.
        wide = [end < len(kinds) and pair not in _FIRM for pair in self.pairs[start : end - 1]]
        # The engine counts the gap that the end of the line cuts off, if it is one between Latin and Han.
        places = sum(wide) + (end < len(kinds) and self.pairs[end - 1] == "LH")
        extra = 0.0
        if places:
            width = first - before[start] + _trimmed(kinds[end - 1], behind[end - 1], "C")
            width += sum(before[start:end]) + sum(self.natural[start:end]) + sum(behind[start:end])
            extra = ((column.width - left) / column.size * _EM - width) / places
        added = [
            behind[at] + extra * grows + before[at + 1] for at, grows in zip(range(start, end - 1), wide, strict=True)
        ]
        return Line(column.left + left + first * column.size / _EM, tuple(self.numbers[start:end]), (*added, 0.0))
