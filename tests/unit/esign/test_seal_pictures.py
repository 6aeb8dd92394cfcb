"""Seal pictures: drawn for organisations and persons, checked when uploaded."""

import pytest

from services.esign import seal_pictures
from services.esign.domain import seal_picture
from services.esign.domain.errors import CharacterNotCoveredError, DocumentUnfitError
from services.esign.domain.ses import Picture


def test_pictures_are_drawn_to_size() -> None:
    """Round 42 mm and square 20 mm at 200 pixels an inch, transparent, the same bytes each time."""
    drawn = seal_pictures.round_seal("呼和浩特市公安局")
    assert (drawn.kind, drawn.width_mm, drawn.height_mm) == ("png", 42, 42)
    assert seal_picture.check_uploaded(drawn.data) == (331, 331)
    assert drawn == seal_pictures.round_seal("呼和浩特市公安局")
    assert drawn != seal_pictures.round_seal("包头市公安局")
    square = seal_pictures.square_seal("张三")
    assert (square.width_mm, seal_picture.check_uploaded(square.data)) == (20, (157, 157))


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("张三", 2, ("张三", "之印")),
        ("张三丰", 2, ("张三", "丰印")),
        ("欧阳修文", 2, ("欧阳", "修文")),
        ("阿卜杜拉·买", 3, ("阿卜杜", "拉买印")),
        ("阿卜杜拉买买", 3, ("阿卜杜", "拉买买")),
    ],
)
def test_square_seals_fill_their_field(name: str, rows: int, columns: tuple[str, ...]) -> None:
    """Names of 2 to 6 characters, filled up as seal cutters do; dots are not cut."""
    assert seal_picture.square(name) == seal_picture.SquareSeal(rows, columns)


def test_what_cannot_be_drawn_is_told() -> None:
    """Too long, too short, or a character without a glyph: a typed error, never an empty box."""
    for draw, name in ((seal_pictures.square_seal, "王"), (seal_pictures.square_seal, "一二三四五六七"),
                       (seal_pictures.round_seal, "局"), (seal_pictures.round_seal, "局" * 61)):  # fmt: skip
        with pytest.raises(DocumentUnfitError):
            draw(name)
    with pytest.raises(CharacterNotCoveredError):
        seal_pictures.round_seal("\U000e0000局公安")


def test_uploaded_pictures_are_checked() -> None:
    """A whole PNG with transparency is taken; damaged, extended, oversized or other files are not."""
    png = seal_pictures.square_seal("张三").data
    assert seal_pictures.uploaded(png, 20) == Picture("png", png, 20, 20)
    for wrong in (b"", b"GIF89a", png[:-1], png + b"<script>", png[:60] + b"\x00" + png[61:], png * 60, png[:33]):
        with pytest.raises(DocumentUnfitError):
            seal_pictures.uploaded(wrong, 20)
