"""Looks of seals, which may stand over print: one picture, upright, in colours that print has not.

Whether a look hides what was signed, or adds to it, is asked of one renderer. So over signs a look is one picture and
nothing else: what several pieces make together, lines, curves, shares of opacity or signs of a font, other readers
draw in another way or leave out.
"""

import re
import zlib
from collections.abc import Sequence
from math import hypot
from typing import Any

import numpy as np

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.syntax import Dict, Name, PdfError
from services.esign.revisions.domain import additions, places
from services.esign.revisions.domain.content_stream import pieces
from services.esign.revisions.domain.page import known_profiles
from services.esign.revisions.domain.places import Matrix, Rectangle

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
_RESOURCES = frozenset({"XObject", "ProcSet"})
_PICTURE = frozenset(
    {"Type", "Subtype", "Width", "Height", "ColorSpace", "BitsPerComponent", "Filter", "Length", "SMask", "Interpolate"}
)
_FLATE = "FlateDecode"
_COMPONENTS = {"DeviceGray": 1, "DeviceRGB": 3}
_MOST_PIXELS, _DEEPEST = 4_000_000, 4
# Pixels of a picture a point. Every how many pixels readers may take one; points in which the share that is covered is
# compared, and by how much more of it may be covered by single pixels.
_COARSEST, _DENSEST, _STEPS, _WINDOW = 1.0, 20.0, (2, 3, 4, 5, 6, 8, 10, 12, 16), 12.0
_MOST_TIMES, _MOST_MORE = 2.0, 0.05
# Levels of opacity from which on a pixel covers what lies below.
_LEVELS = (64, 160)
_FROM = {level: bytes(each >= level for each in range(256)) for level in _LEVELS}
# A seal's colour has one strong channel and one weak one, and less light than paper; shares of 1. From which share of
# opacity on a pixel has a colour.
_STRONG, _WEAK, _LIGHT, _OPAQUE = 0.5, 0.3, 0.6, 0.03
_ABOVE = {share: bytes(level > share * 255 for level in range(256)) for share in (_STRONG, _LIGHT, _OPAQUE)}
_NEARLY_WHITE = bytes(range(217, 256))
_BELOW_WEAK = bytes(level < _WEAK * 255 for level in range(256))
# 256 times the shares of red, green and blue in how light a colour is, and the level from which on it is no black: dark
# red (160, 0, 0) is lighter, pure blue is not.
_LIGHTNESS, _LEAST_LIGHTNESS = (77, 150, 29), 45 * 256
# Bytes before one operator.
_LONGEST = 1_000


def is_plain_look(document: Document, look: Any, box: Rectangle) -> bool:
    """Tells whether a form that is fitted into a box, in points, draws one picture of that kind, or nothing. Raises
    PdfError where it is too much work.
    """
    holder = _stream(document, look)
    if holder is None:
        return document.resolve(look) is None
    matrix, bounds = _matrix(document, holder), additions.rectangle(document.resolve(holder.value.get("BBox")))
    if matrix is None or bounds is None:
        return False
    sides = zip(additions.size(box), additions.size(places.moved(bounds, matrix)), strict=True)
    scale = min(shown / side if side > 0 else 0 for shown, side in sides)
    found = _pictures(document, holder, (scale, 0, 0, scale, 0, 0), 0)
    return found is not None and found <= 1


def _pictures(document: Document, holder: PdfObject, ctm: Matrix, depth: int) -> int | None:
    """Counts the pictures that a form draws; None where it, or what it draws, holds anything else. `ctm`: of what it is
    drawn in, but for where that begins.
    """
    matrix, value = _matrix(document, holder), holder.value
    if matrix is None or depth > _DEEPEST or not value.keys() <= _FORM or value.get("Filter", _FLATE) != _FLATE:
        return None
    try:
        content = document.stream_of(holder)
    except PdfError as cause:
        if cause.limit:
            raise
        return None
    ctm = places.times(matrix, ctm)
    saved: list[Matrix] = []
    resources = document.resolve(value.get("Resources"))
    if isinstance(resources, Dict) and not resources.keys() <= _RESOURCES:
        # Colour spaces among them would make other colours of a picture's.
        return None
    total = 0
    for operator, operands in pieces(content, document.census):
        shape = _OPERANDS.get(operator)
        found = None if shape is None or len(operands) > _LONGEST else shape.fullmatch(operands)
        if found is None:
            return None
        if operator == b"q":
            saved.append(ctm)
        elif operator == b"Q" and saved:
            ctm = saved.pop()
        elif operator == b"cm":
            a, b, c, d, e, f = map(float, operands.split())
            ctm = places.times((a, b, c, d, e, f), ctm)
        elif operator == b"Do":
            drawn = _drawn(document, _named(document, resources, found[1]), ctm, depth)
            if drawn is None or total + drawn > 1:
                return None
            total += drawn
    return total


def _named(document: Document, resources: Any, name: bytes) -> Any:
    """The entry of the resources under a name: a reference or a value; None where there is none."""
    held = document.resolve(resources.get("XObject")) if isinstance(resources, Dict) else None
    return held.get(name.decode("latin-1")) if isinstance(held, Dict) else None


def _drawn(document: Document, drawn: Any, ctm: Matrix, depth: int) -> int | None:
    holder = _stream(document, drawn)
    if holder is None:
        return None
    if holder.value.get("Subtype") == "Image":
        is_plain = is_plain_picture(document, holder) and _is_in_seal_colours(document, holder)
        return 1 if is_plain and _is_alike_at_any_step(document, holder, ctm) else None
    return _pictures(document, holder, ctm, depth + 1)


def _matrix(document: Document, holder: PdfObject) -> Matrix | None:
    found = document.resolve(holder.value.get("Matrix", [1, 0, 0, 1, 0, 0]))
    if not places.is_matrix(found):
        return None
    a, b, c, d, e, f = found
    return (a, b, c, d, e, f)


def _is_alike_at_any_step(document: Document, picture: PdfObject, ctm: Matrix) -> bool:
    """Tells whether a picture covers what it covers however a reader samples it: some take single pixels, some the mean
    of those that come to one of the screen's. Raises PdfError.
    """
    mask = _stream(document, picture.value.get("SMask"))
    width, height = picture.value["Width"], picture.value["Height"]
    across, up = hypot(ctm[0], ctm[1]), hypot(ctm[2], ctm[3])
    if min(across, up) <= 0 or min(width / across, height / up) < _COARSEST:
        # Some readers move a picture by half a sample when they smooth it.
        return False
    if mask is None:
        return True
    if (density := max(width / across, height / up)) > _DENSEST:
        return False
    opacity = document.stream_of(mask)
    for level in _LEVELS:
        rows = [opacity[at : at + width].translate(_FROM[level]) for at in range(0, width * height, width)]
        steps = (each for each in _STEPS if each < 2 * density)
        if not all(_is_alike_at(rows, step, max(1, round(_WINDOW * density))) for step in steps):
            return False
    return True


def _is_alike_at(rows: Sequence[bytes], step: int, window: int) -> bool:
    """Tells of rows of ones and zeros whether in each window every `step`th pixel, wherever it begins, is one no more
    often than all of them, or little more.
    """
    side = step * max(1, -(-window // step))
    for top in range(0, len(rows), side):
        part = rows[top : top + side]
        for left in range(0, len(part[0]), side):
            every = sum(row.count(1, left, left + side) for row in part)
            most = _MOST_TIMES * every / step**2 + _MOST_MORE * (side // step) ** 2
            if every <= most:
                continue
            cut = [row[left : left + side] for row in part]
            for across in range(step):
                taken = [row[across::step].count(1) for row in cut]
                if any(sum(taken[up::step]) > most for up in range(step)):
                    return False
    return True


def is_plain_picture(document: Document, holder: PdfObject) -> bool:
    """Tells whether a picture is rows of grey or coloured bytes, or of black and white bits, all of them there. Raises
    PdfError.
    """
    value = holder.value
    width, height, bits = value.get("Width"), value.get("Height"), value.get("BitsPerComponent")
    parts = _parts_of(document, value.get("ColorSpace"))
    if (
        not value.keys() <= _PICTURE
        or type(width) is not int
        or type(height) is not int
        or not 0 < width * height <= _MOST_PIXELS
        or not (parts > 0 and (bits == 8 or bits == parts == 1))
        or value.get("Filter") not in (None, _FLATE)
        or holder.stream is None
        or holder.loose
    ):
        return False
    document.census.count(width * height // 64)
    size, data = (width * parts * bits + 7) // 8 * height, document.data[slice(*holder.stream)]
    if "Filter" in value:
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(data, size + 1)
        except zlib.error:
            return False
        if not inflate.eof or inflate.unused_data.strip(b"\r\n"):
            return False
    if len(data) != size:
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
        and masked.value.get("BitsPerComponent") == 8
        and (masked.value.get("Width"), masked.value.get("Height")) == (width, height)
        and is_plain_picture(document, masked)
    )


def is_light_picture(document: Document, holder: PdfObject) -> bool:
    """Tells whether every sample of a plain picture is nearly white. Raises PdfError."""
    if holder.value.get("BitsPerComponent") != 8:
        return False
    return not document.stream_of(holder).translate(None, _NEARLY_WHITE)


def _parts_of(document: Document, space: Any) -> int:
    """The number of components that a colour has in a space that every reader shows alike; 0 for any other. Raises
    PdfError.
    """
    found = document.resolve(space)
    if isinstance(found, list) and len(found) == 2 and document.resolve(found[0]) == "ICCBased":
        return known_profiles.parts_of(document, found[1])
    return _COMPONENTS.get(str(found), 0) if isinstance(found, Name) else 0


def _is_in_seal_colours(document: Document, picture: PdfObject) -> bool:
    """Tells whether every pixel of a plain picture that can be seen has a seal's colour. Raises PdfError."""
    mask = _stream(document, picture.value.get("SMask"))
    if mask is not None and any(mask.value.get(side) != picture.value.get(side) for side in ("Width", "Height")):
        return False
    area = picture.value["Width"] * picture.value["Height"]
    opaque = b"\x01" * area if mask is None else document.stream_of(mask).translate(_ABOVE[_OPAQUE])
    seen = int.from_bytes(opaque, "big")
    if picture.value.get("ColorSpace") != "DeviceRGB" or picture.value.get("BitsPerComponent") != 8:
        return not seen
    data = document.stream_of(picture)
    weak = 0
    strong, light = [], []
    for part in range(3):
        channel = data[part::3]
        strong.append(int.from_bytes(channel.translate(_ABOVE[_STRONG]), "big"))
        weak |= int.from_bytes(channel.translate(_BELOW_WEAK), "big")
        light.append(int.from_bytes(channel.translate(_ABOVE[_LIGHT]), "big"))
    # Green and one more make a pixel light. Pixels of several colours are grey together.
    in_colour = any(not seen & ~(one & weak & ~(light[1] & (light[0] | light[2]))) for one in strong)
    covering = b"\x01" * area if mask is None else document.stream_of(mask).translate(_FROM[_LEVELS[0]])
    return in_colour and not int.from_bytes(covering, "big") & int.from_bytes(_dark(data), "big")


def _dark(colours: bytes) -> bytes:
    """Finds which pixels are as dark as black print is where it is smoothed: navy is taken for black."""
    parts = np.frombuffer(colours, np.uint8).reshape(-1, 3)
    lightness = np.zeros(len(parts), np.uint16)
    for part, share in enumerate(_LIGHTNESS):
        lightness += parts[:, part] * np.uint16(share)
    found: bytes = (lightness < _LEAST_LIGHTNESS).astype(np.uint8).tobytes()
    return found


def _stream(document: Document, value: Any) -> PdfObject | None:
    found = additions.stream_of(document, value)
    return found if found is not None and not found.loose and isinstance(found.value, Dict) else None
