"""Text beside a place of a later signer is where every reader has it, in colours that every reader has."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, NOWHERE, ONLY_APART, PROFILE, WHITE, here_and_apart, said, with_fonts
from tests.support.signed_pages import FONTS, covered, outcome, page, put, put_new, signed
from tests.support.update_bases import form
from tests.support.updates import Draft

UNSURE_FILL, UNSURE_STROKE = b"/E cs 0 0 0 scn ", b"/E CS 0 0 0 SCN "
WORD = b" BT /F1 6 Tf 100 74 Td (NOT) Tj ET"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (UNSURE_STROKE + b"0 Tr", EVERYWHERE),
        (UNSURE_STROKE + b"1 Tr", ONLY_APART),
        (UNSURE_STROKE + b"2 Tr", ONLY_APART),
        (UNSURE_FILL + b"0 Tr", ONLY_APART),
        (UNSURE_FILL + b"1 Tr", EVERYWHERE),
        (UNSURE_FILL + b"2 Tr", ONLY_APART),
        (b"[.01 30] 0 d 1 Tr", ONLY_APART),
        (b"[.01 30] 0 d 0 Tr", EVERYWHERE),
        (b".01 w 1 Tr", ONLY_APART),
        (b".01 w 2 Tr", ONLY_APART),
        (b".01 w 0 Tr", EVERYWHERE),
        (b"1 Tr", EVERYWHERE),
        (b"2 Tr", EVERYWHERE),
        (b"4 Tr", NOWHERE),
        (b"7 Tr", NOWHERE),
        (b"1.5 Tr", NOWHERE),
    ],
)
def test_outlines_of_signs_are_drawn_by_the_pen(state, expected):
    """By its colour, dashes and breadth, and their insides by the other colour; signs that clip are never alike."""
    assert here_and_apart(state + WORD, WHITE, PROFILE) == expected


NAME = b"STSong-Light"
CODED = {
    63: b"<</Type/Font/Subtype/Type0/BaseFont/%b-UniGB-UCS2-H/Encoding/UniGB-UCS2-H/DescendantFonts[64 0 R]>>" % NAME,
    65: b"<</Type/FontDescriptor/FontName/%b/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0/Ascent 880"
    b"/Descent -120/CapHeight 880/StemV 93>>" % NAME,
    **PROFILE,
    **with_fonts(b"/FV 63 0 R", WHITE),
}
DESCENDANT = (
    b"<</Type/Font/Subtype/CIDFontType0/BaseFont/%b/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>"
    b"/FontDescriptor 65 0 R%%b>>" % NAME
)


@pytest.mark.parametrize(
    ("widths", "expected"),
    [
        (b"", Outcome.VALID),
        (b"/DW 1000", Outcome.VALID),
        (b"/DW 1000/W[1[500] 2 90 250]", Outcome.VALID),
        (b"/DW 9000", Outcome.INDETERMINATE),
        (b"/W[1[9000]]", Outcome.INDETERMINATE),
        (b"/W[1 90 9000]", Outcome.INDETERMINATE),
        (b"/W[1[-4000]]", Outcome.INDETERMINATE),
        (b"/W(500)", Outcome.INDETERMINATE),
    ],
)
def test_codes_of_a_table_take_no_more_than_an_em(widths, expected):
    """Which width a code has is in the table, so that one wide sign may stand for any."""
    text = b"BT /FV 10 Tf 12 120 Td <00204E0D> Tj ET"
    assert said(text, more={64: DESCENDANT % widths, **CODED}) is expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [(b"70", Outcome.INDETERMINATE), (b"90", Outcome.VALID)],
)
def test_codes_of_a_table_may_be_one_byte_or_two(left, expected):
    """Three pairs of bytes may be six signs: they end six ems behind their beginning, at the farthest."""
    text = b"q /E cs 0 0 0 scn BT /FV 10 Tf 12 120 Td <4E0D4E0D4E0D> Tj ET Q"
    place = b"[%b 95 190 140]" % left
    prepared = page(text, b"", {64: DESCENDANT % b"", **CODED}, place=place)
    assert covered(prepared, size=b"%d 45" % (190 - int(left))) is expected


@pytest.mark.parametrize("sign", [b" ", b"-", b".", b"_"])
@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (b"<</Type/Encoding/Differences[%d/g78]>>", Outcome.INDETERMINATE),
        (b"<</Type/Encoding/BaseEncoding/WinAnsiEncoding/Differences[%d/a9]>>", Outcome.INDETERMINATE),
        (b"/WinAnsiEncoding", Outcome.VALID),
    ],
)
def test_a_code_of_another_name_is_not_blank(sign, encoding, expected):
    """The renderer has no sign of that name, and another reader takes it for a letter."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding%b>>"
    coded = encoding % ord(sign) if b"%" in encoding else encoding
    text = b"BT /FD 9 Tf 60 40 Td (%b) Tj ET" % (sign * (40 if sign in {b".", b"-", b"_"} else 9))
    # A row of dots that the look covers is taken away.
    wanted = expected if sign == b" " else Outcome.INDETERMINATE
    assert said(text, more={63: font % coded, **with_fonts(b"/FD 63 0 R")}) is wanted


NUMBER = b"BT /F1 %d Tf 12 120 Td (13) Tj ET "


def behind(size, gap, look=b"(B)", *, new):
    """A field in which somebody signs, so many points behind a number of that size."""
    left = 12 + 2 * 0.556 * size + gap
    place = b"[%.2f 115 %.2f 165]" % (left, left + 60)
    drawn = form(b"BT /F1 %d Tf 0 5 Td %b Tj ET" % (size, look), b"/BBox[0 0 60 50]" + FONTS)
    if new:
        draft = Draft(signed(page(NUMBER % size)))
        return outcome(put_new(draft, draft.add(drawn), place))
    draft = Draft(signed(page(NUMBER % size, place=place)))
    return outcome(put(draft, draft.add(drawn)))


@pytest.mark.parametrize(
    ("size", "gap", "expected"),
    [
        (14, 13, Outcome.VALID),
        (48, 13, Outcome.INDETERMINATE),
        (48, 20, Outcome.INDETERMINATE),
        (48, 34, Outcome.VALID),
        (24, 22, Outcome.VALID),
    ],
)
def test_a_new_field_keeps_its_distance_from_large_type(size, gap, expected):
    """As large as the type is, so far do its signs read on."""
    assert behind(size, gap, new=True) is expected


@pytest.mark.parametrize(
    ("size", "gap", "expected"),
    [(14, 9, Outcome.INDETERMINATE), (14, 13, Outcome.VALID), (48, 20, Outcome.INDETERMINATE), (48, 34, Outcome.VALID)],
)
def test_zeros_behind_large_type_make_another_number(size, gap, expected):
    """The field was there, and its signer writes in the type of the page."""
    assert behind(size, gap, b"(00)", new=False) is expected


SQUARE = 38 / 10**0.5
"""Points of a square in which paper is looked for, on a page of this size."""


@pytest.mark.parametrize(("gap", "expected"), [(15, Outcome.INDETERMINATE), (45, Outcome.VALID)])
def test_broad_strokes_are_ink(gap, expected):
    """A stroke that fills such squares, as those of large type do, is taken for no paper."""
    bar = b"%.4f %.4f %.4f %.4f re f" % (SQUARE, 200 - 6 * SQUARE, 2 * SQUARE, 3 * SQUARE)
    left = 3 * SQUARE + gap
    place = b"[%.2f 110 %.2f 170]" % (left, left + 80)
    look = b"0 g 0 18 20 36 re f 40 18 20 36 re f"
    assert covered(page(b"0 g " + bar, place=place), look, b"80 60") is expected
