"""Finds where the signs of a string are, and whether every reader shows them there (ISO 32000-1, 9.4)."""

from dataclasses import dataclass

from services.esign.revisions.domain import places
from services.esign.revisions.domain.page.font_widths import Font
from services.esign.revisions.domain.page.seen import Seen
from services.esign.revisions.domain.page.state import LIMIT, THINNEST_PEN, State
from services.esign.revisions.domain.places import Matrix, Rectangle

# Modes of text (table 106) that stroke.
_TEXT_STROKES = frozenset({1, 2})
# Ems of the broadest pen by which signs are signs still.
_BROADEST_PEN = 0.2
# Share of its usual width from which on a sign is one to every reader.
_NARROWEST = 0.4
# Ems around a glyph's advance that its outline may take; the height in which every sign has ink, and by how many ems
# one is in the place to be looked for there.
_BESIDE, _BELOW, _ABOVE, _WAIST, _REACHES_IN = 0.5, 0.4, 1.1, 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Strings:
    """Takes the strings that are shown by one operator; `text`: the text matrix before them."""

    seen: Seen
    state: State
    text: Matrix
    is_unsure: bool

    def taken(self, text: bytes, font: Font, least: float, most: float) -> tuple[float, float]:
        """Takes a string that begins between two places of its line; returns between which it ends."""
        state, begin, end = self.state, least, most
        em, factor = abs(state.size) or 1.0, state.size * state.stretch
        # Between which two places of the line each sign is that is not white.
        inked: list[tuple[float, float]] = []
        for sign in font.signs(text):
            ends = sorted((sign.least * factor, sign.most * factor))
            if not sign.is_space:
                inked.append((min(least, least + ends[0]), max(most, most + ends[1])))
            ahead = sorted(
                (codes * state.spacing + words * state.word) * state.stretch
                for codes, words in zip(sign.codes, sign.word_spaces, strict=True)
            )
            least, most = least + ends[0] + ahead[0], most + ends[1] + ahead[1]
        pen = state.width * places.least(state.ctm)
        strokes, fills = state.rendering in _TEXT_STROKES, state.rendering != 1
        unsure = (fills and not state.fill) or (
            strokes
            and (
                not state.stroke
                or state.is_dashed
                or not places.is_even(state.ctm)
                or not THINNEST_PEN <= pen <= _BROADEST_PEN * em * self._scale
            )
        )
        if not (inked or unsure or self.is_unsure or self.seen.reading is not None):
            return least, most
        placed, seen = places.times(self.text, state.ctm), self.seen
        # What is pressed together some draw broad, and some not at all.
        shape = places.times((state.stretch, 0, 0, 1, 0, 0), placed)
        unsure = unsure or font.is_odd or places.evenness(shape) < _NARROWEST
        low, high = min(begin, least) - _BESIDE * em, max(end, most) + _BESIDE * em
        box = self._box(placed, low, high, -_BELOW * state.size, _ABOVE * state.size)
        box = places.within(places.wider(box, self._reach_of_pen if strokes else 0), state.clip)
        if seen.reading is not None:
            way, whole = ((begin + end) / 2, (least + most) / 2), self._box(placed, begin, most, 0, _WAIST * state.size)
            seen.reading.add(font.letters(text), state, placed, way, whole)
        if self.is_unsure or unsure:
            seen.mark(box, state.clip)
        if places.meet(box, seen.place):
            seen.boxes.append(box)
            inner = places.wider(seen.place, -_REACHES_IN * em * places.factor(placed))
            for one, other in inked:
                sign_box = places.within(self._box(placed, one, other, 0, _WAIST * state.size), state.clip)
                if places.meet(sign_box, inner):
                    seen.signs.append(sign_box)
        return least, most

    @property
    def _scale(self) -> float:
        return places.factor(places.times(self.text, self.state.ctm))

    @property
    def _reach_of_pen(self) -> float:
        """Points that the outline of a stroked sign may reach beyond it, sharp corners included."""
        return self.state.width * places.factor(self.state.ctm) / 2 * LIMIT

    def _box(self, placed: Matrix, left: float, right: float, down: float, up: float) -> Rectangle:
        rise = self.state.rise
        return places.around([places.at(placed, x, y + rise) for x in (left, right) for y in (down, up)])
