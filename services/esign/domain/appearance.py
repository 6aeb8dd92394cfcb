"""What a signature field shows: a picture (a seal), or the first page of a small document (text set by the layout
engine, with its fonts). Both become a form XObject (ISO 32000-2, 8.10) that readers fit into the field's rectangle.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.pdf import Document
from services.esign.domain.pdf_syntax import Name, PdfError, Ref
from services.esign.domain.pdf_writer import Update, written

EMPTY = b"<</Type/XObject/Subtype/Form/BBox[0 0 0 0]/Resources<<>>/Length 0>>\nstream\n\nendstream"
"""Body of a form XObject that draws nothing."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_MOST_PIXELS = 4_000_000
# Objects that a page of text brings: fonts with their descriptors and programs, colours.
_MOST_OBJECTS = 200


class Appearance(Protocol):
    """Something that a field can show."""

    def put(self, update: Update, width: float, height: float) -> int:
        """Adds its objects to the update; the form XObject's number. Width and height of the field in points."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels, row by row from the top left: three bytes of colour each, and one of opacity where `alpha` is given.

    Drawn as large as fits, in its own proportions, in the middle.
    """

    width: int
    height: int
    rgb: bytes
    alpha: bytes = b""

    def __post_init__(self) -> None:
        pixels = self.width * self.height
        if not 0 < pixels <= _MOST_PIXELS or len(self.rgb) != 3 * pixels or len(self.alpha) not in {0, pixels}:
            raise _unfit("PICTURE_SIZE", "pixels and size of the picture do not agree", "印章图像的像素与尺寸不一致")

    @classmethod
    def of_rgba(cls, width: int, height: int, pixels: bytes) -> "Picture":
        """From four bytes a pixel. Raises DocumentUnfitError."""
        colours = bytearray(3 * (len(pixels) // 4))
        for channel in range(3):
            colours[channel::3] = pixels[channel::4][: len(pixels) // 4]
        return cls(width, height, bytes(colours), pixels[3::4])

    @classmethod
    def of_png(cls, png: bytes) -> "Picture":
        """From a PNG of 8 bits a channel, grey or true colour, not interlaced. Raises DocumentUnfitError."""
        width, height, channels, packed = _png(png)
        rows = _unfiltered(packed, width * channels, height, channels)
        colour = 3 if channels > 2 else 1
        rgb = bytearray(3 * width * height)
        for channel in range(3):
            rgb[channel::3] = rows[channel % colour :: channels]
        return cls(width, height, bytes(rgb), rows[channels - 1 :: channels] if channels in {2, 4} else b"")

    def put(self, update: Update, width: float, height: float) -> int:
        mask = b""
        if self.alpha:
            mask = b"/SMask %d 0 R" % update.add(self._image(b"DeviceGray", self.alpha, b""))
        image = update.add(self._image(b"DeviceRGB", self.rgb, mask))
        scale = min(width / self.width, height / self.height)
        wide, high = self.width * scale, self.height * scale
        content = b"q %.4f 0 0 %.4f %.4f %.4f cm /Seal Do Q" % (wide, high, (width - wide) / 2, (height - high) / 2)
        return update.add(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 %.2f %.2f]/Resources<</XObject<</Seal %d 0 R>>>>/Length %d>>"
            b"\nstream\n%b\nendstream" % (width, height, image, len(content), content)
        )

    def _image(self, space: bytes, samples: bytes, mask: bytes) -> bytes:
        packed = zlib.compress(samples, 9)
        return (
            b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/%b/BitsPerComponent 8%b/Filter/FlateDecode"
            b"/Length %d>>\nstream\n%b\nendstream" % (self.width, self.height, space, mask, len(packed), packed)
        )


@dataclass(frozen=True, slots=True)
class PageDrawing:
    """The first page of `pdf`, with everything that it needs. Readers stretch it over the field."""

    pdf: bytes

    def put(self, update: Update, width: float, height: float) -> int:
        try:
            return self._copy(update)
        except PdfError as cause:
            raise _unfit(
                cause.reason, f"the page cannot be drawn in a field: {cause}", "该页面不能作为签名外观"
            ) from cause

    def _copy(self, update: Update) -> int:
        document = Document(self.pdf)
        page = document.first_page()[1]
        copied: dict[int, int] = {}

        def own(value: Any) -> Any:
            if isinstance(value, Ref):
                if value[0] not in copied:
                    if len(copied) >= _MOST_OBJECTS:
                        raise PdfError("TOO_MANY_OBJECTS", f"more than {_MOST_OBJECTS} objects on a page")
                    copied[value[0]] = update.reserve()
                    update.put(copied[value[0]], _body(document, value[0], own))
                return Ref((copied[value[0]], 0))
            if isinstance(value, dict):
                return {key: own(member) for key, member in value.items() if key not in {"Parent", "P"}}
            return [own(member) for member in value] if isinstance(value, list) else value

        content = page.get("Contents")
        holder = document.object(content[0]) if isinstance(content, Ref) else None
        if holder is None or holder.stream is None:
            raise PdfError("PAGES", "a page with one content stream is expected", unsupported=True)
        form: dict[str, Any] = {
            "Type": Name("XObject"),
            "Subtype": Name("Form"),
            "BBox": document.resolve(page.get("MediaBox")),
            "Resources": own(document.resolve(page.get("Resources"))),
            "Length": holder.stream[1] - holder.stream[0],
        }
        form |= {key: holder.value[key] for key in ("Filter", "DecodeParms") if key in holder.value}
        return update.add(_stream(form, self.pdf[slice(*holder.stream)]))


def _body(document: Document, number: int, own: Callable[[Any], Any]) -> bytes:
    found = document.object(number)
    if found is None or found.stream is None:
        return written(own(document.resolve(Ref((number, 0)))))
    return _stream(
        {**own(found.value), "Length": found.stream[1] - found.stream[0]}, document.data[slice(*found.stream)]
    )


def _stream(entries: Mapping[str, Any], data: bytes) -> bytes:
    return b"%b\nstream\n%b\nendstream" % (written(entries), data)


def _png(png: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, channels and inflated rows. Raises DocumentUnfitError."""
    at, header, packed = len(_SIGNATURE), b"", b""
    if png.startswith(_SIGNATURE):
        while at + 12 <= len(png):
            size, kind = struct.unpack_from(">I4s", png, at)
            body = png[at + 8 : at + 8 + size]
            header = body if kind == b"IHDR" and not header else header
            packed += body if kind == b"IDAT" else b""
            at += 12 + size
    if len(header) != 13:
        raise _unfit("PICTURE_KIND", "not a PNG", "印章图像应为 PNG")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colour not in _CHANNELS or interlaced or not 0 < width * height <= _MOST_PIXELS:
        raise _unfit(
            "PICTURE_KIND",
            "a PNG of 8 bits a channel, not interlaced, up to 4 million pixels is needed",
            "印章图像应为每通道 8 位、非隔行的 PNG，不超过 400 万像素",
        )
    channels = _CHANNELS[colour]
    whole = (width * channels + 1) * height
    inflate = zlib.decompressobj()
    try:
        rows = inflate.decompress(packed, whole + 1)
    except zlib.error:
        rows = b""
    if len(rows) != whole:
        raise _unfit("PICTURE_DAMAGED", "the PNG is damaged", "图像文件已损坏")
    return width, height, channels, rows


def _unfiltered(packed: bytes, width: int, height: int, channels: int) -> bytes:
    """PNG's row filters undone (PNG 9.2). Raises DocumentUnfitError."""
    out, above = bytearray(), bytes(width)
    for start in range(0, (width + 1) * height, width + 1):
        kind, row = packed[start], bytearray(packed[start + 1 : start + 1 + width])
        if kind == 1:
            for i in range(channels, width):
                row[i] = (row[i] + row[i - channels]) & 0xFF
        elif kind == 2:
            row = bytearray([(a + b) & 0xFF for a, b in zip(row, above, strict=True)])
        elif kind == 3:
            for i in range(width):
                left = row[i - channels] if i >= channels else 0
                row[i] = (row[i] + (left + above[i]) // 2) & 0xFF
        elif kind == 4:
            _unpaeth(row, above, channels)
        elif kind:
            raise _unfit("PICTURE_DAMAGED", "the PNG is damaged", "图像文件已损坏")
        out += row
        above = bytes(row)
    return bytes(out)


def _unpaeth(row: bytearray, above: bytes, channels: int) -> None:
    for i in range(len(row)):
        left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
        guess = left + above[i] - corner
        a, b, c = abs(guess - left), abs(guess - above[i]), abs(guess - corner)
        nearest = left if a <= b and a <= c else above[i] if b <= c else corner
        row[i] = (row[i] + nearest) & 0xFF


def _unfit(reason: str, en: str, zh: str) -> DocumentUnfitError:
    return DocumentUnfitError(reason, en, zh)
