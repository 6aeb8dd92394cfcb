"""An empty field of a signed page is its signer's, and takes nothing away from what is printed, nor adds to it."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.seal_pictures import pictured
from tests.support.signed_pages import END_OF_PRICE, PRICE, covered, outcome, page, put, signed
from tests.support.updates import Draft

GUARANTEE = b"BT /F1 12 Tf 12 170 Td (Guarantee:) Tj 30 -30 Td (yes) Tj 0 -30 Td (no) Tj ET "
FULL, EMPTY = b"0 g 20 138 14 14 re f ", b"1 w 20.5 138.5 13 13 re S "
SECOND = b"1 w 20.5 108.5 13 13 re S"
CROSS = b"2 w 0 0 m 11 11 l S 0 11 m 11 0 l S"


@pytest.mark.parametrize(
    ("gap", "look", "expected"),
    [
        (0.6, b"(000)", Outcome.INDETERMINATE),
        (3, b"(000)", Outcome.INDETERMINATE),
        (24, b"(B agrees)", Outcome.VALID),
    ],
)
def test_a_field_right_behind_a_number_is_no_place_for_digits(gap, look, expected):
    """What stands in it in the type of the page reads as more of the number."""
    place = b"[%.2f 145 196 165]" % (END_OF_PRICE + gap)
    width = 196 - END_OF_PRICE - gap
    text = b"BT /F1 %d Tf 0 5 Td %b Tj ET" % (14 if b"0" in look else 8, look)
    assert covered(page(PRICE, place=place), text, b"%.2f 20" % width) is expected


def test_a_seal_right_behind_a_number_is_one():
    """A red seal beside the number goes on with nothing."""
    draft = Draft(signed(page(PRICE, place=b"[%.2f 140 196 170]" % (END_OF_PRICE + 3))))
    width = round(193 - END_OF_PRICE)
    look = pictured(draft, b"1 0 0 RG 2 w 4 4 %d 22 re S" % (width - 8), width, 30)
    assert outcome(put(draft, look)) is Outcome.VALID


@pytest.mark.parametrize(
    ("printed", "place", "look", "expected"),
    [
        (FULL + SECOND, b"[21.5 139.5 32.5 150.5]", b"1 g -2 -2 20 20 re f", Outcome.INDETERMINATE),
        (EMPTY + SECOND, b"[21.5 109.5 32.5 120.5]", CROSS, Outcome.INDETERMINATE),
        (EMPTY + SECOND, b"[100 80.5 131 111.5]", CROSS, Outcome.VALID),
        (FULL + SECOND, b"[100 20 131 51]", b"1 g -2 -2 20 20 re f", Outcome.VALID),
        (EMPTY + SECOND, b"[100 109.5 111 120.5]", CROSS, Outcome.INDETERMINATE),
    ],
    ids=["untick", "tick", "cross-elsewhere", "white-elsewhere", "mark-elsewhere"],
)
def test_one_colour_is_no_blank_place_within_a_sign(printed, place, look, expected):
    """A field inside a full box would empty it, one inside an empty box would tick it."""
    assert covered(page(GUARANTEE + printed, place=place), look, b"11 11") is expected


def test_a_blank_place_is_its_signers():
    """Far from print he writes what he likes, in the type of the page."""
    assert covered(page(PRICE), b"BT /F1 12 Tf 4 20 Td (Second party) Tj ET") is Outcome.VALID
