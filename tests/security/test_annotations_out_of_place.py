"""An annotation that some readers draw elsewhere than in its rectangle, or in their own way, is away from the place of a
later signature.
"""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.signed_pages import FONTS, LETTERS, PLACE, PRICE, covered, page
from tests.support.update_bases import form

ANNOTATION = b"<</Type/Annot/Subtype/%b/P 3 0 R%b>>"
NOTE = form(b"BT /F1 10 Tf 2 4 Td (NOT) Tj ET", b"/BBox[0 0 40 16]" + FONTS)
ICON = form(b"1 0 0 rg 2 2 14 14 re f", b"/BBox[0 0 18 18]/Resources<<>>")
LOOK = b"/AP<</N 41 0 R>>"


def said(subtype, entries, look=NOTE, page_entries=b""):
    more = {40: ANNOTATION % (subtype, entries), 41: look}
    return covered(page(PRICE, more=more, annotations=b"40 0 R", entries=page_entries))


@pytest.mark.parametrize("turn", [b"", b"/Rotate 90", b"/Rotate 270"])
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (b"4", Outcome.VALID),
        (b"20", Outcome.INDETERMINATE),
        (b"12", Outcome.INDETERMINATE),
        (b"28", Outcome.INDETERMINATE),
        (b"4.5", Outcome.INDETERMINATE),
    ],
)
def test_what_keeps_upright_or_its_size_leaves_its_rectangle(flags, expected, turn):
    """It turns about its corner on a turned page, and is larger than that on a page that is shown small."""
    assert said(b"Stamp", b"/Rect[80 85 120 101]/F %b" % flags + LOOK, page_entries=turn) is expected


@pytest.mark.parametrize(
    ("rectangle", "expected"), [(b"[174 174 192 192]", Outcome.VALID), (b"[174 140 192 158]", Outcome.INDETERMINATE)]
)
def test_a_note_far_from_the_place_may_keep_its_size(rectangle, expected):
    """Acrobat's notes do: they are small, and stand where the text is."""
    assert said(b"Text", b"/F 28/Contents(seen)/Rect" + rectangle + LOOK, ICON) is expected


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (b"/Rotate 45", Outcome.INDETERMINATE),
        (b"/Rotate 60", Outcome.INDETERMINATE),
        (b"/Rotate 90", Outcome.VALID),
        (b"/Rotate -90", Outcome.VALID),
        (b"/Rotate 360", Outcome.VALID),
        (b"", Outcome.VALID),
    ],
)
def test_a_page_is_turned_by_whole_quarters(turn, expected):
    """Otherwise some readers round, and some turn what stands on it."""
    assert covered(page(PRICE, entries=turn)) is expected


@pytest.mark.parametrize(
    ("rectangle", "entries", "expected"),
    [
        (b"[20 22 180 68]", b"/Open true", Outcome.INDETERMINATE),
        (b"[20 76 180 100]", b"/Open true", Outcome.INDETERMINATE),
        (b"[20 100 180 140]", b"/Open true", Outcome.VALID),
        (b"[20 22 180 68]", b"/Open false", Outcome.VALID),
        (b"[20 22 180 68]", b"", Outcome.VALID),
    ],
)
def test_an_open_window_is_drawn_by_one_reader(rectangle, entries, expected):
    """With what the note says, in its rectangle; the others open it beside the page."""
    window = b"<</Type/Annot/Subtype/Popup/F 4/Rect%b/Parent 40 0 R/P 3 0 R%b>>" % (rectangle, entries)
    note = {
        40: ANNOTATION % (b"Text", b"/F 4/Contents(minus 900)/T(A)/Popup 42 0 R/Rect[174 174 192 192]" + LOOK),
        41: ICON,
        42: window,
    }
    assert covered(page(PRICE, more=note, annotations=b"40 0 R 42 0 R")) is expected


def quads(*boxes):
    points = (b"%d %d %d %d %d %d %d %d" % (x, y + h, x + w, y + h, x, y, x + w, y) for x, y, w, h in boxes)
    return b"/QuadPoints[%b]" % b" ".join(points)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (quads((150, 160, 40, 12)), Outcome.VALID),
        (quads((150, 150, 20, 12), (150, 165, 40, 12)), Outcome.VALID),
        (quads((60, 30, 5, 30), (80, 30, 5, 30)), Outcome.INDETERMINATE),
        (quads((150, 160, 40, 12), (60, 30, 5, 30)), Outcome.INDETERMINATE),
        (b"/QuadPoints[150 172 190 172 150 160]", Outcome.INDETERMINATE),
        (b"/QuadPoints[150 172 190 172 150 160 190/x]", Outcome.INDETERMINATE),
        (b"/QuadPoints true", Outcome.INDETERMINATE),
        (b"", Outcome.VALID),
    ],
)
@pytest.mark.parametrize("subtype", [b"Highlight", b"StrikeOut"])
def test_what_is_marked_is_in_the_rectangle(subtype, marked, expected):
    """Some readers leave its look, and paint the marked places in its colour."""
    look = form(b"1 1 0 rg 0 0 40 40 re f", b"/BBox[0 0 40 40]/Resources<<>>")
    assert said(subtype, b"/F 4/C[0 0 0]/Rect[150 150 190 190]" + marked + LOOK, look) is expected


FIELDS = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R 40 0 R]/SigFlags 1/DA(/F1 9 Tf 0 g)>>>>"
GROUND = b"/MK<</BG[0 0 0]/BC[0 0 0]>>"


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (b"", Outcome.INDETERMINATE),
        (b"/AP<<>>", Outcome.INDETERMINATE),
        (b"/AP null", Outcome.INDETERMINATE),
        (b"/AP<</N null>>", Outcome.INDETERMINATE),
        (b"/AP<</D 41 0 R>>", Outcome.INDETERMINATE),
        (b"/AP<</N<<>>>>", Outcome.INDETERMINATE),
        (b"/AP<</N<</Yes 41 0 R>>>>/AS/Off", Outcome.INDETERMINATE),
        (b"/AP<</N<</Yes 41 0 R>>>>", Outcome.INDETERMINATE),
        (b"/AP<</N<</Yes 41 0 R>>>>/AS/Yes", Outcome.VALID),
        (b"/AP<</N 41 0 R>>", Outcome.VALID),
    ],
)
@pytest.mark.parametrize("kind", [b"Tx", b"Btn"])
def test_a_field_with_a_ground_has_a_look_to_be_drawn(looks, expected, kind):
    """Where none is of its state most readers draw the ground by themselves."""
    field = b"<</Type/Annot/Subtype/Widget/FT/%b/T(x)/F 4/P 3 0 R/Rect[20 90 180 130]%b%b>>" % (kind, GROUND, looks)
    look = form(b"0 0 160 40 re n", b"/BBox[0 0 160 40]/Resources<<>>")
    more = {1: FIELDS, 40: field, 41: look}
    assert covered(page(PRICE, more=more, annotations=b"40 0 R")) is expected


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (b"/AP<<>>", Outcome.INDETERMINATE),
        (b"/AP<</N<<>>>>", Outcome.INDETERMINATE),
        (b"/AP<</D 41 0 R>>", Outcome.INDETERMINATE),
        (b"/AP<</N 41 0 R>>", Outcome.VALID),
    ],
)
def test_a_field_that_is_signed_had_no_ground(looks, expected):
    """Without a look most readers draw its ground: the signature would take that away."""
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect%b/P 3 0 R%b%b>>" % (PLACE, GROUND, looks)
    look = form(b"", b"/BBox[0 0 180 50]/Resources<<>>")
    assert covered(page(PRICE, more={22: field, 41: look})) is expected


def test_letters_of_marked_places_are_not_covered():
    """Boxes that read as an amount, far outside of the rectangle of their annotation."""
    boxes = [tuple(map(int, each.split())) for each in LETTERS.split(b" re ") if each.strip()]
    look = form(b"1 1 0 rg 0 0 20 20 re f", b"/BBox[0 0 20 20]/Resources<<>>")
    entries = b"/F 4/C[0 0 0]/Rect[150 175 170 195]"
    assert said(b"Highlight", entries + quads(*boxes) + LOOK, look) is Outcome.INDETERMINATE
    assert said(b"Highlight", entries + LOOK, look) is Outcome.VALID
