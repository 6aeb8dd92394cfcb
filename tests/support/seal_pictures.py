"""Seals as signers' programs put them on a page: a picture with its opacity, drawn by a small form."""

import zlib

import pypdfium2 as pdfium

from tests.support.update_bases import built, form
from tests.support.updates import Draft, stream

# Pixels a point.
_SCALE = 8


def pixels_of(content: bytes, width: int, height: int) -> tuple[int, int, bytes, bytes]:
    """What the content draws on nothing: width and height in pixels, three bytes of colour a pixel, one of opacity."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R/Resources<<>>>>" % (width, height)
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: page,
        4: stream(content),
    }
    document = pdfium.PdfDocument(built(objects))
    try:
        # Nothing is white here, not black: a channel that says white where it cannot be seen gives itself away.
        bitmap = document[0].render(scale=_SCALE, fill_color=(255, 255, 255, 0), force_bitmap_format=4)
        wide, high, stride = bitmap.width, bitmap.height, bitmap.stride
        data = bytes(bitmap.buffer)
    finally:
        document.close()
    rows = b"".join(data[row * stride : row * stride + 4 * wide] for row in range(high))
    colours = bytearray(3 * wide * high)
    for channel in range(3):
        colours[channel::3] = rows[2 - channel :: 4]
    return wide, high, bytes(colours), rows[3::4]


def picture_of(width: int, height: int, colours: bytes, more: bytes = b"") -> bytes:
    """An image XObject (ISO 32000-2, 8.9.5)."""
    space = b"DeviceRGB" if len(colours) == 3 * width * height else b"DeviceGray"
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/%b/BitsPerComponent 8/Filter/FlateDecode%b"
    return stream(zlib.compress(colours), entries % (width, height, space, more))


def pictured(draft: Draft, content: bytes, width: int, height: int, *, matrix: bytes = b"", more: bytes = b"") -> int:
    """Adds the look that shows what the content draws, as a picture; the form's number. `more`: behind the picture."""
    wide, high, colours, opacity = pixels_of(content, width, height)
    mask = draft.add(picture_of(wide, high, opacity))
    image = draft.add(picture_of(wide, high, colours, b"/SMask %d 0 R" % mask))
    box = b"/BBox[0 0 %d %d]%b/Resources<</XObject<</Seal %d 0 R>>>>" % (width, height, matrix, image)
    return draft.add(form(b"q %d 0 0 %d 0 0 cm /Seal Do Q " % (width, height) + more, box))
