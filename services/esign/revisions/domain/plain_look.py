"""Looks of seals, which stand over print: lines, areas and pictures in colours that print has not.

Whether a look hides what was signed, or adds to it, is asked of one renderer. So over signs it may hold nothing that
another one draws in another way or leaves out, and nothing that could hide print or be taken for it: no text, whose
signs each reader has from a font of its own, no black, no white.
"""

import re
import zlib
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import Dict, PdfError
from services.esign.revisions.domain import additions
from services.esign.revisions.domain.content_stream import pieces


def _numbers(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"[\t\n\r ]*(?:-?(?:\d{1,5}(?:\.\d{0,9})?|\.\d{1,9})(?:[\t\n\r ]+|\Z)){%d}[\t\n\r ]*" % count)


_NAMED = re.compile(rb"[\t\n\r ]*/([^\t\n\r ()<>\[\]/#]{1,32})[\t\n\r ]*")
_WIDTH = re.compile(rb"[\t\n\r ]*\d{1,3}(?:\.\d{0,6})?[\t\n\r ]*")
_TAG = re.compile(rb"[\t\n\r ]*/[A-Za-z]+[\t\n\r ]*")
_NOTHING = _numbers(0)
_OPERANDS = {
    **dict.fromkeys((b"q", b"Q", b"h", b"f", b"f*", b"S", b"n", b"W", b"EMC"), _NOTHING),
    **dict.fromkeys((b"cm", b"c"), _numbers(6)),
    **dict.fromkeys((b"re",), _numbers(4)),
    **dict.fromkeys((b"m", b"l"), _numbers(2)),
    **dict.fromkeys((b"rg", b"RG"), _numbers(3)),
    b"w": _WIDTH,
    b"BMC": _TAG,
    b"Do": _NAMED,
    b"gs": _NAMED,
}
_FORM = frozenset({"Type", "Subtype", "FormType", "BBox", "Matrix", "Resources", "Length", "Filter"})
_PICTURE = frozenset(
    {"Type", "Subtype", "Width", "Height", "ColorSpace", "BitsPerComponent", "Filter", "Length", "SMask", "Interpolate"}
)
_COMPONENTS = {"DeviceGray": 1, "DeviceRGB": 3}
_MOST_PIXELS, _DEEPEST = 4_000_000, 4
# A seal's colour has one strong channel and one weak one, and less light than paper; shares of 1. From which share of
# opacity on a pixel has a colour.
_STRONG, _WEAK, _LIGHT, _OPAQUE = 0.5, 0.3, 0.6, 0.03
_ABOVE = {share: bytes(level > share * 255 for level in range(256)) for share in (_STRONG, _LIGHT, _OPAQUE)}
_BELOW_WEAK = bytes(level < _WEAK * 255 for level in range(256))
_FILLS, _STROKES = frozenset({b"f", b"f*"}), frozenset({b"S"})
# Bytes before one operator.
_LONGEST = 1_000


def is_plain_look(document: Document, look: Any, depth: int = 0, painting: frozenset[bytes] = frozenset()) -> bool:
    """Whether a form, and all that it draws, is of that language. `painting`: the operators whose colour was said.
    Raises PdfError where it is too much work.
    """
    holder = _stream(document, look)
    if holder is None or depth > _DEEPEST:
        return holder is None and document.resolve(look) is None
    if not holder.value.keys() <= _FORM or holder.value.get("Filter", "FlateDecode") != "FlateDecode":
        return False
    resources = document.resolve(holder.value.get("Resources", None))
    try:
        content = document.stream_of(holder)
    except PdfError as cause:
        if cause.limit:
            raise
        return False
    saved: list[frozenset[bytes]] = []
    for operator, operands in pieces(content, document.census):
        shape = _OPERANDS.get(operator)
        found = None if shape is None or len(operands) > _LONGEST else shape.fullmatch(operands)
        if found is None:
            return False
        if operator in _PAINTED:
            if not _is_of_a_seal(*map(float, operands.split())):
                return False
            painting |= _PAINTED[operator]
        elif operator in _FILLS | _STROKES and operator not in painting:
            # Black, as it is from the beginning.
            return False
        elif operator == b"q":
            saved.append(painting)
        elif operator == b"Q":
            painting = saved.pop() if saved else frozenset()
        elif operator in _KINDS:
            named = _named(document, resources, operator, found[1])
            if not (
                _is_plain_state(document, named)
                if operator == b"gs"
                else _is_plain_drawing(document, named, depth, painting)
            ):
                return False
    return True


def _is_of_a_seal(red: float, green: float, blue: float) -> bool:
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return max(red, green, blue) >= _STRONG and min(red, green, blue) <= _WEAK and light <= _LIGHT


def _named(document: Document, resources: Any, operator: bytes, name: bytes) -> Any:
    """What the resources have under a name: a reference or a value; None where there is none."""
    held = document.resolve(resources.get(_KINDS[operator])) if isinstance(resources, Dict) else None
    return held.get(name.decode("latin-1")) if isinstance(held, Dict) else None


def _is_plain_state(document: Document, state: Any) -> bool:
    value = document.resolve(state)
    return (
        isinstance(value, Dict)
        and value.keys() <= {"Type", "ca", "CA"}
        and all(type(value[key]) in {int, float} and 0 <= value[key] <= 1 for key in value.keys() & {"ca", "CA"})
    )


def _is_plain_drawing(document: Document, drawn: Any, depth: int, painting: frozenset[bytes]) -> bool:
    holder = _stream(document, drawn)
    if holder is None:
        return False
    if holder.value.get("Subtype") == "Image":
        return is_plain_picture(document, holder) and _is_in_seal_colours(document, holder)
    return is_plain_look(document, drawn, depth + 1, painting)


def is_plain_picture(document: Document, holder: PdfObject) -> bool:
    """Whether a picture is rows of grey or coloured bytes, all of them there. Raises PdfError."""
    value = holder.value
    width, height, parts = value.get("Width"), value.get("Height"), _COMPONENTS.get(str(value.get("ColorSpace")))
    if (
        not value.keys() <= _PICTURE
        or type(width) is not int
        or type(height) is not int
        or not 0 < width * height <= _MOST_PIXELS
        or parts is None
        or value.get("BitsPerComponent") != 8
        or value.get("Filter") != "FlateDecode"
        or holder.stream is None
    ):
        return False
    document.census.count(width * height // 64)
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(document.data[slice(*holder.stream)], width * height * parts + 1)
    except zlib.error:
        return False
    if len(data) != width * height * parts or not inflate.eof or inflate.unused_data.strip(b"\r\n"):
        return False
    mask = value.get("SMask")
    if mask is None:
        return "SMask" not in value
    masked = _stream(document, mask)
    return (
        masked is not None
        and "SMask" not in masked.value
        and masked.value.get("Subtype") == "Image"
        and masked.value.get("ColorSpace") == "DeviceGray"
        and is_plain_picture(document, masked)
    )


def _is_in_seal_colours(document: Document, picture: PdfObject) -> bool:
    """Whether every pixel of a plain picture that can be seen has a seal's colour. Raises PdfError."""
    mask = _stream(document, picture.value.get("SMask"))
    if mask is not None and any(mask.value.get(side) != picture.value.get(side) for side in ("Width", "Height")):
        return False
    area = picture.value["Width"] * picture.value["Height"]
    opaque = b"\x01" * area if mask is None else document.stream_of(mask).translate(_ABOVE[_OPAQUE])
    seen = int.from_bytes(opaque, "big")
    if picture.value.get("ColorSpace") != "DeviceRGB":
        return not seen
    data = document.stream_of(picture)
    strong = weak = 0
    light = []
    for part in range(3):
        channel = data[part::3]
        strong |= int.from_bytes(channel.translate(_ABOVE[_STRONG]), "big")
        weak |= int.from_bytes(channel.translate(_BELOW_WEAK), "big")
        light.append(int.from_bytes(channel.translate(_ABOVE[_LIGHT]), "big"))
    # Green and one more make a pixel light.
    return not seen & ~(strong & weak & ~(light[1] & (light[0] | light[2])))


def _stream(document: Document, value: Any) -> PdfObject | None:
    found = additions.stream_of(document, value)
    return found if found is not None and not found.loose and isinstance(found.value, Dict) else None


_KINDS = {b"gs": "ExtGState", b"Do": "XObject"}
_PAINTED = {b"rg": _FILLS, b"RG": _STROKES}
