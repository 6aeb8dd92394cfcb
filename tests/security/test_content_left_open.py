"""Content by which some readers stop drawing, or draw something else, takes no later look anywhere on its page."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import BOX, said
from tests.support.signed_pages import FONTS, PRICE
from tests.support.update_bases import form
from tests.support.updates import stream

DRAWN = b"0 g 20 160 5 5 re f"
"""Far from the place."""
NAMED = b"/XObject<</X 61 0 R>>"
FORM = b"/Type/XObject/Subtype/Form"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"q " + DRAWN, Outcome.INDETERMINATE),
        (b"20 160 5 5 re", Outcome.INDETERMINATE),
        (b"20 160 5 5 re W", Outcome.INDETERMINATE),
        (b"BT /F1 9 Tf 20 160 Td (a) Tj", Outcome.INDETERMINATE),
        (b"/A BMC " + DRAWN, Outcome.INDETERMINATE),
        (DRAWN + b" Q", Outcome.INDETERMINATE),
        (DRAWN + b" EMC", Outcome.INDETERMINATE),
        (DRAWN + b" ET", Outcome.INDETERMINATE),
        (b"q " + DRAWN + b" Q", Outcome.VALID),
        (b"20 160 5 5 re W n", Outcome.VALID),
        (b"BT /F1 9 Tf 20 160 Td (a) Tj ET", Outcome.VALID),
        (b"/A BMC " + DRAWN + b" EMC", Outcome.VALID),
    ],
)
def test_a_form_ends_what_it_begins(content, expected):
    """What it leaves open goes on in the page for some readers, and what it did not begin ends there."""
    assert said(b"/X Do", NAMED, {61: form(content, BOX + FONTS)}) is expected


def listed(contents, more):
    """What is said of a page with these content streams; 4 is the usual one."""
    page = b"<</Type/Page/Parent 2 0 R/Contents%b/Resources<</Font<</F1 5 0 R>>>>/Annots[22 0 R]>>"
    return said(b"", more={3: page % contents, **more})


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (b"[4 0 R null]", Outcome.INDETERMINATE),
        (b"[null 4 0 R]", Outcome.INDETERMINATE),
        (b"[4 0 R 99 0 R]", Outcome.INDETERMINATE),
        (b"[4 0 R 5 0 R]", Outcome.INDETERMINATE),
        (b"[4 0 R 7]", Outcome.INDETERMINATE),
        (b" 5 0 R", Outcome.INDETERMINATE),
        (b"[4 0 R 61 0 R]", Outcome.VALID),
        (b"[4 0 R]", Outcome.VALID),
        (b" 4 0 R", Outcome.VALID),
    ],
)
def test_every_content_stream_is_there(contents, expected):
    """Where one is missing some readers draw no more of the page, and others go on."""
    assert listed(contents, {61: stream(DRAWN)}) is expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((DRAWN, b"q Q"), Outcome.INDETERMINATE),
        ((b"0 g 20 160 5", b"5 re f"), Outcome.INDETERMINATE),
        ((DRAWN, b"", b"q Q"), Outcome.INDETERMINATE),
        ((DRAWN + b"\n", b"q Q"), Outcome.VALID),
        ((DRAWN, b" q Q"), Outcome.VALID),
        ((DRAWN, b"\n", b"q Q"), Outcome.VALID),
        ((DRAWN + b"\n", b"", b"q Q"), Outcome.VALID),
        ((DRAWN, b"[3] 0 d"), Outcome.VALID),
    ],
    ids=[
        "operators",
        "numbers",
        "nothing-between",
        "line-end",
        "space",
        "space-between",
        "nothing-behind-space",
        "bracket",
    ],
)
def test_content_streams_are_words_apart(parts, expected):
    """Two of them that meet are one word to some readers, and two to others."""
    more = {61 + at: stream(part) for at, part in enumerate((PRICE, *parts))}
    assert listed(b"[%b]" % b" ".join(b"%d 0 R" % each for each in more), more) is expected


@pytest.mark.parametrize(
    "operators",
    [
        *(b"ri", b"3 ri", b"/Perceptual 1 ri"),
        *(b"MP", b"(a) MP", b"/A 1 MP", b"/A DP", b"/A 3 DP"),
        *(b"BMC EMC", b"3 BMC EMC", b"/A BDC EMC", b"/A 3 BDC EMC", b"<<>> BDC EMC"),
        *(b"cs", b"3 cs", b"/DeviceRGB 1 cs", b"(DeviceRGB) CS"),
        *(b"sc", b"(a) sc", b"SC", b"[1] SC", b"(1) scn", b"null scn", b"/P 1 scn", b"[1] SCN"),
        *(b"sh", b"3 sh", b"(S) sh"),
    ],
)
def test_an_operand_is_what_its_operator_takes(operators):
    """At one that is none some readers stop, others pass over the operator or take the operand for another."""
    assert said(b"q " + operators + b" Q") is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "operators",
    [
        b"/Perceptual ri",
        b"/A MP",
        b"/A<</MCID 0>> DP",
        b"/A BMC EMC",
        b"/A<</MCID 0>> BDC EMC",
        b"/DeviceRGB cs 1 0 0 sc",
        b"/DeviceGray CS .5 SC",
        b"/DeviceRGB cs 1 0 0 scn",
        b"/S sh",
    ],
)
def test_usual_operands_change_nothing(operators):
    """They are those of the standard, and what they draw is far from the place."""
    shading = b"<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 9 9]/Function 62 0 R>>"
    more = {61: shading, 62: b"<</FunctionType 2/Domain[0 1]/C0[1 1 1]/C1[0 0 0]/N 1>>"}
    content = b"q 20 160 5 5 re W n " + operators + b" Q"
    assert said(content, b"/Shading<</S 61 0 R>>", more) is Outcome.VALID


NAMES = {
    b"/E cs": b"/ColorSpace<</E/DeviceRGB>>",
    b"/E CS": b"/ColorSpace<</E/DeviceRGB>>",
    b"/Pattern cs /E scn": b"/Pattern<</E 61 0 R>>",
    b"/Pattern CS /E SCN": b"/Pattern<</E 61 0 R>>",
    b"/E gs": b"/ExtGState<</E<</LW 1>>>>",
    b"BT /E 9 Tf ET": b"",
    b"/E sh": b"/Shading<</E 62 0 R>>",
    b"/E Do": b"/XObject<</E 63 0 R>>",
}


@pytest.mark.parametrize("operators", NAMES)
def test_a_name_leads_somewhere(operators):
    """Where the page's resources have none of that name some readers stop, others draw as before."""
    more = {
        61: stream(
            b"0 0 1 1 re f", b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 2/YStep 2/Resources<<>>"
        ),
        62: b"<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 9 9]/Function 64 0 R>>",
        63: form(DRAWN, BOX + b"/Resources<<>>"),
        64: b"<</FunctionType 2/Domain[0 1]/C0[1 1 1]/C1[0 0 0]/N 1>>",
    }
    content = b"q 20 160 5 5 re W n " + operators + b" Q"
    named = content.replace(b"/E 9", b"/F1 9")
    assert said(content, more=more) is Outcome.INDETERMINATE
    assert said(named, NAMES[operators], more) is Outcome.VALID


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (FORM + b"/Subtype2/PS", Outcome.INDETERMINATE),
        (FORM + b"/PS 5 0 R", Outcome.INDETERMINATE),
        (FORM + b"/Ref<<>>", Outcome.INDETERMINATE),
        (FORM + b"/OPI<<>>", Outcome.INDETERMINATE),
        (b"/Type/XObject/Subtype/PS", Outcome.INDETERMINATE),
        (b"/Type/XObject", Outcome.INDETERMINATE),
        (b"", Outcome.INDETERMINATE),
        (FORM, Outcome.VALID),
        (FORM + b"/FormType 1", Outcome.VALID),
        (b"/Subtype/Form", Outcome.VALID),
    ],
)
def test_what_is_drawn_is_a_form_or_a_picture(entries, expected):
    """Of a form that is to be drawn by other means, or has no kind, some readers draw its content and others nothing."""
    assert said(b"/X Do", NAMED, {61: stream(DRAWN, entries + BOX + b"/Resources<<>>")}) is expected
