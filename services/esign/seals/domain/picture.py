"""Pictures of seals: how characters stand in a square seal, sizes on paper, and what an uploaded picture must be."""

from dataclasses import dataclass

from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.png import SIGNATURE, PngError, read_header, read_pixels

# State Council 国发〔1999〕25号: round seals of organisations at this level are 42 mm.
ORGANISATION_MM = 42
PERSON_MM = 20
WIDTHS_MM = range(10, 61)
MOST_BYTES = 512 * 1024
_PIXELS = range(100, 2001)
# With a transparency channel: greyscale and true colour (PNG 11.2.2).
_WITH_ALPHA = frozenset({4, 6})
_RGBA = 6
# Samples of 0 to 255. A drawn round seal leaves three quarters clear and is red throughout; scans are less clean.
_CLEAR, _INKED = 16, 128
_RED, _RED_AHEAD = 96, 32
_LEAST_CLEAR, _LEAST_INK, _LEAST_RED = 0.25, 0.02, 0.9
_MOST_NAME = 60
_MOST_PERSON = 6


@dataclass(frozen=True, slots=True)
class SquareSeal:
    """Characters of a square seal: columns from right to left, at most `rows` characters each."""

    rows: int
    columns: tuple[str, ...]


def square(name: str) -> SquareSeal:
    """Arranges a person's name of 2 to 6 characters: 姓名 → 姓名之印 in two columns, 张三丰 → 张三丰印.

    Raises DocumentUnfitError.
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


def check_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels of a PNG. Raises DocumentUnfitError: every chunk must be whole and of a picture, the
    picture nearly square, with a transparency channel, and nothing may follow it.
    """
    if len(png) > MOST_BYTES:
        raise _unfit("PICTURE_TOO_LARGE", f"larger than {MOST_BYTES} bytes", f"图像超过 {MOST_BYTES // 1024} KiB")
    if not png.startswith(SIGNATURE):
        raise _unfit("PICTURE_KIND", "not a PNG", "印章图像应为 PNG")
    try:
        header = read_header(png)
    except PngError as cause:
        raise _damaged(cause) from cause
    width, height = header.width, header.height
    if width not in _PIXELS or height not in _PIXELS or not 0.8 <= width / height <= 1.25:
        raise _unfit(
            "PICTURE_SIZE", "100 to 2000 pixels a side, nearly square", "边长应为 100 至 2000 像素，近似正方形"
        )
    if header.colour not in _WITH_ALPHA:
        raise _unfit("PICTURE_OPAQUE", "the background must be transparent", "印章图像背景应为透明")
    return width, height


def check_uploaded(png: bytes) -> tuple[int, int]:
    """`check_size`, and what the pixels show: transparent ground, red ink, neither empty nor a filled block. Raises
    DocumentUnfitError.
    """
    size = check_size(png)
    header = read_header(png)
    if header.depth != 8 or header.interlaced or header.colour != _RGBA:
        raise _unfit(
            "PICTURE_COLOUR", "8 bits of red, green, blue and alpha, not interlaced", "须为 8 位 RGBA、非隔行扫描的 PNG"
        )
    try:
        pixels = read_pixels(png)
    except PngError as cause:
        raise _damaged(cause) from cause
    red, green, blue, alpha = (pixels[:, :, at] for at in range(4))
    clear, inked = float((alpha < _CLEAR).mean()), alpha >= _INKED
    if clear < _LEAST_CLEAR:
        raise _unfit("PICTURE_OPAQUE", "the background must be transparent", "印章图像背景应为透明")
    if float(inked.mean()) < _LEAST_INK:
        raise _unfit("PICTURE_EMPTY", "there is nothing to see", "印章图像没有可见内容")
    redness = (red >= _RED) & (red - green >= _RED_AHEAD) & (red - blue >= _RED_AHEAD)
    if float(redness[inked].mean()) < _LEAST_RED:
        raise _unfit("PICTURE_COLOUR", "a seal is red", "印章图像应为红色")
    return size


def _damaged(cause: PngError) -> DocumentUnfitError:
    if cause.reason == "EXTRA":
        return _unfit("PICTURE_EXTRA", str(cause), "图像文件附有与图像无关的内容")
    return _unfit("PICTURE_DAMAGED", "the PNG is damaged or something follows it", "图像文件已损坏或附有多余内容")


def _unfit(reason: str, en: str, zh: str) -> DocumentUnfitError:
    return DocumentUnfitError(reason, en, zh)
