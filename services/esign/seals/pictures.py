"""Draws seal pictures as PNG, by typst, with the font of the documents.

Rare work (once a seal), so every call compiles afresh and shares nothing.
"""

import dataclasses
import json
from typing import Any

import typst

from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.png import without_colours
from services.esign.pages import fonts
from services.esign.pages.layout import TEMPLATES_DIR, require_coverage
from services.esign.seals.domain import picture as seal_picture
from services.esign.ses.domain.values import Picture

# Sharp on paper (331 pixels at 42 mm), small enough to lie in every signature.
_PIXELS_PER_INCH = 200.0


def round_seal(name: str) -> Picture:
    """Round seal of an organisation: ring, star, name on the arc. Raises DocumentUnfitError,
    CharacterNotCoveredError.
    """
    seal_picture.check_round(name)
    require_coverage([("name", name)])
    return _draw({"shape": "round", "name": name}, seal_picture.ORGANISATION_MM)


def square_seal(name: str) -> Picture:
    """Square seal of a person. Raises DocumentUnfitError, CharacterNotCoveredError."""
    arranged = seal_picture.square(name)
    require_coverage([("name", "".join(arranged.columns))])
    return _draw({"shape": "square", **dataclasses.asdict(arranged)}, seal_picture.PERSON_MM)


def uploaded(png: bytes, width_mm: int) -> Picture:
    """A checked picture `width_mm` wide on paper, in its own proportions. Raises DocumentUnfitError."""
    if width_mm not in seal_picture.WIDTHS_MM:
        raise DocumentUnfitError("PICTURE_WIDTH", "10 to 60 mm wide", "印章宽度应为 10 至 60 毫米")
    width, height = seal_picture.check_uploaded(png)
    return Picture("png", without_colours(png), width_mm, max(1, round(width_mm * height / width)))


def _draw(content: dict[str, Any], size_mm: int) -> Picture:
    try:
        drawn = typst.compile(
            str(TEMPLATES_DIR / "seal_picture.typ"),
            root=str(TEMPLATES_DIR),
            font_paths=fonts.read(),
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps({**content, "size": size_mm}, ensure_ascii=False)},
            format="png",
            ppi=_PIXELS_PER_INCH,
        )
    except typst.TypstError as cause:
        raise DocumentUnfitError("LAYOUT", "the seal cannot be drawn", "印章图像无法生成") from cause
    if not isinstance(drawn, bytes):
        raise DocumentUnfitError("LAYOUT", "the seal cannot be drawn", "印章图像无法生成")
    seal_picture.check_size(drawn)
    return Picture("png", drawn, size_mm, size_mm)
