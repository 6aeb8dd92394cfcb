"""Documents by form: what is written into a page stands where the engine would have put it."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import zxingcpp

from services.esign.certification.domain.trust import Trust
from services.esign.domain.errors import CharacterNotCoveredError
from services.esign.domain.pdf import walk as pdf_walk
from services.esign.domain.pdf.document import Document
from services.esign.domain.verdict import Outcome
from services.esign.pages import layout
from services.esign.pages.domain.certificates import CertificateData, digest
from services.esign.pages.forms import Forms
from services.esign.seals import pictures as seal_pictures
from services.esign.signing.domain import pades
from tests.support.esign import NOW_US, certificate_data, setting
from tests.support.verdicts import judged

HOST = "hub.nmg.example"
CHARACTER = re.compile(r' x="([-\d.]+)" y="([-\d.]+)"[^>]* c="(.*?)"')
# Points.
AGREES = 0.03
COMMON = [chr(point) for point in range(0x4E00, 0x9FA6)]


def content(data: CertificateData) -> str:
    """As long as a code's content is, and always the same for the same data."""
    return f"https://{HOST}/v#{digest(data).hex() * 2}"


def by_form(data: CertificateData) -> bytes:
    layout.laid_out_here(data, HOST, content(data), NOW_US)
    found = layout.filled(data, HOST, content(data), NOW_US)
    assert found is not None, data.facts
    return found


def by_engine(data: CertificateData) -> bytes:
    return layout.typeset_here(data, HOST, content(data), NOW_US)


def random_data(random: Random) -> CertificateData:
    def han(most: int) -> str:
        return "".join(random.choice(COMMON) for _ in range(random.randint(2, most)))

    def mixed() -> str:
        kinds = (lambda: han(4), lambda: f"{random.randint(1, 99999)}AB", lambda: random.choice("，。、；：（）《》！"))
        return "".join(random.choice(kinds)() for _ in range(random.randint(1, 12)))

    facts = {
        "name": random.choice((han(4), han(14), f"{han(5)}·{han(6)}")),
        "id_type": random.choice(("居民身份证", "外国人永久居留身份证", "普通护照")),
        "id_number": random.choice(("150102199001010000", "E12345678", "15010219900101000X")),
    }
    if random.random() < 0.7:
        facts |= {"from": "2006年1月1日", "to": f"20{random.randint(10, 26)}年{random.randint(1, 12)}月31日"}
    if random.random() < 0.5:
        facts["sex"] = random.choice("男女")
    if random.random() < 0.7:
        facts["purpose"] = mixed().replace("（（（", "（")[:60]
    return replace(certificate_data(number=f"NCR{random.randrange(10**13):013}"), facts=facts)


def judge(*command: str, within: Path | None = None) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (make test-deps)")
    return subprocess.run(command, capture_output=True, cwd=within, check=False).stdout.decode()


def characters(folder: Path, pages: Iterable[bytes]) -> list[list[tuple[float, float, str]]]:
    """What MuPDF reads on each page: each character with its place, line by line."""
    names = []
    for page in pages:
        names.append(f"{len(names)}.pdf")
        (folder / names[-1]).write_bytes(page)
    read = judge("mutool", "draw", "-q", "-F", "stext", "-o", "-", *names, within=folder).split("<page ")[1:]
    assert len(read) == len(names)
    return [sorted((round(float(y)), float(x), c) for x, y, c in CHARACTER.findall(page)) for page in read]


def picture(folder: Path, page: bytes) -> np.ndarray:
    """The page as MuPDF draws it, grey, 144 pixels an inch."""
    (folder / "page.pdf").write_bytes(page)
    judge("mutool", "draw", "-q", "-r", "144", "-c", "gray", "-o", "page.pgm", "page.pdf", within=folder)
    raw = (folder / "page.pgm").read_bytes()
    size = re.match(rb"P5\s+(?:#.*\s)*(\d+)\s+(\d+)\s+255\s", raw)
    assert size is not None
    return np.frombuffer(raw, np.uint8, offset=size.end()).reshape(int(size[2]), int(size[1])).astype(int)


def test_form_and_engine_place_every_character_alike(tmp_path: Path) -> None:
    """Names short and long, dots, mixed scripts, every optional fact: the same characters at the same places."""
    random = Random(20260601)
    documents = [random_data(random) for _ in range(24)]
    found = characters(tmp_path, [page for data in documents for page in (by_form(data), by_engine(data))])
    for ours, theirs, data in zip(found[::2], found[1::2], documents, strict=True):
        assert [c for *_, c in ours] == [c for *_, c in theirs], data.facts
        assert max(abs(a[1] - b[1]) for a, b in zip(ours, theirs, strict=True)) < AGREES, data.facts


def test_both_draw_the_same_picture_and_the_same_text(tmp_path: Path) -> None:
    """Rare characters, a name that wraps, all facts: pictures differ by the shading of edges at most, text not at all;
    the code is read off the picture.
    """
    for name in ("测试𬭎㛃𠅤𪤗", "阿卜杜热依木江·麦麦提艾力图尔荪古丽巴哈尔"):
        data = certificate_data(name=name)
        data = replace(data, facts={**data.facts, "sex": "男", "nationality": "中国", "purpose": "入职（教育）、出国"})
        ours, theirs = picture(tmp_path, by_form(data)), picture(tmp_path, by_engine(data))
        # The code's edges are drawn by another rule where it has one bit a pixel: it is read instead.
        corner = ours[1320:1560, 150:350].astype(np.uint8)
        assert zxingcpp.read_barcodes(corner)[0].text == content(data)
        ours[1320:1560, 150:350] = theirs[1320:1560, 150:350] = 0
        assert np.count_nonzero(abs(ours - theirs) > 96) < 12
        texts = []
        for page in (by_form(data), by_engine(data)):
            (tmp_path / "text.pdf").write_bytes(page)
            texts.append(judge("pdftotext", "-layout", str(tmp_path / "text.pdf"), "-"))
        assert texts[0] == texts[1]


def test_an_uploaded_seal_is_drawn_in_place_of_the_hubs_own(tmp_path: Path) -> None:
    """By form and by engine alike, for this seal only; the code beside it is still each document's own."""
    plain = certificate_data()
    data = replace(plain, picture=seal_pictures.round_seal("包头市公安局昆都仑区分局").data)
    ours, theirs = picture(tmp_path, by_form(data)), picture(tmp_path, by_engine(data))
    assert zxingcpp.read_barcodes(ours[1320:1560, 150:350].astype(np.uint8))[0].text == content(data)
    ours[1320:1560, 150:350] = theirs[1320:1560, 150:350] = 0
    assert np.count_nonzero(abs(ours - theirs) > 96) < 12
    drawn = picture(tmp_path, by_form(plain))
    drawn[1320:1560, 150:350] = 0
    assert np.count_nonzero(abs(ours - drawn) > 96) > 1000
    assert digest(data) == digest(plain)


def test_a_filled_form_is_pdf_a_2b_as_the_engine_makes_it(tmp_path: Path) -> None:
    """One revision without faults, output intent, fonts embedded with the widths that they are used with, metadata that
    say the same in both places, nothing of the form's own marks left.
    """
    data = certificate_data()
    page = by_form(data)
    (tmp_path / "a.pdf").write_bytes(page)
    assert "No syntax or stream encoding errors" in judge("qpdf", "--check", str(tmp_path / "a.pdf"))
    fonts = judge("pdffonts", str(tmp_path / "a.pdf")).splitlines()[2:]
    assert len(fonts) == 2
    assert all(
        re.search(r"^[A-Z]{6}\+NotoSerifSC-Regular\S* +CID Type 0C +Identity-H +yes yes yes", row) for row in fonts
    )
    document = Document(page)
    assert len(pdf_walk.walk(document)) == 1
    assert "OutputIntents" in document.catalog()
    metadata = re.search(rb"<x:xmpmeta.*</x:xmpmeta>", page, re.DOTALL)
    assert metadata is not None
    text = metadata[0].decode()
    for expected in (
        "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>",
        f"无犯罪记录证明 {data.number}<",
        "<xmp:CreateDate>2026-06-01T04:00:00+00:00<",
    ):
        assert expected in text
    assert f"无犯罪记录证明 {data.number}".encode("utf-16-be").hex().upper().encode() in page
    assert b"/CreationDate(D:20260601040000Z)" in page
    assert b"FORM" not in page
    assert b"1970" not in page
    identifiers = re.search(rb"/ID\[\((.*?)\)\((.*?)\)\]", page)
    assert identifiers is not None
    assert f"<xmpMM:DocumentID>{identifiers[1].decode()}<" in text
    assert f"<xmpMM:InstanceID>{identifiers[2].decode()}<" in text


def test_a_filled_form_is_sealed_as_any_page() -> None:
    """Signed at once, without the strict reader, and judged VALID; every document has an identity of its own."""
    data = certificate_data()
    page = by_form(data)
    signed = pades.sign(page, setting().seal, NOW_US)
    trust = Trust((setting().root.certificate,))
    assert judged(signed, trust=trust, now_us=NOW_US + 60_000_000).outcome is Outcome.VALID
    other = by_form(certificate_data(number="NCR15260601000002"))
    identity = re.compile(rb"/ID\[.*?\]")
    assert identity.findall(page) != identity.findall(other)
    assert by_form(data) == page


@pytest.mark.parametrize("name", ["JOHN SMITH", "O'Neill", "王-李", "“王”", "·王", "（（（王"])
def test_what_a_form_cannot_hold_is_laid_out_by_the_engine(name: str) -> None:
    """Spaces, Latin punctuation, rows of brackets: the same document, only slower."""
    data = certificate_data(name=name)
    page = layout.laid_out_here(data, HOST, content(data), NOW_US)
    assert layout.filled(data, HOST, content(data), NOW_US) is None
    assert page == by_engine(data)


def test_a_missing_character_is_refused_on_either_way() -> None:
    """A typed error before anything is made, by form and by engine alike."""
    data = certificate_data(name="王\U000e0000")
    for make in (layout.filled, layout.laid_out_here, layout.typeset_here):
        with pytest.raises(CharacterNotCoveredError):
            make(data, HOST, "https://hub.nmg.example/v#", NOW_US)


@pytest.mark.parametrize("width", [400.0, 436.6, 500.0])
def test_a_form_that_disagrees_with_the_engine_is_not_used(width: float) -> None:
    """A template that says another width than it uses, by a fraction of a point or by much: its documents are laid out
    by the engine, one by one.
    """
    data, typesetter, forms = certificate_data(), layout.Typesetter(), Forms(layout.font())

    def describe(asked: CertificateData, host: str) -> dict[str, object]:
        return {**typesetter.describe(asked, host), "width": width}

    forms.learn(data, HOST, typesetter.page, describe)
    assert forms.fill(data, HOST, content(data), NOW_US) is None


def test_every_glyph_of_the_font_can_be_written() -> None:
    """No program in it is of a kind that the writer refuses."""
    font = layout.font()
    subset = font.outlines.subset(b"ABCDEF+A", sorted(font.glyphs[point] for point in list(font.glyphs)[::97]))
    assert len(subset) > 50_000
