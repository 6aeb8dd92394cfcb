"""A field that stands on a signed page is large enough for a signature, on a whole page, and empty to every reader."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import PROFILE, WHITE
from tests.support.signed_pages import (
    END_OF_PRICE,
    FONTS,
    PLACE,
    PRICE,
    covered,
    outcome,
    page,
    put,
    put_new,
    signed,
)
from tests.support.update_bases import form
from tests.support.updates import Draft

NAME = b"BT /F1 8 Tf 2 4 Td (B) Tj ET"
FIELD = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 4/Rect%b/P 3 0 R%b>>"
UNSURE = b"/E cs 0 0 0 scn "


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (180, 19, Outcome.INDETERMINATE),
        (19, 50, Outcome.INDETERMINATE),
        (12, 12, Outcome.INDETERMINATE),
        (180, 20, Outcome.VALID),
        (20, 50, Outcome.VALID),
    ],
)
def test_a_smaller_field_is_a_mark(width, height, expected):
    """Nobody signs in a box for a tick: what stands there says yes or no to the signed text."""
    place = b"[10 20 %d %d]" % (10 + width, 20 + height)
    assert covered(page(PRICE, place=place), NAME, b"%d %d" % (width, height)) is expected


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (b"/CropBox[0 15 200 200]", Outcome.INDETERMINATE),
        (b"/CropBox[0 0 195 200]", Outcome.INDETERMINATE),
        (b"/CropBox[5 0 200 200]", Outcome.INDETERMINATE),
        (b"/CropBox[0 0 200 190]", Outcome.VALID),
        (b"/CropBox[0 .5 200 200]", Outcome.VALID),
        (b"/CropBox[0 0 200 200]", Outcome.VALID),
        (b"", Outcome.VALID),
    ],
)
def test_a_field_is_away_from_where_its_page_is_cut(crop, expected):
    """Some readers show what lies beyond, and with that the signature would read on."""
    assert covered(page(PRICE, entries=crop)) is expected


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (b"/CropBox[0 15 200 200]", Outcome.INDETERMINATE),
        (b"/CropBox[0 0 170 200]", Outcome.INDETERMINATE),
        (b"/CropBox[0 0 195 200]", Outcome.VALID),
        (b"", Outcome.VALID),
    ],
)
def test_a_new_field_is_away_from_where_its_page_is_cut(crop, expected):
    """As one that was there."""
    draft = Draft(signed(page(PRICE, entries=crop)))
    look = draft.add(form(NAME, b"/BBox[0 0 70 20]" + FONTS))
    assert outcome(put_new(draft, look, b"[92 21 162 41]")) is expected


MARKS = [
    (b"/MK<</BG[0 0 0]>>", Outcome.INDETERMINATE),
    (b"/MK<</BC[0 0 0]>>", Outcome.INDETERMINATE),
    (b"/MK<</R 90/BG[1 1 1]>>", Outcome.INDETERMINATE),
    (b"/MK 70 0 R", Outcome.INDETERMINATE),
    (b"/MK<</R 0>>", Outcome.VALID),
    (b"/MK<<>>", Outcome.VALID),
    (b"", Outcome.VALID),
]


@pytest.mark.parametrize(("marks", "expected"), MARKS)
def test_an_empty_field_has_no_ground_and_no_border(marks, expected):
    """Some readers draw them as long as it has no look: a signature would take them away."""
    more = {22: FIELD % (b"Second", PLACE, marks), 70: b"<</BC[0 0 0]>>"}
    assert covered(page(PRICE, more=more)) is expected


@pytest.mark.parametrize(("marks", "expected"), MARKS)
def test_no_field_of_the_page_has_a_ground_that_some_draw(marks, expected):
    """Wherever it stands on the page, unless it has a look: then all readers show that."""
    fields = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R 40 0 R]/SigFlags 1/DA(/F1 9 Tf 0 g)>>>>"
    more = {1: fields, 70: b"<</BC[0 0 0]>>", 41: form(b"1 0 0 RG 2 2 36 26 re S", b"/BBox[0 0 40 30]/Resources<<>>")}
    for look, wanted in ((b"", expected), (b"/AP<</N 41 0 R>>", Outcome.VALID)):
        more[40] = FIELD % (b"Third", b"[150 160 190 190]", marks + look)
        assert covered(page(PRICE, more=more, annotations=b"40 0 R")) is wanted


@pytest.mark.parametrize(
    ("place", "far"),
    [(b"[60 72 100 90]", False), (b"[60 1 100 18.5]", False), (b"[60 100 100 118]", True)],
)
@pytest.mark.parametrize(
    ("drawn", "is_alike"),
    [
        (b"1 0 0 rg 2 2 30 20 re f", True),
        (UNSURE + b"2 2 30 30 re f", False),
        (b"q 1 0 0 .1 0 0 cm 1 0 0 RG 4 w 2 20 m 30 300 l S Q", False),
        (b"1 0 0 rg 2 2 .05 30 re f", False),
        (b"2 2 m 30 30 30 2 2 2 c W n 1 0 0 rg 2 2 30 30 re f", False),
    ],
    ids=["plain", "colour", "pen", "sliver", "clip"],
)
def test_the_look_of_an_annotation_beside_a_place_is_drawn_alike(drawn, is_alike, place, far):
    """It is print as the page's own: near the place only what every reader has alike."""
    stamp = b"<</Type/Annot/Subtype/Stamp/F 4/P 3 0 R/Rect%b/AP<</N 41 0 R>>>>" % place
    more = {40: stamp, 41: form(drawn, b"/BBox[0 0 40 40]/Resources<<%b>>" % WHITE), **PROFILE}
    said = covered(page(PRICE, more=more, annotations=b"40 0 R"))
    assert said is (Outcome.VALID if far or is_alike else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    ("state", "expected"),
    [(b"/AS/On", Outcome.INDETERMINATE), (b"/AS/Off", Outcome.VALID)],
)
def test_of_an_annotation_with_states_the_one_that_is_shown_counts(state, expected):
    """The others are shown by nobody."""
    stamp = (
        b"<</Type/Annot/Subtype/Widget/FT/Btn/T(B)/F 4/P 3 0 R/Rect[60 72 100 90]/AP<</N<</On 41 0 R/Off 42 0 R>>>>%b>>"
    )
    looks = {41: UNSURE + b"2 2 30 30 re f", 42: b"1 0 0 rg 2 2 30 30 re f"}
    fields = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R 40 0 R]/SigFlags 1>>>>"
    more = {number: form(look, b"/BBox[0 0 40 40]/Resources<<%b>>" % WHITE) for number, look in looks.items()}
    prepared = page(PRICE, more={1: fields, 40: stamp % state, **more, **PROFILE}, annotations=b"40 0 R")
    assert covered(prepared) is expected


@pytest.mark.parametrize(
    ("drawn", "gap", "expected"),
    [
        (UNSURE + b"2 2 20 20 re f", 4, Outcome.INDETERMINATE),
        (UNSURE + b"2 2 20 20 re f", 24, Outcome.VALID),
        (b"1 0 0 rg 2 2 20 20 re f", 4, Outcome.INDETERMINATE),
        (b"1 0 0 rg 17 2 16 20 re f", 4, Outcome.VALID),
    ],
)
def test_a_look_that_readers_have_differently_is_away_from_print(drawn, gap, expected):
    """In another reader it may be of the print's colour, and go on with a number."""
    left = END_OF_PRICE + gap
    prepared = page(PRICE, more=PROFILE, place=b"[%.2f 145 %.2f 170]" % (left, left + 35))
    draft = Draft(signed(prepared))
    look = draft.add(form(drawn, b"/BBox[0 0 35 25]/Resources<<%b>>" % WHITE))
    assert outcome(put(draft, look)) is expected
