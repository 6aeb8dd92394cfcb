"""The appearance of a signature field: a picture (a seal), or the first page of a small document (text set by the
layout engine, with its fonts). Both become a form XObject (ISO 32000-2, 8.10) that readers fit into the field's
rectangle.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from services.esign.domain import png
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, Name, PdfError, Ref
from services.esign.domain.pdf.writer import Update, written

EMPTY = b"<</Type/XObject/Subtype/Form/BBox[0 0 0 0]/Resources<<>>/Length 0>>\nstream\n\nendstream"
"""Body of a form XObject that draws nothing."""
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
    def of_png(cls, data: bytes) -> "Picture":
        """From a PNG of 8 bits a channel, grey or true colour, not interlaced. Raises DocumentUnfitError."""
        try:
            header = png.read_header(data)
            if not 0 < header.width * header.height <= _MOST_PIXELS:
                raise png.PngError("LARGE", f"more than {_MOST_PIXELS} pixels")
            samples = png.read_pixels(data).astype(np.uint8)
        except png.PngError as cause:
            raise _unfit("PICTURE_KIND", f"no picture to draw: {cause}", "印章图像不是可用的 PNG") from cause
        channels = samples.shape[2]
        colours = samples[:, :, :3] if channels > 2 else samples[:, :, :1].repeat(3, axis=2)
        alpha = samples[:, :, -1].tobytes() if channels in {2, 4} else b""
        return cls(header.width, header.height, colours.tobytes(), alpha)

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
        packed = _packed(samples)
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

        content = zlib.compress(b"\n".join(_contents(document, page)), 9)
        form: dict[str, Any] = {
            "Type": Name("XObject"),
            "Subtype": Name("Form"),
            "BBox": document.resolve(page.get("MediaBox")),
            "Resources": own(document.resolve(page.get("Resources"))),
            "Filter": Name("FlateDecode"),
            "Length": len(content),
        }
        return update.add(_stream(form, content))


@lru_cache(maxsize=64)
def _packed(samples: bytes) -> bytes:
    """One seal stands on many documents."""
    return zlib.compress(samples, 9)


def _contents(document: Document, page: Dict) -> Iterator[bytes]:
    """A page's content: one stream, or several that are read as one (ISO 32000-2, 7.7.3.3)."""
    ref = page.get("Contents")
    listed = document.resolve(ref)
    for each in listed if isinstance(listed, list) else [ref]:
        holder = document.object(each[0]) if isinstance(each, Ref) else None
        if holder is None or holder.stream is None:
            raise PdfError("PAGES", "a page without content", unsupported=True)
        yield document.stream_of(holder)


def _body(document: Document, number: int, own: Callable[[Any], Any]) -> bytes:
    found = document.object(number)
    if found is None or found.stream is None:
        return written(own(document.resolve(Ref((number, 0)))))
    return _stream(
        {**own(found.value), "Length": found.stream[1] - found.stream[0]}, document.data[slice(*found.stream)]
    )


def _stream(entries: Mapping[str, Any], data: bytes) -> bytes:
    return b"%b\nstream\n%b\nendstream" % (written(entries), data)


def _unfit(reason: str, en: str, zh: str) -> DocumentUnfitError:
    return DocumentUnfitError(reason, en, zh)
