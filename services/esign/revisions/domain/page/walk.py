"""Follows the content of a page or a form as every reader does (ISO 32000-1, 8, 9 and 11)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.esign.domain.pdf.syntax import Array, Dict, Name
from services.esign.revisions.domain import additions, blending, places
from services.esign.revisions.domain.content_stream import pieces
from services.esign.revisions.domain.page import known_profiles
from services.esign.revisions.domain.page.font_widths import font_of
from services.esign.revisions.domain.page.operators import (
    COUNTS,
    DEVICE,
    FILLS,
    OF_PATHS,
    PAINT,
    PATH,
    STROKES,
    numbers_of,
    values_of,
)
from services.esign.revisions.domain.page.paths import Path, is_usual_dash
from services.esign.revisions.domain.page.seen import Seen
from services.esign.revisions.domain.page.state import IDENTITY, LIMIT, OF_INKS, State, lightness, rgb_of
from services.esign.revisions.domain.page.streams import UnclearError, content_of
from services.esign.revisions.domain.page.strings import Strings
from services.esign.revisions.domain.places import Matrix
from services.esign.revisions.domain.plain_look import is_light_picture, is_plain_picture

# Colour spaces that every reader comes by; of the last one only black and grey.
_PARTS: Mapping[str, int] = {"DeviceGray": 1, "DeviceRGB": 3, "DeviceCMYK": 4}
_SPACES = frozenset({"DeviceGray", "DeviceRGB", "DeviceCMYK", "Pattern"})
_SHADINGS = range(1, 8)
# Entries of forms that are drawn by other means.
_NO_FORM = frozenset({"Subtype2", "PS", "Ref", "OPI"})
_IDLE = frozenset({b"ri", b"MP", b"DP"})
# Entries of a graphics state by which colours become others, and values of which they do not.
_CHANGING = frozenset({"TR", "TR2", "BG", "BG2", "UCR", "UCR2", "HT", "OP", "op", "D"})
_UNCHANGED: tuple[Any, ...] = (None, False, "Default", "Identity")
_SHOWN_MODES = frozenset({"Normal", "Compatible"})
# Modes of text (table 106): filled, stroked, both, unseen; more would clip.
_RENDERINGS = frozenset({0, 1, 2, 3})
# Share of light from which on a colour is one of paper.
_PAPER = 0.85
# Numbers that every reader computes with, in points (table C.1).
_LARGEST, _SMALLEST = 32767.0, 1e-4
_DEEPEST, _MOST_SAVED, _MOST_PIECES = 12, 64, 150_000
# Moves one upon the other after which rounding may show.
_MOST_MOVES = 500
# Samples of a picture a point: of more some readers show single ones.
_DENSEST = 5.0


@dataclass(slots=True)
class Walk(Seen):
    """Follows content streams, and keeps what meets the place."""

    def form(self, content: bytes, resources: Any, state: State, depth: int) -> None:
        if depth > _DEEPEST:
            raise UnclearError
        held = self.document.resolve(resources)
        _Stream(self, held if isinstance(held, Dict) else Dict(), state, depth).follow(content)


@dataclass(slots=True)
class _Stream:
    """One content stream as it is followed."""

    walk: Walk
    resources: Dict
    state: State
    depth: int
    saved: list[State] = field(default_factory=list)
    # Marked content that is open: whether it may be left out.
    marks: list[bool] = field(default_factory=list)
    path: Path = field(default_factory=Path)
    line: Matrix | None = None
    text: Matrix = IDENTITY
    # Points of the text's own space by which its place is known, to either side; moves since it was set.
    spread: float = 0
    moves: int = 0

    def follow(self, content: bytes) -> None:
        for operator, operands in pieces(content, self.walk.document.census):
            self.walk.pieces += 1
            if self.walk.pieces > _MOST_PIECES:
                raise UnclearError
            count = COUNTS.get(operator)
            if count is not None:
                numbers = numbers_of(operands)
                if len(numbers) != count:
                    raise UnclearError
                self._plain(operator, numbers)
            elif operator in _IDLE:
                if not _is_named(values_of(operands), operator):
                    raise UnclearError
            else:
                act = _ACTS.get(operator)
                if act is None or self.path.box is not None:
                    raise UnclearError
                act(self, operator, values_of(operands))
        # What a form leaves open goes on in what comes behind it, for some.
        is_open = self.saved or self.marks or self.line is not None or self.path.box is not None
        if self.depth and is_open:
            raise UnclearError

    def _plain(self, operator: bytes, numbers: list[float]) -> None:
        if self.path.box is not None and operator not in OF_PATHS:
            # Some have the path where it is made, others where it is painted (8.5.2.1 allows nothing between).
            raise UnclearError
        if operator in PATH:
            if self.line is not None:
                raise UnclearError
            self.path.extend(operator, numbers, self.state.ctm)
        elif operator in PAINT:
            self._paint(operator)
        elif operator in {b"W", b"W*"}:
            if self.path.box is None:
                raise UnclearError
            self.path.clips = True
        elif operator in _OUTSIDE_TEXT and self.line is not None:
            # Whether the place of the text is taken back too depends on the reader.
            raise UnclearError
        elif operator == b"q":
            self.saved.append(self.state)
            if len(self.saved) > _MOST_SAVED:
                raise UnclearError
        elif operator == b"Q":
            if not self.saved:
                raise UnclearError
            self.state = self.saved.pop()
        elif operator == b"cm":
            a, b, c, d, e, f = numbers
            ctm, moves = _usual(places.times((a, b, c, d, e, f), self.state.ctm)), self.state.moves + 1
            if moves > _MOST_MOVES:
                raise UnclearError
            self.state = replace(self.state, ctm=ctm, moves=moves)
        elif operator.lower() in DEVICE:
            self.space(b"cs" if operator in DEVICE else b"CS", [Name(DEVICE[operator.lower()])])
            self.colour(operator, numbers)
        elif operator == b"M":
            _refuse_limit(numbers[0])
        elif operator == b"w" and numbers[0] < 0:
            # The pen of some is as broad as it is without the sign.
            raise UnclearError
        elif operator in _TEXT_STATE:
            self.state = _TEXT_STATE[operator](self.state, numbers[0])
        elif operator == b"Tr":
            if numbers[0] not in _RENDERINGS:
                raise UnclearError
            self.state = replace(self.state, rendering=int(numbers[0]))
        elif operator in {b"BT", b"ET"}:
            if (self.line is None) is (operator == b"ET"):
                raise UnclearError
            self.line = IDENTITY if operator == b"BT" else None
            self.text, self.spread, self.moves = IDENTITY, 0, 0
        elif operator in {b"Tm", b"Td", b"TD", b"T*"}:
            self._move(operator, numbers)

    def _move(self, operator: bytes, numbers: Sequence[float]) -> None:
        if self.line is None:
            raise UnclearError
        if operator == b"Tm":
            a, b, c, d, e, f = numbers
            self.line = self.text = _usual((a, b, c, d, e, f))
            self.spread, self.moves = 0, 0
            return
        if operator == b"TD":
            self.state = replace(self.state, leading=-numbers[1])
        x, y = numbers if operator != b"T*" else (0, -self.state.leading)
        self.line = self.text = _usual(places.times((1, 0, 0, 1, x, y), self.line))
        self.spread = 0
        self._count_move()

    def _count_move(self) -> None:
        self.moves += 1
        if self.moves > _MOST_MOVES:
            raise UnclearError

    def _change(self, key: str, *, usual: bool) -> None:
        changed = self.state.changed - {key} if usual else self.state.changed | {key}
        self.state = replace(self.state, changed=changed)

    # Paths.

    def _paint(self, operator: bytes) -> None:
        path, self.path = self.path, Path()
        reading = self.walk.reading
        if reading is not None and operator != b"n" and (reading.words or not path.is_box):
            # It could be another sign, or be over one.
            raise UnclearError
        if path.box is None:
            if operator != b"n":
                # Some paint a path that was begun outside.
                raise UnclearError
            return
        state, strokes, fills = self.state, operator in STROKES, operator in FILLS
        pen = state.width if strokes else 0
        unsure = (
            self._is_unsure
            or path.is_thin(fills=fills, is_light=state.is_fill_light, pen=pen * places.least(state.ctm))
            or (strokes and (not state.stroke or state.is_dashed or path.has_points or not places.is_even(state.ctm)))
            or (fills and not state.fill)
            or path.is_long
        )
        reach = pen * places.factor(state.ctm) / 2 * path.sharpness(LIMIT)
        if fills and not state.is_fill_light:
            self.walk.paint(path.areas(), state.clip, state.fill_colour)
        if strokes and not state.is_stroke_light:
            self.walk.paint((places.wider(line, reach) for line in path.lines), state.clip, None)
        if unsure and operator != b"n":
            self.walk.mark(places.wider(path.box, max(reach, pen * places.factor(state.ctm))), state.clip)
        if path.clips:
            clip = places.within(state.clip, path.box)
            self.state = replace(state, clip=clip, mixed=state.mixed or not path.is_box)

    @property
    def _is_unsure(self) -> bool:
        return self.state.mixed or bool(self.state.changed) or self.state.is_faded or any(self.marks)

    # What goes by the resources.

    def _named(self, kind: str, values: list[Any]) -> Any:
        """None where there is none of that name."""
        if len(values) != 1 or not isinstance(values[0], Name):
            raise UnclearError
        held = self.walk.document.resolve(self.resources.get(kind))
        return held.get(values[0]) if isinstance(held, Dict) else None

    def _parts_of(self, space: Any) -> int:
        """The number of components that a colour has in a space by whose colours every reader comes; 0 for any
        other.
        """
        document = self.walk.document
        listed = document.resolve(self.resources.get("ColorSpace"))
        if isinstance(space, Name) and isinstance(listed, Dict):
            if "Default" + space.removeprefix("Device") in listed:
                return 0
            space = document.resolve(listed.get(space, space))
        return self._parts_of_kind(space)

    def _parts_of_kind(self, space: Any) -> int:
        document = self.walk.document
        if isinstance(space, list) and len(space) == 2 and document.resolve(space[0]) == "ICCBased":
            return known_profiles.parts_of(document, space[1])
        kind = document.resolve(space[0]) if isinstance(space, list) and len(space) == 1 else space
        return _PARTS.get(kind, 0) if isinstance(kind, Name) else 0

    def space(self, operator: bytes, values: list[Any]) -> None:
        """Its first colour is black to some, and to others what was there before."""
        if len(values) != 1 or not isinstance(values[0], Name):
            raise UnclearError
        if values[0] not in _SPACES and self._named("ColorSpace", values) is None:
            # Some stop drawing where a name leads nowhere.
            raise UnclearError
        parts = self._parts_of(values[0])
        if operator == b"cs":
            self.state = replace(self.state, fill=False, is_fill_light=False, fill_parts=parts)
        else:
            self.state = replace(self.state, stroke=False, is_stroke_light=False, stroke_parts=parts)

    def colour(self, operator: bytes, values: list[Any]) -> None:
        *numbers, last = values or [None]
        is_pattern = isinstance(last, Name)
        if is_pattern and self._named("Pattern", [last]) is None:
            raise UnclearError
        if not all(type(each) in {int, float} for each in (numbers if is_pattern else values)) or not values:
            raise UnclearError
        parts = self.state.fill_parts if operator.islower() else self.state.stroke_parts
        known = len(values) == parts > 0 and all(type(each) in {int, float} and 0 <= each <= 1 for each in values)
        if parts == OF_INKS:
            known = known and not any(values[:3])
        is_light = known and lightness(values) >= _PAPER
        if operator.islower():
            colour = rgb_of(values) if known else None
            self.state = replace(self.state, fill=known, is_fill_light=is_light, fill_colour=colour)
        else:
            self.state = replace(self.state, stroke=known, is_stroke_light=is_light)

    def dash(self, _operator: bytes, values: list[Any]) -> None:
        listed = [*values[0], *values[1:]] if values and isinstance(values[0], list) else []
        if len(values) != 2 or not all(type(each) in {int, float} and each >= 0 for each in listed):
            raise UnclearError
        self.state = replace(self.state, is_dashed=not is_usual_dash(values[0], values[1]))

    def font(self, _operator: bytes, values: list[Any]) -> None:
        if len(values) != 2 or type(values[1]) not in {int, float}:
            raise UnclearError
        named = self._named("Font", values[:1])
        font = font_of(self.walk.document, named) if named is not None else None
        if font is None:
            raise UnclearError
        self.state = replace(self.state, font=font, size=float(values[1]))

    def look(self, _operator: bytes, values: list[Any]) -> None:
        """A graphics state by name."""
        document = self.walk.document
        named = document.resolve(self._named("ExtGState", values))
        if not isinstance(named, Dict):
            raise UnclearError
        for key in _CHANGING & named.keys():
            self._change(key, usual=document.resolve(named[key]) in _UNCHANGED)
        if "SMask" in named:
            self._change("SMask", usual=document.resolve(named["SMask"]) == "None")
        if "BM" in named:
            self._change("BM", usual=document.resolve(named["BM"]) in _SHOWN_MODES)
        if "ML" in named:
            _refuse_limit(document.resolve(named["ML"]))
        # What is faint or unseen by itself comes out in a group that knocks out what lies below.
        shares = [document.resolve(named[key]) for key in ("ca", "CA") if key in named]
        faded = any(share != 1 for share in shares) if shares else self.state.is_faded
        self.state = replace(self.state, is_faded=faded)
        width, chosen = document.resolve(named.get("LW")), document.resolve(named.get("Font"))
        if type(width) in {int, float}:
            self.state = replace(self.state, width=float(width))
        if isinstance(chosen, list) and len(chosen) == 2:
            font, size = font_of(document, chosen[0]), document.resolve(chosen[1])
            if font is None or type(size) not in {int, float}:
                raise UnclearError
            self.state = replace(self.state, font=font, size=float(size))

    def shade(self, _operator: bytes, values: list[Any]) -> None:
        document = self.walk.document
        named = document.resolve(self._named("Shading", values))
        if not isinstance(named, Dict) or document.resolve(named.get("ShadingType")) not in _SHADINGS:
            raise UnclearError
        self.walk.mark(self.state.clip, self.state.clip)

    def draw(self, _operator: bytes, values: list[Any]) -> None:
        document, state = self.walk.document, self.state
        named = self._named("XObject", values)
        # Where a name is not found some look for it in the resources of others.
        holder = additions.stream_of(document, named)
        if (
            self.line is not None
            or holder is None
            or not isinstance(holder.value, Dict)
            or self.walk.reading is not None
        ):
            raise UnclearError
        if holder.value.get("Subtype") == "Image":
            box = places.moved((0, 0, 1, 1), state.ctm)
            is_sure = not self._is_unsure and is_plain_picture(document, holder)
            if not is_sure or not places.is_upright(state.ctm) or _density(holder.value, state.ctm) > _DENSEST:
                self.walk.mark(box, state.clip)
            if self.walk.near is not None and not (is_sure and is_light_picture(document, holder)):
                self.walk.paint([box], state.clip, None)
            return
        if holder.value.get("Subtype") != "Form" or not _NO_FORM.isdisjoint(holder.value.keys()):
            raise UnclearError
        bounds = additions.rectangle(document.resolve(holder.value.get("BBox")))
        matrix = document.resolve(holder.value.get("Matrix", Array(IDENTITY)))
        if bounds is None or not places.is_matrix(matrix):
            raise UnclearError
        a, b, c, d, e, f = matrix
        ctm = _usual(places.times((a, b, c, d, e, f), state.ctm))
        clip = places.within(places.moved(bounds, ctm), state.clip)
        own = document.resolve(holder.value.get("Resources"))
        odd = "OC" in holder.value or not blending.is_plain_group(document, holder.value.get("Group"))
        left = state.is_text_left or any(getattr(state, key) != value for key, value in _FRESH_TEXT.items())
        inner = replace(state, ctm=ctm, clip=clip, mixed=self._is_unsure or odd, font=None, is_text_left=left)
        self.walk.form(content_of(document, holder), self.resources if own is None else own, inner, self.depth + 1)

    def begin(self, operator: bytes, values: list[Any]) -> None:
        """Marked content; that of /OC is shown or not, depending on the reader (8.11.3.2)."""
        if not _is_named(values, operator):
            raise UnclearError
        self.marks.append(operator == b"BDC" and values[:1] == ["OC"])

    def end(self, _operator: bytes, _values: list[Any]) -> None:
        if not self.marks:
            raise UnclearError
        self.marks.pop()

    # Text.

    def show(self, operator: bytes, values: list[Any]) -> None:
        if operator == b'"' and len(values) == 3:
            word, spacing, *values = values
            if type(word) not in {int, float} or type(spacing) not in {int, float}:
                raise UnclearError
            self.state = replace(self.state, word=word, spacing=spacing)
        if operator in {b"'", b'"'}:
            self._move(b"T*", ())
        if self.line is None or self.state.font is None or self.state.is_text_left or len(values) != 1:
            raise UnclearError
        shown = values[0] if operator == b"TJ" else [values[0]]
        if not isinstance(shown, list):
            raise UnclearError
        # Where widths are not known the next sign is somewhere between.
        self._count_move()
        strings = Strings(self.walk, self.state, self.text, self._is_unsure)
        least, most = -self.spread, self.spread
        for each in shown:
            if type(each) in {int, float}:
                if abs(each) > _LARGEST:
                    raise UnclearError
                shift = -each / 1000 * self.state.size * self.state.stretch
                least, most = least + shift, most + shift
            elif isinstance(each, bytes):
                least, most = strings.taken(each, self.state.font, least, most)
            else:
                raise UnclearError
        self.text = _usual(places.times((1, 0, 0, 1, (least + most) / 2, 0), self.text))
        self.spread = abs(most - least) / 2


def _refuse_limit(limit: Any) -> None:
    """Refuses limits of sharp corners (8.4.3.5): beyond the usual one they reach anywhere. Raises UnclearError."""
    if type(limit) not in {int, float} or not 1 <= limit <= LIMIT:
        raise UnclearError


def _density(picture: Dict, ctm: Matrix) -> float:
    """Samples a point of a plain picture."""
    across, up = (max(math.hypot(*side), _SMALLEST) for side in (ctm[:2], ctm[2:4]))
    return max(float(picture["Width"]) / across, float(picture["Height"]) / up)


def _usual(matrix: Matrix) -> Matrix:
    """Raises UnclearError for what readers come to differently: they have numbers of single precision, or of less."""
    if not all(abs(each) <= _LARGEST for each in matrix) or not places.factor(matrix) >= _SMALLEST:
        raise UnclearError
    return matrix


def _is_named(values: list[Any], operator: bytes) -> bool:
    """Tells whether the operands are a name, and of some operators a property list."""
    wanted = 2 if operator in {b"DP", b"BDC"} else 1
    return len(values) == wanted and isinstance(values[0], Name) and isinstance(values[-1], Name | Dict)


_FRESH_TEXT: Mapping[str, float] = {
    "spacing": 0,
    "word": 0,
    "stretch": 1,
    "leading": 0,
    "rise": 0,
    "rendering": 0,
}
# Not allowed within a text (8.2, figure 9).
_OUTSIDE_TEXT = frozenset({b"q", b"Q", b"cm"})
_TEXT_STATE: Mapping[bytes, Callable[[State, float], State]] = {
    b"Tc": lambda state, number: replace(state, spacing=number),
    b"Tw": lambda state, number: replace(state, word=number),
    b"Tz": lambda state, number: replace(state, stretch=number / 100),
    b"TL": lambda state, number: replace(state, leading=number),
    b"Ts": lambda state, number: replace(state, rise=number),
    b"w": lambda state, number: replace(state, width=number),
}
_ACTS = {
    **dict.fromkeys((b"cs", b"CS"), _Stream.space),
    **dict.fromkeys((b"sc", b"SC", b"scn", b"SCN"), _Stream.colour),
    **dict.fromkeys((b"Tj", b"TJ", b"'", b'"'), _Stream.show),
    **dict.fromkeys((b"BMC", b"BDC"), _Stream.begin),
    b"EMC": _Stream.end,
    b"d": _Stream.dash,
    b"Tf": _Stream.font,
    b"gs": _Stream.look,
    b"sh": _Stream.shade,
    b"Do": _Stream.draw,
}
