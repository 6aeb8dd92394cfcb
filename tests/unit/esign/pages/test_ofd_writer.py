"""OFD packages from the page of the PDF: the same text in the same places, in fonts that hold it."""

import re
from dataclasses import replace
from datetime import date
from functools import cache

import pytest

from services.esign.domain.digests import SM3
from services.esign.domain.ofd.archive import read
from services.esign.pages import forms, layout
from services.esign.pages.domain import certificates
from services.esign.pages.domain.ofd import drawn, embedded_font
from services.esign.pages.domain.ofd.writer import PROTECTED, UnsealedPackage
from services.esign.pages.domain.opentype import Font
from services.esign.ses.domain.values import Picture
from tests.support.esign import NOW_US, certificate_data, setting

_MM = 25.4 / 72
_OBJECT = re.compile(
    r'<ofd:TextObject [^>]*Boundary="([-\d.]+) ([-\d.]+) [^"]*"[^>]*Size="([\d.]+)">(.*?)</ofd:TextObject>'
)
_CODE = re.compile(r'<ofd:TextCode X="0" Y="([\d.]+)"(?: DeltaX="([^"]*)")?>([^<]*)</ofd:TextCode>')


@cache
def package() -> UnsealedPackage:
    data, signer = certificate_data(), setting().qr_signer
    found = layout.ofd_laid_out_here(data, signer.host, signer.url(data), NOW_US)
    assert found is not None
    return found


def contents(found: UnsealedPackage) -> dict[str, bytes]:
    archive = read(found.sealed(b"<x/>", b"value"))
    return {name: archive.content(name, 1 << 20) for name in archive.files}


def placed(files: dict[str, bytes]) -> list[tuple[str, float, float, float]]:
    """Each character with its left edge and baseline in mm, and its size."""
    found = []
    for name in ("Doc_0/Tpls/Tpl_0/Content.xml", "Doc_0/Pages/Page_0/Content.xml"):
        for left, top, size, inside in _OBJECT.findall(files[name].decode()):
            for baseline, steps, text in _CODE.findall(inside):
                at, deltas = float(left), [float(step) for step in steps.split()]
                for character, step in zip(text, [*deltas, 0.0], strict=True):
                    found.append((character, at, float(top) + float(baseline), float(size)))
                    at += step
    return sorted(found, key=lambda each: (round(each[2], 1), each[1]))


def test_text_stands_where_the_pdf_has_it() -> None:
    """By form and laid out whole by the engine: every character in the same place, to a twentieth of a millimetre."""
    data, signer = certificate_data(), setting().qr_signer
    pdf = layout.Typesetter().typeset(forms.without_seal(data), signer.host, signer.url(data), NOW_US)
    page = drawn.read(pdf)
    expected = sorted(
        (
            (character, (text.x + offset) * _MM, (page.height - text.y) * _MM, text.size * _MM)
            for text in page.texts
            for character, offset in zip(text.characters, text.offsets, strict=True)
        ),
        key=lambda each: (round(each[2], 1), each[1]),
    )
    actual = placed(contents(package()))
    assert [each[0] for each in actual] == [each[0] for each in expected]
    for (_, *here), (_, *there) in zip(actual, expected, strict=True):
        assert here == pytest.approx(there, abs=0.05)


def test_text_can_be_searched() -> None:
    """Name, number and sentence stand under their own characters, in reading order."""
    text = "".join(character for character, *_ in placed(contents(package())))
    data = certificate_data()
    assert f"编号：{data.number}" in text
    assert f"经查询，{data.facts['name']}，居民身份证号码：{data.facts['id_number']}" in text
    assert "无犯罪记录证明" in text


def test_a_character_beyond_the_first_plane_names_its_glyph() -> None:
    """𬭎 stands by itself with its glyph, for readers that see two halves of it."""
    page = contents(package())["Doc_0/Pages/Page_0/Content.xml"].decode()
    assert re.search(
        r'CodeCount="2" GlyphCount="1"><ofd:Glyphs>\d+</ofd:Glyphs></ofd:CGTransform><ofd:TextCode[^>]*>𬭎<', page
    )


@pytest.mark.parametrize("points", [[0x41], [0x41, 0x65E0, 0x2CB4E]])
def test_an_embedded_font_draws_what_the_whole_one_draws(points: list[int]) -> None:
    """Each character has its glyph, outline and advance; characters in the order of their glyphs' numbers."""
    whole = layout.font()
    small = Font.read("small", embedded_font.build(whole, "Some Family", points))
    assert small.glyphs == embedded_font.places(whole, points)
    for point in points:
        old, new = whole.glyphs[point], small.glyphs[point]
        assert small.advances[new] == whole.advances[old]
        assert small.outlines.glyph(new).program == whole.outlines.glyph(old).program


def test_equal_documents_are_equal_bytes() -> None:
    """Nothing of the machine or the moment is in a package."""
    data, signer = certificate_data(), setting().qr_signer
    again = layout.filled_ofd(data, signer.host, signer.url(data), NOW_US)
    assert again is not None
    first = {file.name: file.data for file in package().files if file.name != "Doc_0/Res/code.png"}
    assert {file.name: file.data for file in again.files if file.name in first} == first


def test_the_signature_protects_every_file() -> None:
    """Signature.xml names each file with its SM3; the list and the signature's own files are outside."""
    files = contents(package())
    xml = package().signature_xml((1.0, 2.0, 42.0, 42.0), NOW_US).decode()
    named = dict(re.findall(r'FileRef="/([^"]+)"><ofd:CheckValue>([^<]+)<', xml))
    assert set(files) - set(named) == {
        "Doc_0/Signs/Signatures.xml",
        PROTECTED.lstrip("/"),
        "Doc_0/Signs/Sign_0/SignedValue.dat",
    }
    import base64

    assert named == {name: base64.b64encode(SM3.of(files[name])).decode() for name in named}
    assert 'PageRef="6" Boundary="1.000 2.000 42.000 42.000"' in xml


def test_a_sign_of_the_second_font_has_no_ofd() -> None:
    """What the first font lacks is drawn by the engine alone: PDF only, never an empty box."""
    data = certificate_data("甲≒乙")
    signer = setting().qr_signer
    assert layout.ofd_laid_out_here(data, signer.host, signer.url(data), NOW_US) is None


def test_text_that_no_form_holds_is_laid_out_by_the_engine() -> None:
    """Latin words in a name: the engine sets the page, and the package has it all."""
    data, signer = certificate_data("Ivanov, Ivan"), setting().qr_signer
    found = layout.ofd_laid_out_here(data, signer.host, signer.url(data), NOW_US)
    assert found is not None
    assert "Ivanov" in "".join(character for character, *_ in placed(contents(found)))


@pytest.mark.parametrize(
    ("size", "box"),
    [((42, 42), (0.0, 0.0, 1.0, 1.0)), ((60, 30), (0.0, 0.25, 1.0, 0.5)), ((20, 40), (0.25, 0.0, 0.5, 1.0))],
)
def test_a_seal_fills_its_place_in_its_own_proportions(size, box) -> None:
    """As large as the place, never stretched."""
    template = certificates.TEMPLATES[certificates.NO_CRIMINAL_RECORD]
    room = template.seal_size
    found = layout.seal_box(template, Picture("png", b"x", *size))
    expected = (template.seal_x + box[0] * room, template.seal_y + box[1] * room, box[2] * room, box[3] * room)
    assert found == pytest.approx(expected)


def test_markup_in_names_stays_text() -> None:
    """What an issuer is called is no XML."""
    data = replace(certificate_data(number="NCR15260601000777"), issuer="甲&乙<丙>", issued_on=date(2026, 6, 1))
    signer = setting().qr_signer
    found = layout.ofd_laid_out_here(data, signer.host, signer.url(data), NOW_US)
    assert found is not None
    entry = contents(found)["OFD.xml"].decode()
    assert "<ofd:Author>甲&amp;乙&lt;丙&gt;</ofd:Author>" in entry
