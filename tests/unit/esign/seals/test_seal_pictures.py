"""Seal pictures: drawn for organisations and persons, checked when uploaded."""

import struct
import tracemalloc
import zlib
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from services.esign.domain.errors import CharacterNotCoveredError, DocumentUnfitError
from services.esign.domain.png import SIGNATURE, read_pixels
from services.esign.seals import pictures as seal_pictures
from services.esign.seals.domain import picture as seal_picture
from services.esign.ses.domain.values import Picture


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


def png(
    width: int, height: int, row: bytes, *, colour: int = 6, depth: int = 8, extra: bytes = b"", packed: bytes = b""
) -> bytes:
    """A PNG whose rows are all the same; `extra`: a chunk before the end, `packed`: other compressed pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", packed or zlib.compress((b"\0" + row) * height))
    return SIGNATURE + header + pixels + (chunk(extra[:4], extra[4:]) if extra else b"") + chunk(b"IEND", b"")


RED, GREEN, CLEAR = b"\xc8\x10\x10\xff", b"\x10\xc8\x10\xff", bytes(4)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (png(200, 200, (RED + CLEAR) * 100), ""),
        (png(200, 200, RED * 200), "PICTURE_OPAQUE"),
        (png(200, 200, (b"\xc8\x10\x10" * 200), colour=2), "PICTURE_OPAQUE"),
        (png(200, 200, CLEAR * 200), "PICTURE_EMPTY"),
        (png(200, 200, (GREEN + CLEAR) * 100), "PICTURE_COLOUR"),
        (png(200, 200, (b"\x80\xff" + bytes(2)) * 100, colour=4), "PICTURE_COLOUR"),
        (png(200, 200, (RED + CLEAR) * 200, depth=16), "PICTURE_COLOUR"),
        (png(99, 99, RED * 99), "PICTURE_SIZE"),
        (png(2001, 2001, b"", packed=b"-"), "PICTURE_SIZE"),
        (png(400, 200, (RED + CLEAR) * 200), "PICTURE_SIZE"),
        (png(200, 200, (RED + CLEAR) * 100, extra=b"tEXtComment\0hello"), "PICTURE_EXTRA"),
        (png(200, 200, (RED + CLEAR) * 100, extra=b"zzZzanything"), "PICTURE_EXTRA"),
        (png(200, 200, b"", packed=zlib.compress(bytes(100_000_000))), "PICTURE_DAMAGED"),
        (png(200, 200, b"", packed=zlib.compress(bytes(1000))), "PICTURE_DAMAGED"),
        (png(200, 200, b"", packed=b"no deflate stream"), "PICTURE_DAMAGED"),
        (png(200, 200, b"", packed=zlib.compress((b"\5" + (RED + CLEAR) * 100) * 200)), "PICTURE_DAMAGED"),
    ],
)
def test_what_an_uploaded_picture_shows_is_checked(picture: bytes, reason: str) -> None:
    """Red ink on a clear ground, 8 bits, nearly square, nothing beside it; a bomb is not unpacked beyond its header."""
    tracemalloc.start()
    try:
        if reason:
            with pytest.raises(DocumentUnfitError, match=reason):
                seal_pictures.uploaded(picture, 42)
        else:
            assert seal_pictures.uploaded(picture, 42).height_mm == 42
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@given(st.integers(0, 4), st.integers(100, 110), st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_every_row_filter_is_undone(kind: int, width: int, seed: int) -> None:
    """Pixels come back whatever filter each row was written with (ISO/IEC 15948, 9)."""
    random, height, stride = Random(seed), 101, width * 4
    rows = [random.randbytes(stride) for _ in range(height)]
    written = bytearray()
    for at, row in enumerate(rows):
        own = (kind + at) % 5
        up = rows[at - 1] if at else bytes(stride)
        written.append(own)
        for i, value in enumerate(row):
            left, above = (row[i - 4] if i >= 4 else 0), up[i]
            corner = up[i - 4] if i >= 4 else 0
            guess = left + above - corner
            paeth = min((left, above, corner), key=lambda one: abs(guess - one))
            written.append((value - (0, left, above, (left + above) // 2, paeth)[own]) & 0xFF)
    found = read_pixels(png(width, height, b"", packed=zlib.compress(bytes(written))))
    assert found.astype("uint8").tobytes() == b"".join(rows)
