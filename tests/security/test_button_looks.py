"""Of a button's looks the signer saw one: all of them are marks, which say nothing but yes or no."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Name
from services.esign.domain.verdict import Outcome
from tests.support.signed_pages import PRICE, outcome, page, rgb_profile, signed, signed_later
from tests.support.update_bases import form
from tests.support.updates import Draft

SQUARE = b"0 G 1 1 14 14 re S "
CROSS = SQUARE + b"3 3 m 13 13 l S"
TICK = SQUARE + b"BT /ZaDb 12 Tf 3 4 Td (4) Tj ET"
FORM = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]/SigFlags 1/DR<</Font<</ZaDb 70 0 R>>>>>>>>"
PROFILED = b"/Resources<</Font<</F1 5 0 R>>/ColorSpace<</E[/ICCBased 60 0 R]>>>>"
TICKS = b"/Resources<</Font<</ZaDb 70 0 R>>>>"


def ticked(on, off, width=16, resources=b"/Resources<<>>", font=b"/BaseFont/ZapfDingbats"):
    """What is said once a box of a certified page is ticked and a second signer has signed."""
    box = b"/BBox[0 0 %d 16]" % width
    more = {
        1: FORM,
        22: b"<</Type/Annot/Subtype/Widget/FT/Btn/T(agreed)/V/Off/AS/Off/F 4/Rect[12 40 %d 56]/P 3 0 R"
        b"/AP<</N<</Yes 26 0 R/Off 27 0 R>>>>>>" % (12 + width),
        26: form(on, box + resources),
        27: form(off, box + resources),
        60: rgb_profile(white=True),
        70: b"<</Type/Font/Subtype/Type1%b>>" % font,
    }
    draft = Draft(signed(page(PRICE, more=more), certify=MDPPerm.FILL_FORMS))
    draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes")})
    return outcome(signed_later(draft))


@pytest.mark.parametrize("width", [16, 29, 120])
def test_what_one_reader_does_not_show_is_no_mark(width):
    """Two amounts in a colour that is white to some: a box of them would be ticked from one to the other."""
    text = b"q /E cs 0 0 0 scn BT /F1 11 Tf 3 4 Td (%b) Tj ET Q"
    assert ticked(text % b"USD 9000", text % b"USD 1000", width, PROFILED) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        (CROSS, SQUARE, Outcome.VALID),
        (SQUARE, b"", Outcome.VALID),
        (b"BT /F1 9 Tf 3 4 Td (9) Tj ET", SQUARE, Outcome.INDETERMINATE),
        (b"/E cs 0 0 0 scn 3 3 10 10 re f", SQUARE, Outcome.INDETERMINATE),
        (SQUARE, b"/E cs 0 0 0 scn 3 3 10 10 re f", Outcome.INDETERMINATE),
        (b"/X Do", SQUARE, Outcome.INDETERMINATE),
    ],
)
def test_both_looks_are_marks(on, off, expected):
    """Lines and areas in plain colours come and go, no text, no picture and no colour of the form's own."""
    resources = PROFILED if b"/E" in on + off or b"/F1" in on else b"/Resources<<>>"
    assert ticked(on, off, resources=resources) is expected


@pytest.mark.parametrize(
    ("text", "font", "expected"),
    [
        (b"(4)", b"/BaseFont/ZapfDingbats", Outcome.VALID),
        (b"(44)", b"/BaseFont/ZapfDingbats", Outcome.INDETERMINATE),
        (b"(4)", b"/BaseFont/Helvetica", Outcome.INDETERMINATE),
        (b"(4)", b"/BaseFont/ZapfDingbats/Encoding<</Differences[52/a9]>>", Outcome.INDETERMINATE),
    ],
)
def test_a_tick_is_one_sign_of_the_font_of_ticks(text, font, expected):
    """Two of its signs, another font, or its codes for other signs may say more."""
    assert ticked(TICK.replace(b"(4)", text), SQUARE, resources=TICKS, font=font) is expected


@pytest.mark.parametrize(("width", "expected"), [(16, Outcome.VALID), (120, Outcome.INDETERMINATE)])
def test_a_mark_is_small(width, expected):
    """A box over a whole line draws words by its lines."""
    assert ticked(CROSS, SQUARE, width) is expected
