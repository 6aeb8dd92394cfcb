"""Documents that are certified, countersigned and honest, and want memory to be drawn: one of each kind of picture."""

import struct
import zlib
from collections.abc import Callable, Mapping

from tests.support.hostile import signed_twice, stream

_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 300]/Resources<<%b>>/Contents 5 0 R>>"
_SHOWN = b"q 380 0 0 220 10 60 cm /X Do Q"
# Points of a side: a picture of this size is larger than what a worker may be short of without anybody noticing.
SIDE = 2400


def picture(side: int, colours: bytes = b"/DeviceRGB", depth: int = 3, more: bytes = b"") -> bytes:
    """Grey, whatever the colours are."""
    data = zlib.compress(b"\x70" * (side * side * depth), 1)
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace%b/Filter/FlateDecode%b"
    return stream(data, entries % (side, side, colours, more))


def jpeg(side: int, more: bytes = b"") -> bytes:
    """A baseline JPEG (ITU-T T.81) of one component, grey: every block is two bits."""

    def part(marker: int, body: bytes) -> bytes:
        return b"\xff%c" % marker + struct.pack(">H", len(body) + 2) + body

    one_code = b"\x01" + bytes(15) + b"\x00"
    data = b"".join(
        (
            b"\xff\xd8",
            part(0xDB, b"\x00" + b"\x01" * 64),
            part(0xC0, struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0)),
            part(0xC4, b"\x00" + one_code),
            part(0xC4, b"\x10" + one_code),
            part(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            bytes((side // 8) ** 2 // 4 + 1),
            b"\xff\xd9",
        )
    )
    entries = (
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/DeviceGray/Filter/DCTDecode"
    )
    return stream(data, entries % (side, side) + more)


def with_picture(drawn: bytes, more: Mapping[int, bytes] | None = None) -> bytes:
    return signed_twice({3: _PAGE % b"/XObject<</X 20 0 R>>", 5: stream(_SHOWN), 20: drawn, **(more or {})})


def soft_masked(count: int, side: int) -> bytes:
    """So many pictures over one another, each with a soft mask of its own."""
    names = b"".join(b"/X%d %d 0 R " % (n, 20 + 2 * n) for n in range(count))
    shown = b"".join(_SHOWN.replace(b"/X", b"/X%d" % n) + b" " for n in range(count))
    objects = {20 + 2 * n: picture(side, more=b"/SMask %d 0 R" % (21 + 2 * n)) for n in range(count)}
    masks = {21 + 2 * n: picture(side, b"/DeviceGray", 1) for n in range(count)}
    return signed_twice({3: _PAGE % (b"/XObject<<%b>>" % names), 5: stream(shown), **objects, **masks})


def stencil(side: int) -> bytes:
    row = b"\x0f" * ((side + 7) // 8)
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 1/ImageMask true/Filter/FlateDecode"
    return stream(zlib.compress(row * side, 1), entries % (side, side))


def groups(depth: int) -> bytes:
    """Transparency groups, one in another, each multiplied over what is below it."""
    state = b"/ExtGState<</G<</ca .9/BM/Multiply>>>>"
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 400 300]/Group<</S/Transparency/CS/DeviceRGB/I true>>"
    inside = b"/Resources<</XObject<</X %d 0 R>>%b>>"
    forms = {
        20 + n: stream(b".%d g 20 60 300 %d re f /G gs /X Do" % (n % 9 + 1, 50 + n), entries + inside % (21 + n, state))
        for n in range(depth)
    }
    forms[20 + depth] = stream(b"1 0 0 rg 100 100 200 200 re f", entries)
    return signed_twice({3: _PAGE % (b"/XObject<</X 20 0 R>>" + state), 5: stream(b"/G gs /X Do"), **forms})


def patterned() -> bytes:
    """A tiling pattern whose cell is a picture."""
    cell = stream(
        b"200 0 0 200 0 0 cm /X Do",
        b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 200 200]/XStep 200/YStep 200"
        b"/Resources<</XObject<</X 21 0 R>>>>",
    )
    shown = stream(b"/Pattern cs /P scn 0 0 400 300 re f")
    return signed_twice({3: _PAGE % b"/Pattern<</P 20 0 R>>", 5: shown, 20: cell, 21: picture(SIDE)})


PICTURES: Mapping[str, Callable[[], bytes]] = {
    "three colours": lambda: with_picture(picture(SIDE)),
    "four colours": lambda: with_picture(picture(SIDE, b"/DeviceCMYK", 4)),
    "palette": lambda: with_picture(picture(SIDE, b"[/Indexed/DeviceRGB 255<%b>]" % (b"204060" * 256), 1)),
    "colour key": lambda: with_picture(picture(SIDE, more=b"/Mask[0 9 0 9 0 9]")),
    "JPEG, masked": lambda: with_picture(jpeg(2 * SIDE, b"/SMask 21 0 R"), {21: picture(2 * SIDE, b"/DeviceGray", 1)}),
    "stencil": lambda: with_picture(stencil(4 * SIDE)),
    "soft mask": lambda: soft_masked(1, SIDE),
    "many with soft masks": lambda: soft_masked(6, 1000),
    "groups": lambda: groups(16),
    "pattern": patterned,
}
"""By what wants the memory."""
