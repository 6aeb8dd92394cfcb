"""A look beside print goes on with it only where the renderer can tell: it has to show all of the look that others may
show.
"""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, ONLY_APART, here_and_apart, with_fonts
from tests.support.seal_pictures import picture_of
from tests.support.signed_pages import END_OF_PRICE, PRICE, outcome, page, put, signed
from tests.support.small_fonts import of_bytes, of_pairs, pairs, widths
from tests.support.update_bases import form
from tests.support.updates import Draft

LEFT, RIGHT = END_OF_PRICE + 0.3, 198
BEHIND = b"[%.2f 140 %d 165]" % (LEFT, RIGHT)
"""A place right behind the amount."""
NAME = b" 0 g BT /F1 8 Tf 50 2 Td (Signed) Tj ET"
BOX = b"/BBox[0 0 %.2f 25]/Resources<<%%b>>" % (RIGHT - LEFT)
FONTS = b"/Font<</F1 5 0 R/F2 63 0 R>>"


def said(drawn, resources=FONTS, more=None):
    """Behind the amount, where the second signer's look draws something beside his name."""
    draft = Draft(signed(page(PRICE, more=more, place=BEHIND)))
    return outcome(put(draft, draft.add(form(drawn + NAME, BOX % resources))))


@pytest.mark.parametrize(
    ("listed", "at", "string", "expected"),
    [
        (b"/DW 500/W[3[30000] 3[0] 3[31000]]", b"0", " 000", Outcome.INDETERMINATE),
        (b"/DW 500/W[3[30000]]", b"0", " 000", Outcome.VALID),
        (b"/DW 500", b"50", "000", Outcome.VALID),
        (b"/DW 500", b"0", "000", Outcome.INDETERMINATE),
    ],
    ids=["two-widths", "far", "apart", "behind"],
)
def test_signs_whose_way_readers_have_differently_are_behind_no_amount(listed, at, string, expected):
    """To one reader they stand far from it, to another one they are its last digits."""
    text = b"BT /F2 8 Tf %b 14 Td %b Tj ET" % (at, pairs(string))
    assert said(text, more=of_pairs(listed)) is expected


INNER = b"BT /F1 14 Tf 0 -90 Td T* (000) Tj ET"


@pytest.mark.parametrize("state", [b"100 Ts", b"-100 TL", b"9 Tc", b"200 Tz", b"3 Tr"])
def test_a_form_in_a_look_begins_with_its_own_state(state):
    """One reader forgets what was set around it and shows the digits far away, or shows them where others do not."""
    found = {}
    for name, drawn, inner in (
        ("inherited", b"%b /A Do 0 Ts 0 TL 0 Tc 100 Tz 0 Tr" % state, INNER),
        ("taken back", b"q %b Q /A Do" % state, b"BT /F1 8 Tf 50 14 Td (B) Tj ET"),
    ):
        draft = Draft(signed(page(PRICE, place=BEHIND)))
        number = draft.add(form(inner, b"/BBox[0 -200 200 200]/Resources<</Font<</F1 5 0 R>>>>"))
        held = b"/Font<</F1 5 0 R>>/XObject<</A %d 0 R>>" % number
        found[name] = outcome(put(draft, draft.add(form(b"0 g " + drawn + NAME, BOX % held))))
    assert found == {"inherited": Outcome.INDETERMINATE, "taken back": Outcome.VALID}


@pytest.mark.parametrize(
    ("differences", "is_known"),
    [(b"48/foo", False), (b"48/circle", False), (b"48/zero", True), (b"48/Euro 65/Adieresis", True), (b"", True)],
)
def test_a_sign_has_a_name_that_every_reader_knows(differences, is_known):
    """Of another one some draw what its code stands for elsewhere, and the renderer draws nothing."""
    coded = b"/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding/Differences[%b]>>" % differences
    font = {63: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%b%b>>" % (widths(advance=556), coded)}
    expected = Outcome.VALID if is_known else Outcome.INDETERMINATE
    assert said(b"0 g BT /F2 8 Tf 50 14 Td (000) Tj ET", more=font) is expected
    near = here_and_apart(b"BT /F2 6 Tf 100 74 Td (000) Tj ET", more=font | with_fonts(b"/F2 63 0 R"))
    assert near == (EVERYWHERE if is_known else ONLY_APART)


@pytest.mark.parametrize(
    ("is_white", "left", "expected"),
    [
        (True, b"50", Outcome.INDETERMINATE),
        (False, b"0", Outcome.INDETERMINATE),
        (False, b"50", Outcome.VALID),
    ],
)
def test_what_the_renderer_does_not_show_is_behind_no_amount(is_white, left, expected):
    """It draws nothing of a program that another reader may know better; the same signs at a distance are seen."""
    font = of_bytes(widths(), is_white=is_white)
    assert said(b"0 g BT /F2 8 Tf %b 14 Td (000) Tj ET" % left, more=font) is expected


def test_what_the_renderer_does_not_show_may_stand_alone():
    """A look on blank paper goes on with nothing, whatever others show."""
    more = of_bytes(widths(), is_white=True)
    draft = Draft(signed(page(PRICE, more=more)))
    held = b"/BBox[0 0 180 50]/Resources<<%b>>" % FONTS
    assert outcome(put(draft, draft.add(form(b"BT /F2 8 Tf 50 14 Td (000) Tj ET" + NAME, held)))) is Outcome.VALID


@pytest.mark.parametrize(("side", "expected"), [(2, Outcome.INDETERMINATE), (100, Outcome.VALID)])
@pytest.mark.parametrize("more", [b"", b"/Interpolate true"])
def test_a_seal_over_print_has_samples_enough(side, expected, more):
    """Of a coarse picture some readers smooth the samples, and move them by half of one over the amount."""
    place = b"[%.2f 46 %.2f 146]" % (END_OF_PRICE - 54, END_OF_PRICE + 46)
    draft = Draft(signed(page(b"BT /F1 14 Tf 12 100 Td (Price: USD 1300) Tj ET", place=place)))
    half = side // 2
    # The lower right quarter, which is right of the amount and below it.
    opacity = bytes(half * side) + (bytes(half) + b"\xff" * half) * half
    mask = draft.add(picture_of(side, side, opacity, more))
    image = draft.add(picture_of(side, side, bytes((230, 20, 20)) * side**2, b"/SMask %d 0 R%b" % (mask, more)))
    held = b"/BBox[0 0 100 100]/Resources<</XObject<</Im %d 0 R>>>>" % image
    assert outcome(put(draft, draft.add(form(b"q 100 0 0 100 0 0 cm /Im Do Q", held)))) is expected
