"""Rules in a place that waits for a signature are not nothing: cells, lines, dots and bars say something, too."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.security.test_looks_that_go_on import contract, signed_in
from tests.support.signed_pages import covered, page


def cells(cell: int, size: int) -> bytes:
    """An amount of eight cells, the last four filled."""
    rules = b"".join(b"%d 640 m %d 680 l S " % (150 + cell * at, 150 + cell * at) for at in range(9))
    rules += b"".join(b"150 %d m %d %d l S " % (y, 150 + 8 * cell, y) for y in (640, 660, 680))
    digits = b"".join(
        b"BT /F1 %d Tf %.2f 666 Td (%b) Tj ET " % (size, 150 + at * cell + (cell - 0.556 * size) / 2, digit)
        for at, digit in ((4, b"1"), (5, b"3"), (6, b"0"), (7, b"0"))
    )
    return b".5 w " + rules + digits + b"BT /F1 11 Tf 72 666 Td (Amount) Tj ET "


@pytest.mark.parametrize(("cell", "size"), [(14, 9), (17, 10), (20, 11), (24, 12)])
def test_digits_in_cells_are_one_number(cell: int, size: int) -> None:
    """Two nines in the blank cells before it make 991 300 of 1300, however broad cells are."""
    left = 150 + 2 * cell
    look = b"".join(
        b"BT 0 g /F1 %d Tf %.2f 8 Td (9) Tj ET " % (size, at * cell + (cell - 0.556 * size) / 2) for at in (0, 1)
    )
    document = contract(cells(cell, size), b"[%d 658 %d 679]" % (left, left + 2 * cell - 4))
    assert signed_in(document, look, b"%d 21" % (2 * cell - 4)) is Outcome.INDETERMINATE


BLANKS = {
    "line": b".8 w 150 703.5 m 210 703.5 l S ",
    "dots": b"BT /F1 11 Tf 150 700 Td (.......................) Tj ET ",
}


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize(
    ("ground", "expected"), [(b"1 g 0 0 100 26 re f ", Outcome.INDETERMINATE), (b"", Outcome.VALID)]
)
def test_a_line_is_not_taken_away(blank: str, ground: bytes, expected: Outcome) -> None:
    """It closes what nobody is to fill in; a name may stand upon it."""
    document = contract(b"BT /F1 11 Tf 72 700 Td (Penalty:) Tj ET " + BLANKS[blank], b"[146 690 246 716]")
    look = ground + b"0 g BT /F1 9 Tf 24 16 Td (USD 9000) Tj ET"
    assert signed_in(document, look, b"100 26") is expected


WIDE = {
    "0": "nnwwn", "1": "wnnnw", "3": "wwnnn", "7": "nnnww", "9": "nwnwn",
}  # fmt: skip


def bars(digits: str, left: float, low: float) -> bytes:
    """Interleaved 2 of 5, 36 points high."""
    drawn, at = b"", left
    steps = [(True, 0.8), (False, 0.8)] * 2
    for one, other in zip(digits[::2], digits[1::2], strict=True):
        for bar, gap in zip(WIDE[one], WIDE[other], strict=True):
            steps += [(True, 2.0 if bar == "w" else 0.8), (False, 2.0 if gap == "w" else 0.8)]
    for is_bar, breadth in [*steps, (True, 2.0), (False, 0.8), (True, 0.8)]:
        drawn += b"%.2f %.2f %.2f 36 re f " % (at, low, breadth - 0.2) if is_bar else b""
        at += breadth
    return drawn


@pytest.mark.parametrize("ground", [b"1 g 0 0 200 56 re f 0 g ", b""])
def test_a_barcode_is_not_made_another(ground: bytes) -> None:
    """Neither painted over, nor bars between its bars."""
    document = page(
        b"BT /F1 12 Tf 12 150 Td (Scan to pay) Tj ET 0 g " + bars("00130000", 20, 60), place=b"[10 50 110 106]"
    )
    assert covered(document, ground + b"0 g " + bars("99970000", 10, 10), b"100 56") is Outcome.INDETERMINATE
