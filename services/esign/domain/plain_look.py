"""Looks that every reader draws alike: a closed language of operators, colours, fonts and pictures.

Whether a look hides what was signed is asked of one renderer, so over anything that was printed it may hold nothing
that another one draws in another way or leaves out, and nothing that could hide print if it did.
"""

import re
import zlib
from typing import Any

from services.esign.domain import additions
from services.esign.domain.content_stream import STANDARD_FONTS, pieces
from services.esign.domain.pdf import Document, PdfObject
from services.esign.domain.pdf_syntax import Dict, PdfError


def _numbers(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"[\t\n\r ]*(?:-?(?:\d{1,5}(?:\.\d{0,9})?|\.\d{1,9})(?:[\t\n\r ]+|\Z)){%d}[\t\n\r ]*" % count)


_STRING = re.compile(rb"[\t\n\r ]*(?:\([^()\\]*\)|<[0-9A-Fa-f]*>)[\t\n\r ]*")
_STRINGS = re.compile(
    rb"[\t\n\r ]*\[(?:\([^()\\]*\)|<[0-9A-Fa-f]*>|-?\d{1,5}(?:\.\d{0,9})?(?![0-9.])|[ \t\n\r])*\][\t\n\r ]*"
)
_NAMED = re.compile(rb"[\t\n\r ]*/([^\t\n\r ()<>\[\]/#]{1,32})[\t\n\r ]*")
_FONT = re.compile(rb"[\t\n\r ]*/([^\t\n\r ()<>\[\]/#]{1,32})[\t\n\r ]+\d{1,3}(?:\.\d{0,4})?[\t\n\r ]*")
_WIDTH = re.compile(rb"[\t\n\r ]*\d{1,3}(?:\.\d{0,6})?[\t\n\r ]*")
_TAG = re.compile(rb"[\t\n\r ]*/[A-Za-z]+[\t\n\r ]*")
_NOTHING = _numbers(0)
_OPERANDS = {
    **dict.fromkeys((b"q", b"Q", b"h", b"f", b"f*", b"S", b"n", b"W", b"BT", b"ET", b"EMC", b"T*"), _NOTHING),
    **dict.fromkeys((b"cm", b"c", b"Tm"), _numbers(6)),
    **dict.fromkeys((b"re",), _numbers(4)),
    **dict.fromkeys((b"m", b"l", b"Td"), _numbers(2)),
    **dict.fromkeys((b"g", b"G", b"TL"), _numbers(1)),
    **dict.fromkeys((b"rg", b"RG"), _numbers(3)),
    b"w": _WIDTH,
    b"Tj": _STRING,
    b"TJ": _STRINGS,
    b"BMC": _TAG,
    b"Tf": _FONT,
    b"Do": _NAMED,
    b"gs": _NAMED,
}
_FORM = frozenset({"Type", "Subtype", "FormType", "BBox", "Matrix", "Resources", "Length", "Filter"})
_PICTURE = frozenset(
    {"Type", "Subtype", "Width", "Height", "ColorSpace", "BitsPerComponent", "Filter", "Length", "SMask", "Interpolate"}
)
_COMPONENTS = {"DeviceGray": 1, "DeviceRGB": 3}
_MOST_PIXELS, _DEEPEST = 4_000_000, 4
# Shares of white and of opacity from which on paint hides what is printed: a look over print has none of it, so that
# it hides nothing in readers that draw more of it, either.
_LIGHT, _OPAQUE = 0.6, 0.25
_ABOVE = {share: bytes(level > share * 255 for level in range(256)) for share in (_LIGHT, _OPAQUE)}
_COLOURS = frozenset({b"g", b"G", b"rg", b"RG"})
# Bytes before one operator.
_LONGEST = 1_000


def is_plain_look(document: Document, look: Any, depth: int = 0) -> bool:
    """Whether a form, and all that it draws, is of that language. Raises PdfError where it is too much work."""
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
    for operator, operands in pieces(content, document.census):
        shape = _OPERANDS.get(operator)
        found = None if shape is None or len(operands) > _LONGEST else shape.fullmatch(operands)
        if found is None:
            return False
        if operator in _COLOURS and _is_light([float(each) for each in operands.split()]):
            return False
        if operator in _RESOURCES and not _RESOURCES[operator](
            document, _named(document, resources, operator, found[1]), depth
        ):
            return False
    return True


def _named(document: Document, resources: Any, operator: bytes, name: bytes) -> Any:
    """What the resources have under a name: a reference or a value; None where there is none."""
    held = document.resolve(resources.get(_KINDS[operator])) if isinstance(resources, Dict) else None
    return held.get(name.decode("latin-1")) if isinstance(held, Dict) else None


def _is_plain_font(document: Document, font: Any, _depth: int) -> bool:
    value = document.resolve(font)
    return (
        isinstance(value, Dict)
        and value.keys() <= {"Type", "Subtype", "BaseFont", "Name", "Encoding"}
        and value.get("Subtype") == "Type1"
        and value.get("BaseFont") in STANDARD_FONTS
        and value.get("Encoding", "WinAnsiEncoding") == "WinAnsiEncoding"
    )


def _is_plain_state(document: Document, state: Any, _depth: int) -> bool:
    value = document.resolve(state)
    return (
        isinstance(value, Dict)
        and value.keys() <= {"Type", "ca", "CA"}
        and all(type(value[key]) in {int, float} and 0 <= value[key] <= 1 for key in value.keys() & {"ca", "CA"})
    )


def _is_plain_drawing(document: Document, drawn: Any, depth: int) -> bool:
    holder = _stream(document, drawn)
    if holder is None:
        return False
    if holder.value.get("Subtype") == "Image":
        return is_plain_picture(document, holder) and not _whitens(document, holder)
    return is_plain_look(document, drawn, depth + 1)


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


def _is_light(colour: list[float]) -> bool:
    """By the luminance of grey or of red, green and blue (ITU-R BT.601)."""
    share = colour[0] if len(colour) == 1 else 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return share > _LIGHT


def _whitens(document: Document, picture: PdfObject) -> bool:
    """Whether a plain picture has light pixels that can hide ink. Raises PdfError."""
    data = document.stream_of(picture)
    parts = _COMPONENTS[str(picture.value.get("ColorSpace"))]
    # Of a coloured pixel green and one more make it light.
    levels = [int.from_bytes(data[part::parts].translate(_ABOVE[_LIGHT]), "big") for part in range(parts)]
    light = levels[0] if parts == 1 else levels[1] & (levels[0] | levels[2])
    mask = _stream(document, picture.value.get("SMask"))
    if mask is None or not light:
        return bool(light)
    if any(mask.value.get(side) != picture.value.get(side) for side in ("Width", "Height")):
        return True
    return bool(light & int.from_bytes(document.stream_of(mask).translate(_ABOVE[_OPAQUE]), "big"))


def _stream(document: Document, value: Any) -> PdfObject | None:
    found = additions.stream_of(document, value)
    return found if found is not None and not found.loose and isinstance(found.value, Dict) else None


_KINDS = {b"Tf": "Font", b"gs": "ExtGState", b"Do": "XObject"}
_RESOURCES = {b"Tf": _is_plain_font, b"gs": _is_plain_state, b"Do": _is_plain_drawing}
