"""Where a page's text goes is known of every reader, within an interval where their ways part; where it is not known at
all, the verdict is open.
"""

import zlib

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, NOWHERE, ONLY_APART, PROFILE, WHITE, here_and_apart, said, with_fonts
from tests.support.signed_pages import PRICE, covered, page
from tests.support.small_fonts import of_bytes, of_pairs, pairs, widths
from tests.support.update_bases import form
from tests.support.updates import stream

UNSURE = b"/E cs 0 0 0 scn "
"""White to some readers."""
WORD = b"(NOT) Tj"
BOTH = with_fonts(b"/F2 63 0 R", WHITE) | PROFILE
RIGHT = b"[100 20 190 70]"
"""A place with room to its left."""


def beside(content, more=None):
    """Over the place to the right of what a line of text begins with."""
    return covered(page(PRICE + content, WHITE, {**PROFILE, **(more or {})}, place=RIGHT), size=b"90 50")


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"BT /F1 6 Tf 100 74 Td q (NOT) Tj Q ET", NOWHERE),
        (b"q BT /F1 6 Tf 100 74 Td (NOT) Tj Q ET", NOWHERE),
        (b"BT /F1 6 Tf 100 74 Td 1 0 0 1 0 0 cm (NOT) Tj ET", NOWHERE),
        (b"q 1 0 0 1 0 0 cm BT /F1 6 Tf 100 74 Td (NOT) Tj ET Q", EVERYWHERE),
    ],
)
def test_states_are_saved_outside_of_texts(drawn, expected):
    """Within one some readers take the place of the text back, too, and some take its line back, and some neither."""
    assert here_and_apart(drawn) == expected


@pytest.mark.parametrize(
    ("name", "spaces", "expected"),
    [
        (b"Helvetica", 70, Outcome.VALID),
        (b"ArialMT", 70, Outcome.VALID),
        (b"Arial,Bold", 70, Outcome.VALID),
        (b"TimesNewRomanPS-BoldMT", 70, Outcome.VALID),
        (b"TimesNewRoman", 75, Outcome.VALID),
        (b"Courier", 30, Outcome.VALID),
        (b"Arial-Black", 60, Outcome.INDETERMINATE),
        (b"Helvetica-Condensed", 60, Outcome.INDETERMINATE),
    ],
)
def test_a_sign_is_anywhere_between_what_readers_take_for_its_breadth(name, spaces, expected):
    """Of the second last one a space is narrow to one reader, and broad to another; not the mean of both."""
    font = {63: b"<</Type/Font/Subtype/TrueType/BaseFont/%b/Encoding/WinAnsiEncoding>>" % name}
    text = b"q BT /F2 12 Tf 10 40 Td (%b) Tj %b (NOT) Tj ET Q" % (b" " * spaces, UNSURE)
    assert beside(text, BOTH | font) is expected


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [
        (b"Helvetica", 278, Outcome.VALID),
        (b"Helvetica", 0, Outcome.INDETERMINATE),
        (b"Helvetica", 30, Outcome.INDETERMINATE),
        (b"Arial,Bold", 278, Outcome.VALID),
        (b"Unheard", 0, Outcome.VALID),
    ],
)
def test_of_a_standard_font_both_widths_count(name, width, expected):
    """Its own, by which some readers go, and those in the file; a font that no reader has has only those."""
    listed = widths({0x20: width}).replace(b"500", b"556")
    font = {63: b"<</Type/Font/Subtype/Type1/BaseFont/%b/Encoding/WinAnsiEncoding%b>>" % (name, listed)}
    assert beside(b"q BT /F2 12 Tf 10 40 Td (%b) Tj (1) Tj ET Q" % (b" " * 70), BOTH | font) is expected


@pytest.mark.parametrize(("size", "expected"), [(b"-90", Outcome.INDETERMINATE), (b"90", Outcome.VALID)])
def test_a_negative_size_turns_signs_over(size, expected):
    """Under a matrix that turns them back they stand upright in the place, and not below it."""
    assert said(UNSURE + b"BT /F1 %b Tf -1 0 0 -1 30 -30 Tm (900) Tj ET" % size, WHITE, PROFILE) is expected


@pytest.mark.parametrize(("pen", "expected"), [(b"8", Outcome.INDETERMINATE), (b"2", Outcome.VALID)])
def test_the_outline_of_signs_is_as_broad_as_the_pen(pen, expected):
    """Its sharp corners reach beyond the sign, as those of lines do."""
    drawn = b"/E CS 0 0 0 SCN %b w BT 1 Tr /F1 40 Tf 60 130 Td (W) Tj ET" % pen
    assert said(drawn, WHITE, PROFILE) is expected


@pytest.mark.parametrize(("pen", "expected"), [(b"1.1", EVERYWHERE), (b"1.3", ONLY_APART)])
def test_a_pen_for_signs_is_thinner_than_they_are(pen, expected):
    """Signs of six points that are drawn by a broader one are blots."""
    assert here_and_apart(pen + b" w BT 1 Tr /F1 6 Tf 100 74 Td (NOT) Tj ET") == expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (b"/W[3[30000] 3[0] 3[31000]]", Outcome.INDETERMINATE),
        (b"/W[3[500] 0 100 0]", Outcome.INDETERMINATE),
        (b"/W[3 4 500 4[600]]", Outcome.INDETERMINATE),
        (b"/W[3[500] 4[500 500]]", Outcome.VALID),
        (b"/W[3[500] 3 5 500]", Outcome.VALID),
        (b"/DW 500", Outcome.VALID),
    ],
)
def test_a_code_has_one_width(listed, expected):
    """Of several some readers take the first, some the last, and some one between."""
    text = b"BT /F2 12 Tf 12 110 Td %b Tj ET" % pairs(" minus 900")
    assert said(text, more=BOTH | of_pairs(listed)) is expected


CMAP = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CIDSystemInfo <</Registry(Adobe)/Ordering(Identity)"
    b"/Supplement 0>> def /CMapName /Own def /CMapType 1 def 1 begincodespacerange %b endcodespacerange "
    b"1 begincidrange <0000> <ffff> 0 endcidrange endcmap end end"
)
TABLE = b"/Type/CMap/CMapName/Own/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>%b"


@pytest.mark.parametrize(
    ("encoding", "table", "expected"),
    [
        (b"/Identity-H", b"", Outcome.VALID),
        (b"/Identity-V", b"", Outcome.INDETERMINATE),
        (b" 73 0 R", b"", Outcome.INDETERMINATE),
        (b" 73 0 R", b"/WMode 1", Outcome.INDETERMINATE),
    ],
    ids=["across", "down", "table", "table-down"],
)
def test_text_goes_across(encoding, table, expected):
    """Downwards readers advance differently; and a table of the file's own may say so to some of them."""
    font = of_pairs(b"/DW 500", encoding) | {73: stream(CMAP % b"<0000> <ffff>", TABLE % table)}
    assert said(b"BT /F2 12 Tf 12 110 Td %b Tj ET" % pairs("n9"), more=BOTH | font) is expected


CODED = {
    63: b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light-UniGB-UCS2-H/Encoding/UniGB-UCS2-H/DescendantFonts[64 0 R]>>",
    64: b"<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/FontDescriptor 65 0 R"
    b"/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>>>",
    65: b"<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0/Ascent 880"
    b"/Descent -120/CapHeight 880/StemV 93>>",
}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (b"0 Tw", Outcome.VALID),
        (b"300 Tw", Outcome.INDETERMINATE),
        (b"0 Tc", Outcome.VALID),
        (b"25 Tc", Outcome.INDETERMINATE),
    ],
)
def test_codes_of_a_table_may_be_one_or_two_and_spaces(state, expected):
    """So that the spacing of words and of signs counts once or twice, or not at all."""
    text = b"q %b BT /F2 10 Tf 12 40 Td <00204E0D> Tj 0 Tw 0 Tc %b <4E0D> Tj ET Q" % (state, UNSURE)
    assert covered(page(PRICE + text, b"", BOTH | CODED, place=b"[140 20 190 70]"), size=b"50 50") is expected


@pytest.mark.parametrize(
    ("name", "entries", "expected"),
    [
        (b"Helvetica", b"", Outcome.INDETERMINATE),
        (b"Helvetica", widths(), Outcome.VALID),
        (b"Small", widths(), Outcome.VALID),
    ],
)
def test_a_program_in_the_file_has_its_own_widths(name, entries, expected):
    """Whatever the font is called; so its dictionary has to say them."""
    text = b"BT /F2 12 Tf 12 110 Td (minus 900) Tj ET"
    assert said(text, more=BOTH | of_bytes(entries, name=name)) is expected


@pytest.mark.parametrize(
    ("string", "expected"),
    [(b"<03>", Outcome.INDETERMINATE), (b"<001403>", Outcome.INDETERMINATE), (b"<0003>", Outcome.VALID)],
)
def test_a_code_is_whole(string, expected):
    """Of half a code some readers make a sign of the first byte, and others of the second one, or none."""
    text = b"BT /F2 12 Tf 12 110 Td %b Tj %b Tj ET" % (string, pairs("900"))
    assert said(text, more=BOTH | of_pairs(b"/DW 500")) is expected


STAY = b"1 0 0 1 0 0 cm "
ALIKE = b"BT /F1 6 Tf 100 110 Td (NOT) Tj ET "


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        (STAY * 500 + ALIKE, Outcome.VALID),
        (STAY * 501 + ALIKE, Outcome.INDETERMINATE),
        ((b"q " + STAY + b"Q ") * 600 + ALIKE, Outcome.VALID),
        (b"BT /F1 6 Tf 100 110 Td " + b"0 0 Td " * 400 + b"(NOT) Tj ET", Outcome.VALID),
        (b"BT /F1 6 Tf 100 110 Td " + b"0 0 Td " * 501 + b"(NOT) Tj ET", Outcome.INDETERMINATE),
        (b"BT /F1 6 Tf 100 110 Td " + b"( ) Tj " * 501 + b"ET", Outcome.INDETERMINATE),
        (b"BT /F1 6 Tf 1 0 0 1 100 110 Tm ( ) Tj ET " * 600, Outcome.VALID),
        (b"BT /F1 6 Tf " + b"1 0 0 1 100 110 Tm ( ) Tj " * 600 + b"ET", Outcome.VALID),
    ],
    ids=["matrices", "more-matrices", "taken-back", "moves", "more-moves", "strings", "texts", "places"],
)
def test_rounding_does_not_add_up(moves, expected):
    """Of many small moves readers of single precision come to another place."""
    content = zlib.compress(PRICE + b"q " + moves + b" Q")
    assert covered(page(b"", more={4: stream(content, b"/Filter/FlateDecode")})) is expected


LISTED = b"/Widths[%b]" % (b"500 " * 95)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (b"/FirstChar 32/LastChar 126" + LISTED, Outcome.VALID),
        (b"/FirstChar 32" + LISTED, Outcome.INDETERMINATE),
        (b"/LastChar 126" + LISTED, Outcome.INDETERMINATE),
        (b"/FirstChar 32/LastChar 100" + LISTED, Outcome.INDETERMINATE),
        (b"/FirstChar 32/LastChar 126/Widths[500]", Outcome.INDETERMINATE),
    ],
)
def test_a_list_of_widths_says_where_it_begins_and_ends(entries, expected):
    """Without that some readers go by the program, and some have no widths."""
    text = b"BT /F2 12 Tf 12 110 Td (minus 900) Tj ET"
    assert said(text, more=BOTH | of_bytes(entries)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1 0 0 1 100 74 Tm (IIIII) Tj", EVERYWHERE),
        (b".002 0 0 1 100 74 Tm (IIIII) Tj", ONLY_APART),
        (b"1 0 0 .002 100 74 Tm (IIIII) Tj", ONLY_APART),
        (b"1 0 .5 .002 100 74 Tm (IIIII) Tj", ONLY_APART),
        (b".1 Tz 1 0 0 1 100 74 Tm (IIIII) Tj", ONLY_APART),
        (b"9000 Tz 1 0 0 1 100 74 Tm (I) Tj", ONLY_APART),
        (b"50 Tz .5 0 0 1 100 74 Tm (IIIII) Tj", ONLY_APART),
        (b".6 0 0 1 100 74 Tm (IIIII) Tj", EVERYWHERE),
        (b"1 0 .33 1 100 74 Tm (IIIII) Tj", EVERYWHERE),
        (b"60 Tz 1 0 0 1 100 74 Tm (IIIII) Tj", EVERYWHERE),
        (b"200 Tz .5 0 0 1 100 74 Tm (IIIII) Tj", EVERYWHERE),
    ],
    ids=["plain", "narrow", "flat", "sheared", "Tz", "broad", "both", "condensed", "slanted", "Tz-condensed", "even"],
)
def test_signs_have_their_usual_shape(text, expected):
    """What is pressed into a line is drawn by some; condensed and slanted type is common."""
    assert here_and_apart(b"BT /F1 6 Tf " + text + b" ET") == expected


@pytest.mark.parametrize("state", [b"30 Ts", b"-30 Ts", b"40 TL", b"50 Tz", b"9 Tc", b"9 Tw", b"1 Tr"])
@pytest.mark.parametrize(("begun", "expected"), [(b"%b", Outcome.INDETERMINATE), (b"q %b Q", Outcome.VALID)])
def test_a_form_begins_with_its_own_state_of_text(state, begun, expected):
    """One reader forgets what was set for the texts around it, and all others keep it."""
    inner = form(b"BT /F1 14 Tf 12 110 Td T* (mi nu) Tj ET", b"/BBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>")
    drawn = b"q " + begun % state + b" /A Do Q"
    assert said(drawn, b"/XObject<</A 40 0 R>>", {40: inner}) is expected
