"""Content streams that keep to themselves (ISO 32000-1, 7.8.2 and 8.4.2): whatever they do to the graphics state is
undone at their end.

A form's drawing is cut to its bounding box. Readers differ in how they keep that up when a stream restores a state that
it did not save, or leaves a path, a clip or a text open.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.spelling import value_behind
from services.esign.domain.pdf.syntax import Array, Census, Dict, Ref, references_in
from services.esign.domain.pdf.update import oddly_packed
from services.esign.revisions.domain.additions import FORM_KEYS
from services.esign.revisions.domain.page.operators import CLIPS, OF_PATHS, PAINT

_OPERATOR = re.compile(rb"(?:[A-Za-z]{1,3}[01*]?|['\"])(?=[\t\n\r ()<>\[\]/]|\Z)")
_COMMENT = re.compile(rb"%[^\x00\r\n]*")
_STATE = frozenset({b"w", b"J", b"j", b"M", b"d", b"ri", b"i", b"gs"})
_COLOUR = frozenset({b"CS", b"cs", b"SC", b"SCN", b"sc", b"scn", b"G", b"g", b"RG", b"rg", b"K", b"k"})
_TEXT_STATE = frozenset({b"Tc", b"Tw", b"Tz", b"TL", b"Tf", b"Tr", b"Ts"})
_TEXT = frozenset({b"Td", b"TD", b"Tm", b"T*", b"Tj", b"TJ", b"'", b'"'})
_MARKS = frozenset({b"BMC", b"BDC", b"EMC", b"MP", b"DP"})
_ANYWHERE = _STATE | _COLOUR | _TEXT_STATE | _MARKS
_BETWEEN = _ANYWHERE | {b"cm", b"Do", b"sh"}
# Text that is a clip (ISO 32000-1, table 106) lasts beyond the text in some readers.
_UNCLIPPED_TEXT = re.compile(rb"[\t\n\r ]*[0-3][\t\n\r ]*")
# Operators that go by a name of the resources, and where that stands (ISO 32000-1, 7.8.3).
_NAMED = {
    b"Do": "XObject",
    b"gs": "ExtGState",
    b"Tf": "Font",
    b"sh": "Shading",
    b"BDC": "Properties",
    b"DP": "Properties",
    **dict.fromkeys((b"cs", b"CS"), "ColorSpace"),
    **dict.fromkeys((b"scn", b"SCN"), "Pattern"),
}
_NAME = re.compile(rb"/([^\t\n\r ()<>\[\]/]*)")
_DEVICE_SPACES = frozenset({"DeviceGray", "DeviceRGB", "DeviceCMYK", "Pattern"})
# Content that is shown or not, depending on the reader (ISO 32000-1, 8.11.3.2).
_OPTIONAL = re.compile(rb"/(?:OC(?![A-Za-z0-9])|[^\t\n\r ()<>\[\]/]*#)")
# What may hang on a form or a picture of a look; nothing of it is drawn.
_OF_MAKERS = frozenset({"Metadata", "LastModified", "PieceInfo", "StructParent", "StructParents"})
_OF_PICTURES = frozenset(
    {
        *("Type", "Subtype", "Width", "Height", "ColorSpace", "BitsPerComponent", "Intent", "ImageMask", "Mask"),
        *("SMask", "Decode", "Interpolate", "Name", "Length", "Filter", "DecodeParms", "Matte"),
    }
)
# Pictures that every reader unpacks.
_FILTERS = frozenset({"FlateDecode", "DCTDecode", "ASCIIHexDecode", "ASCII85Decode", "LZWDecode", "RunLengthDecode"})
STANDARD_FONTS = frozenset(
    f"{family}{style}"
    for family, styles in {
        "Helvetica": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "Courier": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "Times": ("-Roman", "-Bold", "-Italic", "-BoldItalic"),
    }.items()
    for style in styles
)
_OF_STANDARD_FONTS = frozenset(
    {"Type", "Subtype", "BaseFont", "Encoding", "FirstChar", "LastChar", "Widths", "FontDescriptor"}
)
_STANDARD_ENCODINGS = frozenset({"WinAnsiEncoding", "MacRomanEncoding", "StandardEncoding", "PDFDocEncoding"})
_NESTING = {b"<<": 1, b"[": 1, b">>": -1, b"]": -1}
_DEEPEST, _MOST_STATES = 8, 28
# Bytes of a string, points of a box or a matrix of a form, samples of a side of a picture, up to which every reader
# takes them as they are (ISO 32000-1, table C.1).
_LONGEST, _LARGEST, _WIDEST = 32_767, 32_768, 10_000


class _Scanner:
    """The state of reading a content stream: states saved, marks open, a text, a path or a clip begun."""

    def __init__(self) -> None:
        self.saved = self.marks = 0
        # Names that it goes by, with the kind of each.
        self.named: set[tuple[str, str]] = set()
        self.text = self.path = self.clip = False

    def step(self, operator: bytes, operands: bytes) -> bool:
        """Takes one operator; False when it does not belong here."""
        if operator in OF_PATHS:
            return not self.text and self._path(operator)
        if self.path or self.clip:
            return False
        if operator in {b"BT", b"ET"}:
            self.text = not self.text
            return self.text is (operator == b"BT")
        if operator in _TEXT:
            return self.text
        if operator == b"Tr" and not _UNCLIPPED_TEXT.fullmatch(operands):
            return False
        if operator in _NAMED and b"<<" not in operands:
            # Of a mark the first name is its tag.
            names = _NAME.findall(operands)[operator in {b"BDC", b"DP"} :]
            self.named.update((_NAMED[operator], name.decode("latin-1")) for name in names)
        if operator in {b"q", b"Q"}:
            self.saved += 1 if operator == b"q" else -1
            return not self.text and 0 <= self.saved <= _MOST_STATES
        if operator in {b"BDC", b"DP"} and _OPTIONAL.search(operands):
            return False
        if operator in _MARKS - {b"MP", b"DP"}:
            self.marks += -1 if operator == b"EMC" else 1
            return self.marks >= 0
        return operator in (_ANYWHERE if self.text else _BETWEEN)

    def _path(self, operator: bytes) -> bool:
        if operator in PAINT:
            self.path = self.clip = False
        elif operator in CLIPS:
            if not self.path:
                return False
            self.clip = True
        elif self.clip or not (self.path or operator in {b"m", b"re"}):
            return False
        else:
            self.path = True
        return True

    @property
    def ended(self) -> bool:
        return not (self.saved or self.marks or self.text or self.path or self.clip)


def pieces(content: bytes, census: Census) -> Iterator[tuple[bytes, bytes]]:
    """Each operator with its operands. One that is none, b"", where the stream is not written plainly; what stands
    behind the last operator is one of these where it is more than space and comments. Raises PdfError when it is too
    long.
    """
    at = operands = depth = 0
    while at < len(content):
        census.count(1)
        end = value_behind(content, at)
        if end is None and (comment := _COMMENT.match(content, at)) is not None:
            end = comment.end()
        if end is not None and end - at <= _LONGEST:
            depth += _NESTING.get(content[at:end], 0)
            at = end
            continue
        found = _OPERATOR.match(content, at)
        if found is None or depth:
            yield b"", content[operands:at]
            return
        yield found[0], content[operands:at]
        at = operands = found.end()
    if depth or _COMMENT.sub(b"", content[operands:]).strip(b"\x00\t\n\f\r "):
        yield b"", content[operands:]


def keeps_to_itself(content: bytes, census: Census, resources: Mapping[str, Collection[str]]) -> bool:
    """Tells whether a content stream is written plainly, undoes what it does, and goes by names of its own resources
    alone: others are looked for elsewhere, and readers differ in where. `resources`: names by kind. Raises PdfError
    when it is too long.
    """
    scanner = _Scanner()
    if not all(scanner.step(operator, operands) for operator, operands in pieces(content, census)):
        return False
    return scanner.ended and all(
        name in resources.get(kind, ()) or (kind == "ColorSpace" and name in _DEVICE_SPACES)
        for kind, name in scanner.named
    )


def drawn_by_itself(document: Document, holder: PdfObject, seen: set[int], is_new: Callable[[int], bool]) -> bool:
    """Tells whether a form, and every form and pattern that it draws, keeps to itself, and everything in it is drawn by
    every reader. `seen`: numbers of those that were looked at before, which grows; `is_new`: whether an object came
    with it. Raises PdfError.
    """
    waiting: list[tuple[PdfObject, int]] = [(holder, 0)]
    while waiting:
        each, depth = waiting.pop()
        if each.number in seen:
            continue
        seen.add(each.number)
        if not _is_drawn_by_all(document, each):
            return False
        if each.value.get("Subtype") == "Image":
            waiting += ((more, depth + 1) for more in _streams(document, Array([each.value.get("SMask")])))
            waiting += ((more, depth + 1) for more in _streams(document, Array([each.value.get("Mask")])))
            continue
        resources = document.resolve(each.value.get("Resources"))
        names = _names(document, resources)
        if depth > _DEEPEST or not keeps_to_itself(document.stream_of(each), document.census, names):
            return False
        if not isinstance(resources, Dict):
            continue
        # Glyphs and masks that are content streams themselves: no signature needs them.
        named = document.resolve(resources.get("Font"))
        if isinstance(named, Dict) and not all(_is_a_font_apart(document, font, is_new) for font in named.values()):
            return False
        fonts, states = (_values(document, resources.get(key)) for key in ("Font", "ExtGState"))
        if any("CharProcs" in font for font in fonts) or any("SMask" in state for state in states):
            return False
        for key in ("XObject", "Pattern"):
            waiting += ((more, depth + 1) for more in _streams(document, resources.get(key)))
    return True


def _has_a_plain_place(document: Document, value: Dict) -> bool:
    """Tells whether a form has a box, a matrix of six numbers, if any, and a group of colours that every reader
    knows.
    """
    box = document.resolve(value.get("BBox"))
    matrix = document.resolve(value.get("Matrix", [1, 0, 0, 1, 0, 0]))
    group = document.resolve(value.get("Group", Dict()))
    space = document.resolve(group.get("CS")) if isinstance(group, Dict) else None
    return (
        all(isinstance(each, list) and all(_is_moderate(n) for n in each) for each in (box, matrix))
        and (len(box), len(matrix)) == (4, 6)
        and isinstance(group, Dict)
        and (space is None or space in _DEVICE_SPACES or (isinstance(space, list) and space[:1] == ["ICCBased"]))
    )


def _names(document: Document, resources: Any) -> dict[str, Dict]:
    """Resources by kind and name."""
    listed = resources.items() if isinstance(resources, Dict) else ()
    return {kind: value for kind, held in listed if isinstance(value := document.resolve(held), Dict)}


def _is_drawn_by_all(document: Document, holder: PdfObject) -> bool:
    """Tells whether a form, pattern or picture has nothing by which readers differ in whether and where they draw
    it.
    """
    value = holder.value
    if value.get("Subtype") != "Image":
        document.stream_of(holder)
        if oddly_packed(document, holder):
            return False
        if "PatternType" in value:
            return "OC" not in value
        return value.keys() <= FORM_KEYS | _OF_MAKERS and _has_a_plain_place(document, value)
    filters = document.resolve(value.get("Filter"))
    listed = filters if isinstance(filters, list) else [] if filters is None else [filters]
    sides = (document.resolve(value.get(key)) for key in ("Width", "Height"))
    return (
        value.keys() <= _OF_PICTURES | _OF_MAKERS
        and all(document.resolve(each) in _FILTERS for each in listed)
        and all(type(side) is int and 0 < side <= _WIDEST for side in sides)
    )


def _is_moderate(number: Any) -> bool:
    return type(number) in {int, float} and abs(number) <= _LARGEST


def _is_a_font_apart(document: Document, font: Any, is_new: Callable[[int], bool]) -> bool:
    """Tells whether a font is one that was there before, or has nothing of one that was. Readers know fonts by number,
    by what they hold or by their parts: they would draw the rest of the document with another.
    """
    if not isinstance(font, Ref):
        return _is_one_of_few(document, font)
    waiting = [font]
    seen: set[int] = set()
    while is_new(font[0]) and waiting:
        ref = waiting.pop()
        if ref[0] not in seen:
            seen.add(ref[0])
            if not is_new(ref[0]):
                return False
            waiting += references_in(document.value(ref[0]))
    return True


def _is_one_of_few(document: Document, font: Any) -> bool:
    """Tells whether a font is a standard one, whose signs are where they always are."""
    if not isinstance(font, Dict):
        return False
    descriptor = document.resolve(font.get("FontDescriptor"))
    return (
        font.keys() <= _OF_STANDARD_FONTS
        and font.get("Subtype") == "Type1"
        and font.get("BaseFont") in STANDARD_FONTS
        and font.get("Encoding", "WinAnsiEncoding") in _STANDARD_ENCODINGS
        and all(type(font.get(key, 0)) is int for key in ("FirstChar", "LastChar"))
        and not (isinstance(descriptor, Dict) and any(key.startswith("FontFile") for key in descriptor))
    )


def _values(document: Document, listed: Any) -> list[Dict]:
    values = document.resolve(listed)
    found = [document.resolve(each) for each in values.values()] if isinstance(values, Dict) else []
    return [each for each in found if isinstance(each, Dict)]


def _streams(document: Document, listed: Any) -> list[PdfObject]:
    values = document.resolve(listed)
    members = values.values() if isinstance(values, Dict) else values if isinstance(values, list) else ()
    refs = [ref for ref in members if isinstance(ref, Ref)]
    return [each for ref in refs if (each := document.object(ref[0])) is not None and each.stream is not None]
