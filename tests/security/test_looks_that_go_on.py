"""What a later signer writes beside print goes on with it, whatever its type, its colour and the way it runs."""

import zlib

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.signed_pages import END_OF_PRICE, FONTS, PRICE, covered, outcome, page, put, signed
from tests.support.update_bases import built, form
from tests.support.updates import Draft, stream

A4 = b"[0 0 595 842]"
# Helvetica, thousandths of an em.
WIDTH = (667 + 333 + 222 + 500 + 556 + 278 + 278 + 722 + 667 + 722 + 278 + 4 * 556) / 1000
PICTURE = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode"


def contract(content: bytes, place: bytes, pages: int = 1) -> bytes:
    """Pages of A4, alike, with the second signer's place on the first."""
    numbers = [3, *range(100, 100 + pages - 1)]
    kids = b" ".join(b"%d 0 R" % each for each in numbers)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect%b/P 3 0 R>>" % place
    leaf = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>%b>>"
    return built(
        {
            1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]/SigFlags 1/DA(/F1 9 Tf 0 g)>>>>",
            2: b"<</Type/Pages/Count %d/Kids[%b]/MediaBox%b>>" % (pages, kids, A4),
            4: stream(content),
            5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
            11: b"<</Title(Contract)>>",
            22: field,
            **{each: leaf % (b"/Annots[22 0 R]" if each == 3 else b"") for each in numbers},
        }
    )


def signed_in(document: bytes, look: bytes, size: bytes) -> Outcome:
    draft = Draft(signed(document))
    return outcome(put(draft, draft.add(form(look, b"/BBox[0 0 %b]" % size + FONTS))))


def price(size: int) -> bytes:
    return b"BT /F1 %d Tf 12 750 Td (Price: USD 1300) Tj ET " % size


@pytest.mark.parametrize(("size", "pages"), [(12, 1), (14, 1), (8, 30), (12, 30), (14, 30)])
@pytest.mark.parametrize("gap", [0.0, 0.2, 0.4, 1.6])
def test_digits_behind_an_amount_go_on_with_it_at_any_scale(size: int, pages: int, gap: float) -> None:
    """Also where the field's first pixel has an edge of the last digit in it, and is not blank by that."""
    left = 12 + WIDTH * size - 0.036 * size + gap
    look = b"BT 0 g /F1 %d Tf 0.2 10 Td (000) Tj ET" % size
    document = contract(price(size), b"[%.2f 740 %.2f 770]" % (left, left + 60), pages)
    assert signed_in(document, look, b"60 30") is Outcome.INDETERMINATE


@pytest.mark.parametrize("under", [b".5 w 122 749 m 180 749 l S ", b".98 g 118 740 60 30 re f 0 g "])
def test_a_rule_or_a_shade_in_the_place_hides_no_neighbour(under: bytes) -> None:
    """A line to sign on, or a faint ground: the question what stands beside is asked all the same."""
    place = b"[%.2f 740 178 770]" % (12 + WIDTH * 14 + 0.4)
    look = b"BT 0 g /F1 14 Tf 0.2 10 Td (000) Tj ET"
    assert signed_in(contract(under + price(14), place), look, b"60 30") is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "ink", [b".3 g", b".46 g", b".2 .2 .6 rg", b".45 .45 .1 rg", b"0 .4 .1 rg", b"0 0 .6 rg", b"1 0 0 rg", b"0 0 1 rg"]
)
def test_ink_of_every_colour_goes_on_with_black(ink: bytes) -> None:
    """A digit in another colour still belongs to the number beside it."""
    place = b"[%.2f 142 190 168]" % (END_OF_PRICE + 0.6)
    look = b"BT " + ink + b" /F1 14 Tf 0.2 8 Td (000) Tj ET"
    assert covered(page(PRICE, place=place), look, b"%.2f 26" % (189.4 - END_OF_PRICE)) is Outcome.INDETERMINATE


def test_a_pale_ground_makes_no_fringe_of_a_sign() -> None:
    """A minus on a tinted look is a minus."""
    document = contract(b"BT /F1 14 Tf 12 750 Td (Price: USD) Tj 119 0 Td (1300) Tj ET ", b"[90 744 130 770]")
    look = b"1 1 .9 rg 0 0 40 26 re f BT 0 g /F1 14 Tf 34.5 6 Td (-) Tj ET"
    assert signed_in(document, look, b"40 26") is Outcome.INDETERMINATE


@pytest.mark.parametrize("gap", [1.0, 2.6, 3.5])
def test_print_that_runs_upwards_goes_on_above(gap: float) -> None:
    """The reach of a sign goes with the line that it stands in."""
    low = 300 + WIDTH * 14 - 0.036 * 14 + gap
    content = b"BT /F1 14 Tf 0 1 -1 0 100 300 Tm (Price: USD 1300) Tj ET "
    document = contract(content, b"[82 %.2f 114.2 %.2f]" % (low, low + 60))
    look = b"BT 0 g /F1 14 Tf 0 1 -1 0 18 -.4 Tm (000) Tj ET"
    assert signed_in(document, look, b"32.2 60") is Outcome.INDETERMINATE


@pytest.mark.parametrize("size", [12, 14, 18])
def test_a_sign_of_several_strokes_is_as_large_as_all_of_them(size: int) -> None:
    """Three strokes are 三, and what follows closely makes thousands of it."""

    def strokes(left: float, low: float) -> bytes:
        boxes = ((110, 700, 780, 75), (160, 400, 680, 75), (50, 60, 900, 80))
        return b"".join(
            b"%.3f %.3f %.3f %.3f re f "
            % (left + x * size / 1000, low + y * size / 1000, width * size / 1000, height * size / 1000)
            for x, y, width, height in boxes
        )

    left = 100 + size * 1.06
    document = contract(b"0 g " + strokes(100, 750), b"[%.2f 740 %.2f 770]" % (left, left + 60))
    assert signed_in(document, b"0 g " + strokes(0.04 * size, 10), b"60 30") is Outcome.INDETERMINATE


def test_small_digits_at_equal_steps_are_no_row_of_dots() -> None:
    """An account number in type of four points stays what it is: no look may hide it."""
    glyphs = {
        "1": "01100 00100 00100 00100 00100 00100 11111",
        "8": "01110 10001 10001 01110 10001 10001 01110",
        "3": "11110 00001 00001 00110 00001 00001 11110",
    }
    digits = [glyphs[each].split() for each in "831138831138831138831138"]
    rows = [
        b"".join(bytes(0 if bit == "1" else 255 for bit in glyph[row]) + b"\xff\xff" for glyph in digits)
        for row in range(7)
    ]
    width = 7 * len(digits)
    number = stream(zlib.compress(b"".join(rows)), PICTURE % (width, 7))
    text = b"BT /F1 14 Tf 12 150 Td (Pay to the account below:) Tj ET q %.2f 0 0 2.66 20 45 cm /Acc Do Q " % (
        width * 0.38
    )
    document = page(text, b"/XObject<</Acc 30 0 R>>", {30: number})
    assert covered(document) is Outcome.INDETERMINATE


@pytest.mark.parametrize("level", [243, 245])
def test_faint_print_is_print(level: int) -> None:
    """A pale word across the place is not painted over."""
    word = b"%.3f g BT /F1 30 Tf 40 35 Td (COPY) Tj ET 0 g " % (level / 255)
    assert covered(page(word + PRICE)) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("look", "gap"),
    [
        (b"BT 0 g /F1 14 Tf 20 10 Td (B) Tj ET", 0.4),
        (b"1 0 0 rg 22 4 30 22 re f", 4),
        (b"BT 0 g /F1 9 Tf 20 10 Td (Second party) Tj ET", 2),
    ],
    ids=["apart", "red", "text apart"],
)
def test_who_keeps_off_signs_as_he_likes(look: bytes, gap: float) -> None:
    """Beside print, with a space as between words and more, whatever the colour."""
    left = 12 + WIDTH * 14 + gap
    document = contract(price(14), b"[%.2f 740 %.2f 770]" % (left, left + 80))
    assert signed_in(document, look, b"80 30") is Outcome.VALID
