"""An annotation that some readers draw elsewhere than in its rectangle, or where others draw none, stands in the way."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.signed_pages import FONTS, LETTERS, PRICE, covered, page
from tests.support.update_bases import form

ANNOTATION = b"<</Type/Annot/Subtype/%b/F 4/P 3 0 R%b>>"
BESIDE = b"/Rect[150 150 190 190]"
INK = b"/C[0 0 0]/BS<</W 4>>/InkList[[60 30 60 60 80 30 80 60][95 30 95 60 115 60]]"
LINE = b"/C[0 0 0]/BS<</W 6>>/L[30 45 170 45]/Contents(NOT)/Cap true"
LOOK = b"/AP<</N 41 0 R>>"
OWN = form(b"1 0 0 RG 4 w 2 2 36 36 re S", b"/BBox[0 0 40 40]/Resources<<>>")
OVER_THE_PAGE = form(b"0 g " + LETTERS + b"f 1 0 0 rg 150 150 40 40 re f", b"/BBox[0 0 200 200]/Resources<<>>")
NOTE = form(b"BT /F1 24 Tf 10 10 Td (NOT) Tj ET", b"/BBox[0 0 160 40]" + FONTS)


def said(subtype, entries, look=OWN):
    more = {40: ANNOTATION % (subtype, entries), 41: look}
    return covered(page(PRICE, more=more, annotations=b"40 0 R"))


@pytest.mark.parametrize(
    ("subtype", "entries"),
    [
        (b"Ink", INK),
        (b"Line", LINE),
        (b"PolyLine", b"/C[0 0 0]/BS<</W 4>>/Vertices[60 30 60 60 80 30 80 60]"),
        (b"Highlight", b"/C[1 0 0]/QuadPoints[150 190 190 190 150 150 190 150]"),
        (b"FreeText", b"/C[0 0 0]/DA(/Helv 12 Tf 0 g)/Contents(NOT)/CL[20 40 60 40 150 150]/LE/ClosedArrow"),
    ],
)
def test_an_annotation_without_a_look_is_where_its_coordinates_are(subtype, entries):
    """One renderer cuts it to its rectangle, all others draw it in the place; with a look it is in its rectangle."""
    assert said(subtype, BESIDE + entries) is Outcome.INDETERMINATE
    assert said(subtype, BESIDE + entries + LOOK) is Outcome.VALID


@pytest.mark.parametrize(
    ("rectangle", "expected"),
    [
        (b"/Rect[0 0 0 0]", Outcome.INDETERMINATE),
        (b"/Rect[150 150 150 190]", Outcome.INDETERMINATE),
        (b"/Rect[150 150 190 190]", Outcome.VALID),
        (b"", Outcome.INDETERMINATE),
    ],
)
def test_a_look_without_an_area_is_as_large_as_it_is(rectangle, expected):
    """Some readers paint it unscaled over the page where its rectangle has no area."""
    assert said(b"Stamp", rectangle + LOOK, OVER_THE_PAGE) is expected


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (b"/Border[0 0 6]/C[0 0 0]", Outcome.INDETERMINATE),
        (b"", Outcome.INDETERMINATE),
        (b"/BS<</W 3>>", Outcome.INDETERMINATE),
        (b"/Border[0 0 0]/AP<</N 41 0 R>>", Outcome.INDETERMINATE),
        (b"/Border[0 0 0]", Outcome.VALID),
        (b"/BS<</W 0>>", Outcome.VALID),
    ],
)
def test_a_link_is_drawn_nowhere_that_has_no_border(entries, expected):
    """Of borders some readers make bars and rings, which are digits; a border is what there is without a word of it."""
    assert said(b"Link", b"/Rect[60 25 80 65]" + entries, NOTE) is expected


def test_a_link_elsewhere_may_have_a_border():
    """It stays in its rectangle."""
    assert said(b"Link", b"/Rect[60 150 80 190]/Border[0 0 6]") is Outcome.VALID


@pytest.mark.parametrize(("entries", "expected"), [(LOOK, Outcome.INDETERMINATE), (b"", Outcome.VALID)])
def test_a_popup_is_drawn_nowhere_that_has_no_look(entries, expected):
    """Some readers draw the look of a window that others open beside the page."""
    assert said(b"Popup", b"/Rect[20 25 180 65]/Contents(NOT)" + entries, NOTE) is expected


def test_an_amount_of_borders_is_not_covered():
    """Three links whose borders read 100 to one reader."""
    boxes = [b"[100 36 101 56]", b"[108 36 116 56]", b"[124 36 132 56]"]
    for border, expected in ((b"3", Outcome.INDETERMINATE), (b"0", Outcome.VALID)):
        links = {
            40 + at: ANNOTATION % (b"Link", b"/Rect%b/Border[0 0 %b]/C[0 0 0]" % (box, border))
            for at, box in enumerate(boxes)
        }
        assert covered(page(PRICE, more=links, annotations=b"40 0 R 41 0 R 42 0 R")) is expected
