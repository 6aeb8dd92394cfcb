"""Print on coloured grounds and tints, and print that touches rules: what a later look may do there is no more."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from tests.security.test_looks_over_print import FRAME, INVISIBLE, outcome, printed, sealed_over
from tests.security.test_looks_that_go_on import WIDTH, contract, price, signed_in
from tests.support import documents as attack
from tests.support.seal_pictures import picture_of, pixels_of
from tests.support.signed_pages import END_OF_PRICE, PRICE, covered, page
from tests.support.update_bases import built, form, rich
from tests.support.updates import Draft

# Of Helvetica.
WIDTHS = {" ": 278, "A": 667, "E": 667, "G": 778, "H": 722, "I": 278, "L": 556, "S": 667, "T": 611}
GROUNDS = {
    "white on dark": (b".1 .1 .15 rg", b"1 g ", b"1 g"),
    "black on grey": (b".8 g", b"0 g ", b"0 g"),
    "black on blue": (b".6 .7 1 rg", b"0 g ", b"0 g"),
}
BEHIND = 12 + WIDTH * 14 + 0.4


@pytest.mark.parametrize(("ground", "ink", "later"), GROUNDS.values(), ids=GROUNDS)
def test_digits_behind_an_amount_on_a_coloured_row_go_on_with_it(ground: bytes, ink: bytes, later: bytes) -> None:
    """The row is neither print nor what hides that something came: digits in the same ink, without a seam."""
    row = ground + b" 0 735 595 40 re f " + ink + price(14)
    look = later + b" BT /F1 14 Tf 0.2 10 Td (000) Tj ET"
    assert (
        signed_in(contract(row, b"[%.2f 740 %.2f 770]" % (BEHIND, BEHIND + 60)), look, b"60 30")
        is Outcome.INDETERMINATE
    )


def test_who_keeps_off_signs_on_a_coloured_row() -> None:
    """A name on the grey row of a table, a space and more behind what stands there."""
    row = b".8 g 0 735 595 40 re f 0 g " + price(14)
    place = b"[%.2f 740 %.2f 770]" % (BEHIND + 30, BEHIND + 110)
    assert signed_in(contract(row, place), b"BT 0 g /F1 9 Tf 14 10 Td (Second party) Tj ET", b"80 30") is Outcome.VALID


def test_what_is_written_on_a_tint_has_come() -> None:
    """Grey lines of a security tint are no print: digits drawn on them alone go on with the amount beside them."""
    left = END_OF_PRICE + 0.4
    tint = b"".join(b".7 g %.2f %.1f 60 2 re f " % (left, 120 + 2.5 * n) for n in range(20))
    zeros = b"".join(
        b"%.2f %.2f %.1f 1.5 re f " % (0.2 + 9 * digit + shift, 2.5 * n + 0.25, width)
        for digit in range(3)
        for n, shift, width in ((12, 0, 7), (13, 0, 2), (13, 5, 2), (14, 0, 2), (14, 5, 2), (15, 0, 7))
    )
    document = page(tint + b"0 g " + PRICE, place=b"[%.2f 120 %.2f 170]" % (left, left + 60))
    assert covered(document, b"0 g " + zeros, b"60 50") is Outcome.INDETERMINATE


TOUCHING = {
    "white on red": (b".8 .08 .12 rg 0 110 200 70 re f 1 g 12 144.8 170 5.4 re f ", b"1 g"),
    "black, underlined": (b"0 g 12 148.6 170 1.6 re f ", b"0 g"),
}


@pytest.mark.parametrize(("ground", "ink"), TOUCHING.values(), ids=TOUCHING)
def test_letters_that_touch_a_rule_are_letters(ground: bytes, ink: bytes) -> None:
    """ILLEGAL on a rule that its letters stand on: a seal's block over "IL" makes it LEGAL."""

    def end(text: str) -> float:
        return 2 + sum(WIDTHS[sign] for sign in text) * 9 / 1000

    print_ = ground + ink + b" BT /F1 9 Tf 12 149.7 Td (THIS IS ILLEGAL) Tj ET"
    # In whole pixels of the picture, eight a point.
    left, right = (round(8 * end(text)) / 8 for text in ("THIS IS ", "THIS IS IL"))
    block = b".8 .08 .12 rg %.3f 30 %.3f 8 re f" % (left, right - left)
    assert sealed_over(print_, block) is Outcome.INDETERMINATE
    if ink == b"0 g":
        assert sealed_over(print_, FRAME) is Outcome.VALID


@pytest.mark.parametrize(
    ("lines", "expected"), [(b"", Outcome.VALID), (b"\n", Outcome.VALID), (b"\n\n", Outcome.INVALID)]
)
def test_a_save_by_mupdf_is_no_forgery(lines: bytes, expected: Outcome) -> None:
    """It leaves a line empty between the table and its trailer."""
    base = attack.foreign_sign(built(rich()), "certifier", certify=MDPPerm.FILL_FORMS)
    draft = Draft(base, before_trailer=lines)
    draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign())), 0)
    assert outcome(draft.finished()) is expected


@pytest.mark.parametrize("dot", [b"", b"0 .2 .25 rg %.2f 14 .6 .6 re f"])
def test_a_dark_dot_is_not_the_ink_of_a_letter(dot: bytes) -> None:
    """Teal digits behind teal print go on with it, whatever single pixels they have."""
    look = b"BT 0 .6 .65 rg /F1 14 Tf 0.2 10 Td (000) Tj ET " + b" ".join(dot % (1 + 8 * n) for n in range(3) if dot)
    document = contract(b"0 .6 .65 rg " + price(14), b"[%.2f 740 %.2f 770]" % (BEHIND, BEHIND + 60))
    assert signed_in(document, look, b"60 30") is Outcome.INDETERMINATE


def test_pixels_of_many_colours_are_grey_together() -> None:
    """Squares of half a point in red, green and blue by turns are dark strokes to whoever reads."""
    inks = (b"1 0 0 rg", b"0 1 0 rg", b"0 0 1 rg")
    squares = b" ".join(
        b"%b %.1f %.1f .5 .5 re f" % (inks[(x + y) % 3], 1 + digit * 8 + x / 2, 10 + y / 2)
        for digit in range(2)
        for x in range(10)
        for y in range(20)
        if x in {0, 1, 8, 9} or y in {0, 1, 18, 19}
    )
    document = contract(price(14), b"[%.2f 740 %.2f 770]" % (BEHIND, BEHIND + 60))
    assert signed_in(document, squares, b"60 30") is Outcome.INDETERMINATE


def test_white_areas_on_a_dark_row_are_white_print() -> None:
    """Print is smoothed at its edges, areas on whole pixels are not: both are white."""
    row = b"0 g 0 735 595 40 re f 1 g " + price(14)
    zeros = b" ".join(
        b"%d 10 1 10 re f %d 10 1 10 re f %d 10 6 1 re f %d 19 6 1 re f" % (at, at + 5, at, at) for at in (1, 9, 17)
    )
    place = b"[%d 740 %d 770]" % (BEHIND + 1, BEHIND + 61)
    assert signed_in(contract(row, place), b"1 g " + zeros, b"60 30") is Outcome.INDETERMINATE


def test_navy_on_yellow_is_black() -> None:
    """On a yellow row as on white paper."""
    row = b"1 1 0 rg 0 735 595 40 re f 0 g " + price(14)
    look = b"BT 0 0 .6 rg /F1 14 Tf 0.2 10 Td (000) Tj ET"
    place = b"[%.2f 740 %.2f 770]" % (BEHIND, BEHIND + 60)
    assert signed_in(contract(row, place), look, b"60 30") is Outcome.INDETERMINATE


def test_a_seal_has_one_colour() -> None:
    """A picture in seal colours by turns, pixel by pixel, is grey print."""
    width, height, colours, opacity = pixels_of(b"1 0 0 rg 90 30 8 10 re f", 180, 50)
    many = bytearray(colours)
    for pixel in range(0, width * height, 2):
        many[3 * pixel : 3 * pixel + 3] = b"\0\xb1\0"
    for inks, expected in ((colours, Outcome.VALID), (bytes(many), Outcome.INDETERMINATE)):
        draft = Draft(printed(b"BT /F1 14 Tf 12 150 Td (TOTAL 2100) Tj ET"))
        value, mask = draft.sign(), draft.add(picture_of(width, height, opacity))
        image = draft.add(picture_of(width, height, inks, b"/SMask %d 0 R" % mask))
        held = b"/BBox[0 0 180 50]/Resources<</XObject<</Seal %d 0 R>>>>" % image
        shown = draft.add(form(b"q 180 0 0 50 0 0 cm /Seal Do Q", held))
        draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
        assert outcome(draft.finished()) is expected
