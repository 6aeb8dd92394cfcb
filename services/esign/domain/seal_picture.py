"""Pictures of seals: how characters stand in a square seal, sizes on paper, and what an uploaded picture must be."""

import struct
import zlib
from dataclasses import dataclass

from services.esign.domain.errors import DocumentUnfitError

# State Council 国发〔1999〕25号: round seals of organisations at this level are 42 mm.
ORGANISATION_MM = 42
PERSON_MM = 20
MOST_BYTES = 512 * 1024
_PIXELS = range(100, 2001)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# With a transparency channel: greyscale and true colour (PNG 11.2.2).
_WITH_ALPHA = frozenset({4, 6})
_MOST_NAME = 60
_MOST_PERSON = 6


@dataclass(frozen=True, slots=True)
class SquareSeal:
    """Characters of a square seal: columns from right to left, at most `rows` characters each."""

    rows: int
    columns: tuple[str, ...]


def square(name: str) -> SquareSeal:
    """How a person's name of 2 to 6 characters stands: 姓名 → 姓名之印 in two columns, 张三丰 → 张三丰印. Raises
    DocumentUnfitError.
    """
    # The middle dot of transliterated names is not carved.
    carved = name.replace("·", "").strip()
    if not 2 <= len(carved) <= _MOST_PERSON:
        raise _unfit("SEAL_NAME", "a square seal holds 2 to 6 characters", "方章姓名应为 2 至 6 个字")
    whole = {2: carved + "之印", 3: carved + "印", 5: carved + "印"}.get(len(carved), carved)
    rows = 2 if len(whole) == 4 else 3
    return SquareSeal(rows, tuple(whole[at : at + rows] for at in range(0, len(whole), rows)))


def check_round(name: str) -> None:
    """Raises DocumentUnfitError when the name does not fit on the arc."""
    if not 2 <= len(name) <= _MOST_NAME:
        raise _unfit("SEAL_NAME", "a round seal holds 2 to 60 characters", "圆章名称应为 2 至 60 个字")


def check_uploaded(png: bytes) -> tuple[int, int]:
    """Width and height in pixels of an uploaded PNG. Raises DocumentUnfitError: every chunk must be whole, the picture
    nearly square, with a transparency channel, and nothing may follow it.
    """
    if len(png) > MOST_BYTES:
        raise _unfit("PICTURE_TOO_LARGE", f"larger than {MOST_BYTES} bytes", f"图像超过 {MOST_BYTES // 1024} KiB")
    if not png.startswith(_SIGNATURE):
        raise _unfit("PICTURE_KIND", "not a PNG", "印章图像应为 PNG")
    at, header, kind = len(_SIGNATURE), b"", b""
    while at < len(png) and kind != b"IEND":
        if at + 12 > len(png):
            raise _damaged()
        size, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + size]
        if len(png) < at + 12 + size or zlib.crc32(kind + body) != struct.unpack_from(">I", png, at + 8 + size)[0]:
            raise _damaged()
        header = body if not header and kind == b"IHDR" else header
        at += 12 + size
    if kind != b"IEND" or at != len(png) or len(header) != 13:
        raise _damaged()
    width, height, _depth, colour = struct.unpack_from(">IIBB", header)
    if width not in _PIXELS or height not in _PIXELS or not 0.8 <= width / height <= 1.25:
        raise _unfit("PICTURE_SIZE", "100 to 2000 pixels a side, nearly square", "边长应为 100 至 2000 像素,近似正方形")
    if colour not in _WITH_ALPHA:
        raise _unfit("PICTURE_OPAQUE", "the background must be transparent", "印章图像背景应为透明")
    return width, height


def _damaged() -> DocumentUnfitError:
    return _unfit("PICTURE_DAMAGED", "the PNG is damaged or something follows it", "图像文件已损坏或附有多余内容")


def _unfit(reason: str, en: str, zh: str) -> DocumentUnfitError:
    return DocumentUnfitError(reason, en, zh)
