"""What a later signature adds changes no colour elsewhere on its page, in any reader."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import EVERYWHERE, NOWHERE, ONLY_APART, STRIP, here_and_apart
from tests.support.seal_pictures import pictured
from tests.support.signed_pages import PRICE, outcome, page, put, signed
from tests.support.update_bases import form
from tests.support.updates import Draft, stream

FALLING = {61: b"<</FunctionType 2/Domain[0 1]/C0[1]/C1[0]/N 1>>"}
STATES = (
    b"/ExtGState<</A<<%b>>/Mode<</BM/Normal>>/Mask<</SMask/None>>/Curve<</TR/Identity>>/Other<</TR2/Default>>"
    b"/Plain<<>>>>"
)


@pytest.mark.parametrize(
    ("entry", "back", "expected"),
    [
        (b"/TR 61 0 R", b"/Mode gs", ONLY_APART),
        (b"/TR 61 0 R", b"/Mask gs", ONLY_APART),
        (b"/TR 61 0 R", b"/Other gs", ONLY_APART),
        (b"/TR2 61 0 R", b"/Mode gs", ONLY_APART),
        (b"/BM/Difference", b"/Mask gs", ONLY_APART),
        (b"/BM/Difference", b"/Curve gs", ONLY_APART),
        (b"/SMask<</S/Luminosity/G 62 0 R>>", b"/Mode gs", ONLY_APART),
        (b"/TR 61 0 R", b"/Plain gs", ONLY_APART),
        (b"/TR 61 0 R", b"/Curve gs", EVERYWHERE),
        (b"/TR2 61 0 R", b"/Other gs", EVERYWHERE),
        (b"/BM/Difference", b"/Mode gs", EVERYWHERE),
        (b"/SMask<</S/Luminosity/G 62 0 R>>", b"/Mask gs", EVERYWHERE),
    ],
)
def test_what_changes_colours_is_taken_back_by_itself(entry, back, expected):
    """A blend mode, a mask and a transfer function: the usual one of another kind takes nothing back."""
    group = b"/BBox[0 0 200 200]/Group<</S/Transparency/CS/DeviceGray>>/Resources<<>>"
    more = FALLING | {62: form(b"1 g 0 0 200 200 re f", group)}
    assert here_and_apart(b"/A gs %b 0 g %b f" % (back, STRIP), STATES % entry, more) == expected


def test_a_list_of_blend_modes_is_none():
    """One reader does not notice that it is transparent, until something else on the page is."""
    drawn = b".5 g 100 71 20 6 re f q /A gs 1 g 102 72 9 4 re f Q"
    for mode, expected in ((b"[/Difference]", NOWHERE), (b"[/Normal]", NOWHERE), (b"/Difference", ONLY_APART)):
        assert here_and_apart(drawn, b"/ExtGState<</A<</BM%b>>>>" % mode) == expected
    assert here_and_apart(drawn, b"/ExtGState<</A<</BM/Normal>>>>") == EVERYWHERE


WORDS = b"/S cs %b scn BT /F1 14 Tf 12 110 Td (minus 900) Tj ET"
NOTHING = {41: stream(b"{pop pop 0 0 0 0}", b"/FunctionType 4/Domain[0 1 0 1]/Range[0 1 0 1 0 1 0 1]")}
ONE = b"<</FunctionType 2/Domain[0 1]/C0[0 0 0 0]/C1[0 1 1 0]/N 1>>"
OPAQUE = b"0 g BT /F1 8 Tf 2 2 Td (Signed) Tj ET"


def said(space, look, colour=b"1"):
    """Of a page with words in inks, once a second signer has put that look into the place below them."""
    spaces = b"/ColorSpace<</S%b>>" % space
    draft = Draft(signed(page(PRICE + WORDS % colour, spaces, NOTHING)))
    if look == "seal":
        return outcome(put(draft, pictured(draft, b"1 0 0 RG 2 w 2 2 176 46 re S", 180, 50)))
    state, drawn = (b"/ExtGState<</A<</BM/Multiply>>>>", b"/A gs ") if look == "mixed" else (b"", b"")
    held = b"/BBox[0 0 180 50]/Resources<</Font<</F1 5 0 R>>%b>>" % state
    return outcome(put(draft, draft.add(form(drawn + OPAQUE, held))))


@pytest.mark.parametrize(
    ("space", "colour"),
    [
        (b"[/DeviceN[/Black/Gold]/DeviceCMYK 41 0 R]", b"1 0"),
        (b"[/DeviceN[/Cyan/Magenta]/DeviceCMYK 41 0 R]", b"1 1"),
        (b"[/Separation/Black/DeviceCMYK %b]" % ONE, b"1"),
        (b"[/Separation/All/DeviceCMYK %b]" % ONE, b"1"),
        (b"[/Indexed[/Separation/Black/DeviceCMYK %b]1<00ff>]" % ONE, b"1"),
    ],
    ids=["two-inks", "process-inks", "black", "all", "table"],
)
@pytest.mark.parametrize("look", ["mixed", "seal"])
def test_inks_of_devices_stay_what_they_were(space, colour, look):
    """One reader paints them by the space's own colours only once something on the page is transparent."""
    assert said(space, look, colour) is Outcome.INDETERMINATE
    assert said(space, "opaque", colour) is Outcome.VALID


@pytest.mark.parametrize("look", ["mixed", "seal", "opaque"])
@pytest.mark.parametrize(
    "space", [b"[/Separation/Gold/DeviceCMYK %b]" % ONE, b"/DeviceGray", b"[/Indexed/DeviceRGB 1<ffffff000000>]"]
)
def test_an_ink_of_its_own_is_painted_alike(space, look):
    """A spot colour, and those of the screen."""
    assert said(space, look) is Outcome.VALID
