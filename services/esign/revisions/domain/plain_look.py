"""Looks of seals, which may stand over print: one picture, upright, in colours that print has not.

Whether a look hides what was signed, or adds to it, is asked of one renderer. So over signs a look is one picture and
nothing else: what several pieces make together, lines, curves, shares of opacity or signs of a font, other readers
draw in another way or leave out.
"""

import re
import zlib
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import Dict, PdfError
from services.esign.revisions.domain import additions
from services.esign.revisions.domain.content_stream import pieces

_NUMBER = rb"-?(?:\d{1,5}(?:\.\d{0,9})?|\.\d{1,9})"
_SIZE = rb"(?=[\d.]*[1-9])(?:\d{1,5}(?:\.\d{0,9})?|\.\d{1,9})"
_SPACE, _NONE = rb"[\t\n\r ]+", rb"-?0(?:\.0{0,9})?"
_TURNS = b"|".join(
    _SPACE.join(turn)
    for turn in (
        (_SIZE, _NONE, _NONE, _SIZE),
        (b"-" + _SIZE, _NONE, _NONE, b"-" + _SIZE),
        (_NONE, _SIZE, b"-" + _SIZE, _NONE),
        (_NONE, b"-" + _SIZE, _SIZE, _NONE),
    )
)
_NOTHING = re.compile(rb"[\t\n\r ]*")
_OPERANDS = {
    **dict.fromkeys((b"q", b"Q", b"EMC"), _NOTHING),
    # By quarter turns, never mirrored (ISO 32000-2, 8.3.3).
    b"cm": re.compile(rb"[\t\n\r ]*(?:%b)%b%b%b%b[\t\n\r ]*" % (_TURNS, _SPACE, _NUMBER, _SPACE, _NUMBER)),
    b"BMC": re.compile(rb"[\t\n\r ]*/[A-Za-z]+[\t\n\r ]*"),
    b"Do": re.compile(rb"[\t\n\r ]*/([^\t\n\r ()<>\[\]/#]{1,32})[\t\n\r ]*"),
}
_FORM = frozenset({"Type", "Subtype", "FormType", "BBox", "Matrix", "Resources", "Length", "Filter"})
_PICTURE = frozenset(
    {"Type", "Subtype", "Width", "Height", "ColorSpace", "BitsPerComponent", "Filter", "Length", "SMask", "Interpolate"}
)
_FLATE = "FlateDecode"
_COMPONENTS = {"DeviceGray": 1, "DeviceRGB": 3}
_MOST_PIXELS, _DEEPEST = 4_000_000, 4
# A seal's colour has one strong channel and one weak one, and less light than paper; shares of 1. From which share of
# opacity on a pixel has a colour.
_STRONG, _WEAK, _LIGHT, _OPAQUE = 0.5, 0.3, 0.6, 0.03
_ABOVE = {share: bytes(level > share * 255 for level in range(256)) for share in (_STRONG, _LIGHT, _OPAQUE)}
_BELOW_WEAK = bytes(level < _WEAK * 255 for level in range(256))
# Bytes before one operator.
_LONGEST = 1_000


def is_plain_look(document: Document, look: Any) -> bool:
    """Whether a form draws one picture of that kind, or nothing. Raises PdfError where it is too much work."""
    found = _pictures(document, look, 0)
    return found is not None and found <= 1


def _pictures(document: Document, look: Any, depth: int) -> int | None:
    """How many pictures a form draws; None where it, or what it draws, holds anything else."""
    holder = _stream(document, look)
    if holder is None:
        return 0 if document.resolve(look) is None else None
    if depth > _DEEPEST or not holder.value.keys() <= _FORM or holder.value.get("Filter", _FLATE) != _FLATE:
        return None
    try:
        content = document.stream_of(holder)
    except PdfError as cause:
        if cause.limit:
            raise
        return None
    resources = document.resolve(holder.value.get("Resources", None))
    total = 0
    for operator, operands in pieces(content, document.census):
        shape = _OPERANDS.get(operator)
        found = None if shape is None or len(operands) > _LONGEST else shape.fullmatch(operands)
        if found is None:
            return None
        if operator == b"Do":
            drawn = _drawn(document, _named(document, resources, found[1]), depth)
            if drawn is None or total + drawn > 1:
                return None
            total += drawn
    return total


def _named(document: Document, resources: Any, name: bytes) -> Any:
    """What the resources have under a name: a reference or a value; None where there is none."""
    held = document.resolve(resources.get("XObject")) if isinstance(resources, Dict) else None
    return held.get(name.decode("latin-1")) if isinstance(held, Dict) else None


def _drawn(document: Document, drawn: Any, depth: int) -> int | None:
    holder = _stream(document, drawn)
    if holder is None:
        return None
    if holder.value.get("Subtype") == "Image":
        return 1 if is_plain_picture(document, holder) and _is_in_seal_colours(document, holder) else None
    return _pictures(document, drawn, depth + 1)


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
        or value.get("Filter") != _FLATE
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
