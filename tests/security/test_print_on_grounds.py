"""Print on coloured grounds and tints, and print that touches rules: what a later look may do there is no more."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.verdict import Outcome
from tests.security.test_looks_over_print import FRAME, INVISIBLE, outcome, sealed_over
from tests.security.test_looks_that_go_on import WIDTH, contract, price, signed_in
from tests.support import documents as attack
from tests.support.signed_pages import END_OF_PRICE, PRICE, covered, page
from tests.support.update_bases import built, rich
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
    assert covered(document, b"1 0 0 rg 40 4 10 10 re f", b"60 50") is Outcome.VALID


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
