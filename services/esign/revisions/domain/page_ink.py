"""What a page draws by means that not every reader has, and where (ISO 32000-1, 8, 9 and 11).

Whether a place was blank is asked of one renderer. It draws nothing where it cannot load a font, decode a picture or
come by a colour, and another reader does. Lines and areas in plain colours are drawn alike everywhere; of everything
else the place is told from the page's content, so that what the renderer shows nothing of is not taken for nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Array, Census, Cursor, Dict, Name, PdfError
from services.esign.revisions.domain import additions, places
from services.esign.revisions.domain.additions import Ink
from services.esign.revisions.domain.content_stream import pieces
from services.esign.revisions.domain.font_widths import UNKNOWN_FONT, Font, font_of
from services.esign.revisions.domain.page_streams import UnclearError, content_of, streams_of
from services.esign.revisions.domain.places import Matrix, Rectangle
from services.esign.revisions.domain.plain_look import is_plain_picture

_IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)
_NUMBERS = re.compile(rb"[\t\n\r ]*(?:-?(?:\d{1,9}(?:\.\d{0,16})?|\.\d{1,16})(?:[\t\n\r ]+|\Z))*")
_COUNTS = {
    **dict.fromkeys((b"q", b"Q", b"h", b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"n", b"W", b"W*"), 0),
    **dict.fromkeys((b"BT", b"ET", b"T*"), 0),
    **dict.fromkeys((b"cm", b"Tm", b"c"), 6),
    **dict.fromkeys((b"re", b"v", b"y", b"k", b"K"), 4),
    **dict.fromkeys((b"rg", b"RG"), 3),
    **dict.fromkeys((b"m", b"l", b"Td", b"TD"), 2),
    **dict.fromkeys((b"w", b"J", b"j", b"M", b"i", b"g", b"G", b"Tc", b"Tw", b"Tz", b"TL", b"Tr", b"Ts"), 1),
}
_PAINT = frozenset({b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"n"})
_STROKES = frozenset({b"S", b"s", b"B", b"B*", b"b", b"b*"})
_FILLS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"})
_PATH = frozenset({b"m", b"l", b"c", b"v", b"y", b"re", b"h"})
_DEVICE = {b"g": "DeviceGray", b"rg": "DeviceRGB", b"k": "DeviceCMYK"}
# Colour spaces that every reader comes by.
_PARTS: Mapping[str, int] = {"DeviceGray": 1, "DeviceRGB": 3, "DeviceCMYK": 4}
_IDLE = frozenset({b"J", b"j", b"M", b"i", b"ri", b"MP", b"DP"})
# Entries of a graphics state by which colours become others, and values of which they do not.
_CHANGING = frozenset({"TR", "TR2", "BG", "BG2", "UCR", "UCR2", "HT", "OP", "op", "D"})
_UNCHANGED: tuple[Any, ...] = (None, False, "Default", "Identity")
_SHOWN_STATES = frozenset({"Normal", "Compatible"})
_CLIPPING_TEXT = 4
# Numbers that every reader computes with, in points (table C.1); of thinner clips some show every pixel met.
_LARGEST, _SMALLEST, _THINNEST_CLIP, _THINNEST = 32767.0, 1e-4, 0.5, 0.2
# Points; farther corners are moved by readers that keep to small numbers of pixels. Of a broader pen the joins of tiny
# edges are each reader's own.
_FARTHEST, _BROADEST = 4000.0, 4.0
_DEEPEST, _MOST_SAVED, _MOST_PIECES = 12, 64, 150_000
# Ems around a glyph's advance that its outline may take.
_BEFORE, _BEHIND, _BELOW, _ABOVE, _WAIST = 0.3, 0.5, 0.4, 1.1, 0.3


def ink_of(document: Document, page: Mapping[str, Any], resources: Any, place: Rectangle) -> Ink | None:
    """What of a page's content meets a place; None when readers may follow it differently. `resources`: the page's,
    which it may inherit. Raises PdfError where it is too much work.
    """
    walk = _Walk(document, place)
    try:
        content = b"\n".join(content_of(document, each) for each in streams_of(document, page.get("Contents")))
        shown = additions.page_box(document, page)
        walk.form(content, resources, _State(clip=shown or place), 0)
    except UnclearError:
        return None
    except PdfError as cause:
        if cause.limit:
            raise
        return None
    return Ink(tuple(walk.boxes), tuple(walk.texts), walk.in_place)


def is_followed_alike(document: Document, look: Any) -> bool:
    """Whether every reader comes to the same places by a form's content. Raises PdfError where it is too much work."""
    holder = additions.stream_of(document, look)
    box = None if holder is None else additions.rectangle(document.resolve(holder.value.get("BBox")))
    if holder is None or box is None:
        return document.resolve(look) is None
    walk = _Walk(document, box, is_look=True)
    try:
        walk.form(document.stream_of(holder), document.resolve(holder.value.get("Resources")), _State(box), 1)
    except UnclearError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _State:
    """Of the graphics state what decides where something is and whether all readers draw it."""

    clip: Rectangle
    ctm: Matrix = _IDENTITY
    width: float = 1
    fill: bool = True
    stroke: bool = True
    fill_parts: int = 1
    stroke_parts: int = 1
    mixed: bool = False
    font: Font | None = None
    size: float = 0
    spacing: float = 0
    word: float = 0
    stretch: float = 1
    leading: float = 0
    rise: float = 0


@dataclass(slots=True)
class _Walk:
    """Follows content streams; keeps what meets the place."""

    document: Document
    place: Rectangle
    # A look's clips are upright boxes of some size.
    is_look: bool = False
    boxes: list[Rectangle] = field(default_factory=list)
    texts: list[Rectangle] = field(default_factory=list)
    in_place: bool = False
    pieces: int = 0

    def form(self, content: bytes, resources: Any, state: _State, depth: int) -> None:
        if depth > _DEEPEST:
            raise UnclearError
        _Stream(self, resources if isinstance(resources, Dict) else Dict(), state, depth).follow(content)

    def mark(self, box: Rectangle, clip: Rectangle) -> None:
        """Something that readers may know differently."""
        shown = places.within(box, clip)
        if places.meet(shown, self.place):
            self.boxes.append(shown)


@dataclass(slots=True)
class _Stream:
    """One content stream as it is followed."""

    walk: _Walk
    resources: Dict
    state: _State
    depth: int
    saved: list[_State] = field(default_factory=list)
    # Marked content that is open: whether it may be left out.
    marks: list[bool] = field(default_factory=list)
    path: Rectangle | None = None
    clips: bool = False
    # The operators that made the path.
    shape: bytearray = field(default_factory=bytearray)
    # Points, of its rectangles.
    thinnest: float = _LARGEST
    line: Matrix | None = None
    text: Matrix = _IDENTITY

    def follow(self, content: bytes) -> None:
        for operator, operands in pieces(content, self.walk.document.census):
            self.walk.pieces += 1
            if self.walk.pieces > _MOST_PIECES:
                raise UnclearError
            count = _COUNTS.get(operator)
            if count is not None:
                numbers = _numbers(operands)
                if len(numbers) != count:
                    raise UnclearError
                self._plain(operator, numbers)
            elif operator not in _IDLE:
                act = _ACTS.get(operator)
                if act is None:
                    raise UnclearError
                act(self, operator, _values(operands))
        if self.saved and self.depth:
            raise UnclearError

    def _plain(self, operator: bytes, numbers: list[float]) -> None:
        if operator in _PATH:
            self._extend(operator, numbers)
        elif operator in _PAINT:
            self._paint(operator)
        elif operator in {b"W", b"W*"}:
            if self.path is None:
                raise UnclearError
            self.clips = True
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
            self.state = replace(self.state, ctm=_usual(places.times((a, b, c, d, e, f), self.state.ctm)))
        elif operator in _DEVICE:
            self.state = replace(self.state, fill=self._parts_of(Name(_DEVICE[operator])) > 0)
        elif operator.lower() in _DEVICE:
            self.state = replace(self.state, stroke=self._parts_of(Name(_DEVICE[operator.lower()])) > 0)
        elif operator in _TEXT_STATE:
            self.state = _TEXT_STATE[operator](self.state, numbers[0])
        elif operator == b"Tr":
            if numbers[0] >= _CLIPPING_TEXT:
                raise UnclearError
        elif operator in {b"BT", b"ET"}:
            if (self.line is None) is (operator == b"ET"):
                raise UnclearError
            self.line = _IDENTITY if operator == b"BT" else None
            self.text = _IDENTITY
        elif operator in {b"Tm", b"Td", b"TD", b"T*"}:
            self._move(operator, numbers)

    def _move(self, operator: bytes, numbers: Sequence[float]) -> None:
        if self.line is None:
            raise UnclearError
        if operator == b"Tm":
            a, b, c, d, e, f = numbers
            self.line = self.text = _usual((a, b, c, d, e, f))
            return
        if operator == b"TD":
            self.state = replace(self.state, leading=-numbers[1])
        x, y = numbers if operator != b"T*" else (0, -self.state.leading)
        self.line = self.text = _usual(places.times((1, 0, 0, 1, x, y), self.line))

    # Paths.

    def _extend(self, operator: bytes, numbers: list[float]) -> None:
        if self.line is not None or (self.path is None and operator not in {b"m", b"re"}):
            raise UnclearError
        if operator == b"re":
            x, y, width, height = numbers
            self.thinnest = min(self.thinnest, abs(width) * places.least(self.state.ctm))
            self.thinnest = min(self.thinnest, abs(height) * places.least(self.state.ctm))
            numbers = [x, y, x + width, y, x, y + height, x + width, y + height]
        self.shape += operator
        points = [places.at(self.state.ctm, *numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
        if not all(abs(x) <= _FARTHEST and abs(y) <= _FARTHEST for x, y in points):
            raise UnclearError
        if points:
            self.path = places.around(points if self.path is None else [*points, self.path[:2], self.path[2:]])

    def _paint(self, operator: bytes) -> None:
        path, clips, shape = self.path, self.clips, bytes(self.shape)
        self.path, self.clips, self.shape = None, False, bytearray()
        if path is None:
            return
        state = self.state
        strokes, fills = operator in _STROKES, operator in _FILLS
        thin = (fills and self.thinnest < _THINNEST) or (
            strokes and 0 < state.width * places.least(state.ctm) < _THINNEST
        )
        broad = strokes and state.width * places.factor(state.ctm) > _BROADEST
        odd = thin or broad or not state.width or not places.is_even(state.ctm)
        if self.walk.is_look and (strokes or fills) and odd:
            raise UnclearError
        self.thinnest = _LARGEST
        unsure = thin or self._is_unsure or (strokes and not state.stroke) or (fills and not state.fill)
        if unsure and operator != b"n":
            self.walk.mark(places.wider(path, state.width * places.factor(state.ctm) if strokes else 0), state.clip)
        if clips:
            if self.walk.is_look and (shape != b"re" or min(additions.size(path)) < _THINNEST_CLIP):
                raise UnclearError
            self.state = replace(state, clip=places.within(state.clip, path))

    @property
    def _is_unsure(self) -> bool:
        return self.state.mixed or any(self.marks)

    # What goes by the resources.

    def _named(self, kind: str, values: list[Any]) -> Any:
        """None where there is none of that name."""
        if len(values) != 1 or not isinstance(values[0], Name):
            raise UnclearError
        held = self.walk.document.resolve(self.resources.get(kind))
        return held.get(values[0]) if isinstance(held, Dict) else None

    def _parts_of(self, space: Any) -> int:
        """How many numbers a colour has in a space by whose colours every reader comes; 0 for any other."""
        document = self.walk.document
        listed = document.resolve(self.resources.get("ColorSpace"))
        default = None
        if isinstance(space, Name) and isinstance(listed, Dict):
            default = document.resolve(listed.get("Default" + space.removeprefix("Device")))
            space = document.resolve(listed.get(space, space))
        parts = self._parts_of_kind(space)
        return parts if default is None or self._parts_of_kind(default) == parts else 0

    def _parts_of_kind(self, space: Any) -> int:
        document = self.walk.document
        if isinstance(space, list) and len(space) == 2 and document.resolve(space[0]) == "ICCBased":
            profile = additions.stream_of(document, space[1])
            parts = document.resolve(profile.value.get("N")) if profile is not None else 0
            return parts if parts in _PARTS.values() else 0
        kind = document.resolve(space[0]) if isinstance(space, list) and len(space) == 1 else space
        return _PARTS.get(kind, 0) if isinstance(kind, Name) else 0

    def space(self, operator: bytes, values: list[Any]) -> None:
        """Its first colour is black to some, and to others what was there before."""
        parts = self._parts_of(values[0]) if len(values) == 1 else 0
        if operator == b"cs":
            self.state = replace(self.state, fill=False, fill_parts=parts)
        else:
            self.state = replace(self.state, stroke=False, stroke_parts=parts)

    def colour(self, operator: bytes, values: list[Any]) -> None:
        parts = self.state.fill_parts if operator.islower() else self.state.stroke_parts
        known = len(values) == parts > 0 and all(type(each) in {int, float} for each in values)
        self.state = replace(self.state, fill=known) if operator.islower() else replace(self.state, stroke=known)

    def dash(self, _operator: bytes, values: list[Any]) -> None:
        listed = [*values[0], *values[1:]] if values and isinstance(values[0], list) else []
        if len(values) != 2 or not all(type(each) in {int, float} and each >= 0 for each in listed):
            raise UnclearError

    def font(self, _operator: bytes, values: list[Any]) -> None:
        if len(values) != 2 or type(values[1]) not in {int, float}:
            raise UnclearError
        named = self._named("Font", values[:1])
        font = font_of(self.walk.document, named) if named is not None else UNKNOWN_FONT
        if font is None:
            raise UnclearError
        self.state = replace(self.state, font=font, size=float(values[1]))

    def look(self, _operator: bytes, values: list[Any]) -> None:
        """A graphics state by name."""
        document = self.walk.document
        named = document.resolve(self._named("ExtGState", values))
        if not isinstance(named, Dict):
            raise UnclearError
        mask = document.resolve(named.get("SMask", Name("None")))
        mode = document.resolve(named.get("BM", Name("Normal")))
        mixed = self.state.mixed
        if not named.keys().isdisjoint({"SMask", "BM"}):
            mixed = mask != "None" or mode not in _SHOWN_STATES
        if any(document.resolve(named[key]) not in _UNCHANGED for key in _CHANGING & named.keys()):
            mixed = True
        self.state = replace(self.state, mixed=mixed)
        width, chosen = document.resolve(named.get("LW")), document.resolve(named.get("Font"))
        if type(width) in {int, float}:
            self.state = replace(self.state, width=float(width))
        if isinstance(chosen, list) and len(chosen) == 2:
            font, size = font_of(document, chosen[0]), document.resolve(chosen[1])
            if font is None or type(size) not in {int, float}:
                raise UnclearError
            self.state = replace(self.state, font=font, size=float(size))

    def shade(self, _operator: bytes, values: list[Any]) -> None:
        if self._named("Shading", values) is None:
            raise UnclearError
        self.walk.mark(self.state.clip, self.state.clip)

    def draw(self, _operator: bytes, values: list[Any]) -> None:
        document, state = self.walk.document, self.state
        named = self._named("XObject", values)
        if named is None and not self.depth:
            # A form's names are looked for in the page's resources by some; a page's are nowhere else.
            return
        holder = additions.stream_of(document, named)
        if self.line is not None or holder is None or not isinstance(holder.value, Dict):
            raise UnclearError
        if holder.value.get("Subtype") == "Image":
            box = places.moved((0, 0, 1, 1), state.ctm)
            if self._is_unsure or not is_plain_picture(document, holder):
                self.walk.mark(box, state.clip)
            return
        bounds = additions.rectangle(document.resolve(holder.value.get("BBox")))
        matrix = document.resolve(holder.value.get("Matrix", Array(_IDENTITY)))
        if bounds is None or not _is_matrix(matrix):
            raise UnclearError
        ctm = _usual(places.times(tuple(matrix), state.ctm))
        clip = places.within(places.moved(bounds, ctm), state.clip)
        if not places.meet(clip, self.walk.place):
            return
        own = document.resolve(holder.value.get("Resources"))
        inner = replace(state, ctm=ctm, clip=clip, mixed=self._is_unsure or "OC" in holder.value)
        self.walk.form(content_of(document, holder), self.resources if own is None else own, inner, self.depth + 1)

    def begin(self, operator: bytes, values: list[Any]) -> None:
        """Marked content; that of /OC is shown or not, depending on the reader (8.11.3.2)."""
        self.marks.append(operator == b"BDC" and values[:1] == ["OC"])

    def end(self, _operator: bytes, _values_: list[Any]) -> None:
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
        if self.line is None or self.state.font is None or len(values) != 1:
            raise UnclearError
        shown = values[0] if operator == b"TJ" else [values[0]]
        if not isinstance(shown, list):
            raise UnclearError
        # Where widths are not known the next sign is somewhere between.
        least = most = 0.0
        for each in shown:
            if type(each) in {int, float}:
                if abs(each) > _LARGEST:
                    raise UnclearError
                shift = -each / 1000 * self.state.size * self.state.stretch
                least, most = least + shift, most + shift
            elif isinstance(each, bytes):
                least, most = self._string(each, self.state.font, least, most)
            else:
                raise UnclearError
        self.text = _usual(places.times((1, 0, 0, 1, (least + most) / 2, 0), self.text))

    def _string(self, text: bytes, font: Font, least: float, most: float) -> tuple[float, float]:
        """Takes a string that begins between two places of its line; returns between which it ends."""
        state, begin = self.state, least
        em, factor = abs(state.size) or 1.0, state.size * state.stretch
        # Between which two places the middle of each sign is that is not white.
        middles: list[tuple[float, float]] = []
        for sign in font.signs(text):
            ahead = (state.spacing + (state.word if sign.is_word_space else 0)) * state.stretch
            if not sign.is_space:
                middles.append((least + sign.least * factor / 2, most + sign.most * factor / 2))
            least, most = least + sign.least * factor + ahead, most + sign.most * factor + ahead
        if not middles:
            return least, most
        placed, walk = places.times(self.text, state.ctm), self.walk
        down, up = (-len(text) * em, em) if font.is_vertical else (-_BELOW * em, _ABOVE * em)
        low, high = min(begin, least, most) - _BEFORE * em, max(begin, least, most) + _BEHIND * em
        box = places.within(self._box(placed, low, high, down, up), state.clip)
        if places.meet(box, walk.place):
            walk.boxes.append(box)
            walk.in_place = walk.in_place or any(
                places.is_in(self._box(placed, one, other, _WAIST * em, _WAIST * em), walk.place)
                for one, other in middles
            )
        return least, most

    def _box(self, placed: Matrix, left: float, right: float, down: float, up: float) -> Rectangle:
        rise = self.state.rise
        return places.around([places.at(placed, x, y + rise) for x in (left, right) for y in (down, up)])


def _usual(matrix: Matrix) -> Matrix:
    """Raises UnclearError for what readers come to differently: they have numbers of single precision, or of less."""
    if not all(abs(each) <= _LARGEST for each in matrix) or not places.factor(matrix) >= _SMALLEST:
        raise UnclearError
    return matrix


def _numbers(operands: bytes) -> list[float]:
    if _NUMBERS.fullmatch(operands) is None:
        raise UnclearError
    return [float(each) for each in operands.split()]


def _values(operands: bytes) -> list[Any]:
    """Raises PdfError."""
    census = Census()
    cursor = Cursor(operands, 0, census)
    found = []
    while operands[cursor.at :].strip(b"\t\n\f\r "):
        found.append(cursor.value())
    return found


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 6 and all(type(each) in {int, float} for each in value)


_TEXT_STATE: Mapping[bytes, Callable[[_State, float], _State]] = {
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
