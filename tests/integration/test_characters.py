"""Names with rare characters: which the font has, that they come back out of the document, and that no other is lost."""

import bz2
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.esign.domain.errors import CharacterNotCoveredError
from services.esign.pages import fonts, layout
from tests.support.esign import NOW_US, certificate_data, setting
from tests.support.gb18030 import BEYOND_BMP, level_1, level_2

UNIHAN = Path("/usr/share/unicode/Unihan_OtherMappings.txt.bz2")
# People with rare characters in their names, and a name of another script.
NAMES = (
    "张䶮、𬭊丹、李𫖯、刘㛃、王𬱖、赵𬭎",
    "孟犇、𫍽龘、㑇𠅤、巴特尔·阿木古郎、Aynur Imin",
    "郎凉兀嗀䴖䶊㐀鿯",
)


def test_the_table_of_general_standard_characters() -> None:
    """What the tests demand is what Unihan says of the 通用规范汉字表: 8,105 characters, 196 of them beyond the BMP."""
    if not UNIHAN.exists():
        pytest.skip("unicode-data is absent: make test-deps")
    lines = (line.split("\t") for line in bz2.decompress(UNIHAN.read_bytes()).decode().splitlines() if line[:1] == "U")
    table = {int(line[0].replace("U+", "0x"), 0) for line in lines if line[1] == "kTGH"}
    assert len(table) == 8105
    assert {point for point in table if point > 0xFFFF} == set(map(ord, BEYOND_BMP))
    assert table <= level_2()


def test_level_2_is_covered() -> None:
    """Every character of level 2 has a glyph, in the first font or, where that lacks a sign, in the second."""
    assert len(level_1()) > 28_000
    assert len(level_2() - level_1()) == 196
    assert level_2() <= layout.covered_characters()
    assert level_2() - layout.font().glyphs.keys() == fonts.SIGNS


def test_a_sign_of_the_second_font_is_drawn(tmp_path: Path) -> None:
    """The engine sets it where a form cannot; it comes back out of the page."""
    page = layout.laid_out_here(certificate_data(name="公式≒"), "h", "https://h/v#x", NOW_US)
    assert all("公式≒" in text for text in texts_of(page, tmp_path).values())


def test_beyond_level_2_each_character_is_drawn_or_refused() -> None:
    """Of the Extensions B to F the font has a few: each other one is the typed error that names it, never a box."""
    covered = layout.covered_characters()
    for point in (*range(0x20000, 0x2A6D7), *range(0x2A700, 0x2EBE1)):
        if point in covered:
            layout.require_coverage([("name", chr(point))])
            continue
        with pytest.raises(CharacterNotCoveredError) as refused:
            layout.require_coverage([("name", chr(point))])
        assert refused.value.fields["characters"] == chr(point)


def texts_of(pdf: bytes, folder: Path) -> dict[str, str]:
    path = folder / "page.pdf"
    path.write_bytes(pdf)
    found = {}
    for name, command in {
        "pdftotext": ("pdftotext", "-raw", str(path), "-"),
        "mutool": ("mutool", "draw", "-q", "-F", "txt", "-o", "-", str(path)),
    }.items():
        if shutil.which(name) is None:
            pytest.skip(f"{name} is absent: make test-deps")
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        found[name] = "".join(done.stdout.decode().split())
    return found


@pytest.mark.parametrize("lay_out", [layout.laid_out_here, layout.typeset_here], ids=["form", "engine"])
@pytest.mark.parametrize("name", [*NAMES, *(BEYOND_BMP[i : i + 40] for i in range(0, 196, 66))])
def test_names_come_back_out(name: str, lay_out: Callable[..., bytes], tmp_path: Path) -> None:
    """Two independent readers extract every rare name from the page as it was put in, character by character."""
    data, signer = certificate_data(name=name), setting().qr_signer
    for reader, text in texts_of(lay_out(data, signer.host, signer.url(data), NOW_US), tmp_path).items():
        assert "".join(name.split()) in text, reader
