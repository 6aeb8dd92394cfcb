"""What is filled into a form is one thing to every reader: to those that show its look, and to those that draw its
value.
"""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.filled_forms import BOX, MARK, WIDGET, blank_form, filled, finished, look, text, ticked
from tests.support.signed_pages import FONTS, rgb_profile
from tests.support.small_fonts import of_bytes, widths
from tests.support.update_bases import form
from tests.support.updates import Draft


def said(value, drawn, *, field=20, resources=FONTS, size=b"60 16", objects=None):
    """Once a value and a look are filled in, and a second signer has signed."""
    draft = Draft(blank_form(objects=objects))
    draft.edit(field).update({"V": value, **look(draft, drawn, resources, size)})
    return finished(draft)


def words(shown, font=b"/F1"):
    return b"BT %b 9 Tf 0 g 2 4 Td (%b) Tj ET" % (font, shown)


@pytest.mark.parametrize(
    ("value", "shown", "expected"),
    [
        (b"900", b"900", Outcome.VALID),
        (b"1900000", b"900", Outcome.INDETERMINATE),
        (b"900", b"1900000", Outcome.INDETERMINATE),
        (b"", b"900", Outcome.INDETERMINATE),
        (b"USD 900", b"USD 900", Outcome.VALID),
        (b"\xfe\xff\x009\x000\x000", b"900", Outcome.VALID),
        (b"\xfe\xff\x009\x200b\x000", b"900", Outcome.INDETERMINATE),
        (b"9\xad00", b"9\xad00", Outcome.INDETERMINATE),
        (b"9\x0000", b"9\x0000", Outcome.INDETERMINATE),
        (b"Fu\xdf", b"Fu\xdf", Outcome.VALID),
    ],
)
def test_a_look_says_its_value(value, shown, expected):
    """Of a value in another spelling the signs are the same; one that some readers leave out is none."""
    assert said(value, words(shown)) is expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"1 1 58 14 re W n " + words(b"900"), Outcome.VALID),
        (b".9 g 0 0 60 16 re f 0 G .5 .5 59 15 re s " + words(b"900"), Outcome.VALID),
        (b"BT /F1 9 Tf 0 g 2 4 Td (9) Tj 6 0 Td (0) Tj 6 0 Td (0) Tj ET", Outcome.VALID),
        (b"BT /F1 9 Tf 0 0 1 rg 2 4 Td [(9) -20 (00)] TJ ET", Outcome.VALID),
        (words(b"900") + b" 1 g 0 0 60 16 re f", Outcome.INDETERMINATE),
        (words(b"900") + b" 3 w 30 4 m 30 12 l S", Outcome.INDETERMINATE),
        (b"3 w 30 4 m 30 12 l S " + words(b"900"), Outcome.INDETERMINATE),
        (b"1 1 8 14 re W n " + words(b"900"), Outcome.INDETERMINATE),
        (b"1 g BT /F1 9 Tf 2 4 Td (900) Tj ET", Outcome.INDETERMINATE),
        (b"BT 3 Tr /F1 9 Tf 2 4 Td (900) Tj ET", Outcome.INDETERMINATE),
        (b"BT /F1 9 Tf 0 g 2 4 Td (9) Tj 200 0 Td (00) Tj ET", Outcome.INDETERMINATE),
    ],
    ids=["clipped", "framed", "combed", "kerned", "covered", "stroke", "stroke-first", "cut", "white", "unseen", "off"],
)
def test_all_of_a_value_is_seen(drawn, expected):
    """Acrobat clips, draws a ground and a frame, and sets signs one by one: nothing else is a value."""
    assert said(b"900", drawn) is expected


ROUND = b"BT /F1 9 Tf 0 g %b ET"


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"2 4 Td (19) Tj 10 0 Td (00) Tj", Outcome.VALID),
        (b"2 4 Td [(1) 60 (9) -80 (00)] TJ", Outcome.VALID),
        (b"2 9 Td (19) Tj 0 -8 Td (00) Tj", Outcome.VALID),
        (b"2 9 Td 8 TL (19) Tj (00) '", Outcome.VALID),
        (b"30 4 Td (19) Tj -20 0 Td (00) Tj", Outcome.INDETERMINATE),
        (b"2 4 Td (19) Tj 0 0 Td (00) Tj", Outcome.INDETERMINATE),
        (b"2 2 Td (19) Tj 0 7 Td (00) Tj", Outcome.INDETERMINATE),
        (b"30 4 Td [(19) 2500 (00)] TJ", Outcome.INDETERMINATE),
        (b"30 4 Td -11 Tc (1900) Tj", Outcome.INDETERMINATE),
        (b"-1 0 0 1 40 4 Tm (1900) Tj", Outcome.INDETERMINATE),
        (b"-1 0 0 -1 40 12 Tm (1900) Tj", Outcome.INDETERMINATE),
        (b"-100 Tz 40 4 Td (1900) Tj", Outcome.INDETERMINATE),
        (b"1 0 0 -1 2 12 Tm (1900) Tj", Outcome.INDETERMINATE),
    ],
    ids=[
        "comb", "kerned", "lines", "next-line", "before", "over", "above", "back", "reversed", "mirrored",
        "upside-down", "mirrored-signs", "on-its-head",
    ],
)  # fmt: skip
def test_a_value_is_read_in_its_order(drawn, expected):
    """Its signs stand one behind the other: the same strings in other places are another amount."""
    assert said(b"1900", ROUND % drawn) is expected


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (b"", Outcome.VALID),
        (b"/Matrix[1 0 0 1 0 0]", Outcome.VALID),
        (b"/Matrix[-1 0 0 -1 60 16]", Outcome.INDETERMINATE),
        (b"/Matrix[-1 0 0 1 60 0]", Outcome.INDETERMINATE),
        (b"/Matrix[1 0 0 -1 0 16]", Outcome.INDETERMINATE),
    ],
)
def test_a_value_does_not_stand_upside_down(matrix, expected):
    """A six would be a nine."""
    assert said(b"6000", words(b"6000"), resources=FONTS + matrix) is expected


@pytest.mark.parametrize(("value", "shown"), [(b"1", b"one"), (b"1", b"1"), (b"1", b"two")])
def test_a_choice_shows_the_text_of_its_value(value, shown):
    """Of two texts the second one (table 233)."""
    options = {21: WIDGET + b"/FT/Ch/Ff 131072/T(kind)/Opt[[(1)(one)][(2)(two)]]/Rect[90 8 135 24]/AP<</N 25 0 R>>>>"}
    expected = Outcome.VALID if shown == b"one" else Outcome.INDETERMINATE
    assert said(value, words(shown), field=21, objects=options) is expected


OF_THE_FORM = b"/Resources<</Font<</F1 63 0 R>>>>"
CODED = b"<</Type/Font/Subtype/Type1/BaseFont/%%b%b/Encoding<</Type/Encoding/Differences[%%b]>>>>" % widths(advance=556)


@pytest.mark.parametrize(
    ("font", "differences", "expected"),
    [
        (b"Helvetica", b"24/breve/caron 39/quotesingle 96/grave 128/bullet/dagger 160/Euro", Outcome.VALID),
        (b"Helvetica", b"57/one", Outcome.INDETERMINATE),
        (b"Helvetica", b"48/zero.alt", Outcome.INDETERMINATE),
        (b"Symbol", b"39/quotesingle", Outcome.INDETERMINATE),
        (b"ZapfDingbats", b"39/quotesingle", Outcome.INDETERMINATE),
        (b"Wingdings", b"39/quotesingle", Outcome.INDETERMINATE),
    ],
)
def test_which_letters_a_look_has_is_known_of_every_readers_fonts(font, differences, expected):
    """The first is what Acrobat writes for a form's Helvetica; another font has other signs for the same codes."""
    assert said(b"900", words(b"900"), resources=OF_THE_FORM, objects={63: CODED % (font, differences)}) is expected


@pytest.mark.parametrize(
    ("differences", "expected"),
    [(b"39/quotesingle", Outcome.VALID), (b"32/hyphen", Outcome.INDETERMINATE), (b"32/zero", Outcome.INDETERMINATE)],
)
def test_a_blank_is_one_by_its_name(differences, expected):
    """One between two figures, in a form's Helvetica."""
    drawn = words(b"9 00")
    font = {63: CODED % (b"Helvetica", differences)}
    assert said(b"9 00", drawn, resources=OF_THE_FORM, objects=font) is expected


@pytest.mark.parametrize(("is_embedded", "expected"), [(True, Outcome.INDETERMINATE), (False, Outcome.VALID)])
def test_a_font_of_the_file_says_anything(is_embedded, expected):
    """Its program may draw a nine for a one."""
    objects = {**of_bytes(widths(advance=556), name=b"Helvetica", advance=556)}
    if not is_embedded:
        objects = {63: objects[63].replace(b"/FontDescriptor 64 0 R", b"")}
    assert said(b"900", words(b"900"), resources=OF_THE_FORM, objects=objects) is expected


UNSURE = b"/Resources<</Font<</F1 5 0 R>>/ColorSpace<</E[/ICCBased 60 0 R]>>>>"


def test_what_is_filled_in_is_drawn_alike():
    """A one before the amount, in a colour that is white to some readers."""
    more = b"BT /F1 9 Tf 2 4 Td %b (1) Tj 0 g (900) Tj ET"
    profile = {60: rgb_profile(white=True)}
    for value, colour, expected in (
        (b"900", b"/E cs 0 0 0 scn", Outcome.INDETERMINATE),
        (b"1900", b"/E cs 0 0 0 scn", Outcome.INDETERMINATE),
        (b"1900", b"0 g", Outcome.VALID),
    ):
        assert said(value, more % colour, resources=UNSURE, objects=profile) is expected


@pytest.mark.parametrize(
    "value",
    [b"900", b"900\n000", b"900\r", b"9\x0000", b"9\xad00", b"\xfe\xff\x009\x00\x1b\x00e\x00n\x00\x1b\x000"],
)
@pytest.mark.parametrize("more", [b"", b"/NeedAppearances true"])
def test_a_value_without_a_look_is_drawn_by_each_reader_in_its_own_way(value, more):
    """Broken, cut off, moved; a program that fills in a form draws the look, too."""
    draft = Draft(blank_form(more))
    draft.edit(20)["V"] = value
    del draft.edit(20)["AP"]
    assert finished(draft) is Outcome.INDETERMINATE
    draft = Draft(blank_form())
    filled(draft, words=b"900")
    assert finished(draft) is Outcome.VALID


@pytest.mark.parametrize(("flags", "expected"), [(8192, Outcome.INDETERMINATE), (4096, Outcome.VALID)])
def test_a_password_has_no_look_that_says_it(flags, expected):
    """Some readers show stars; a text of several lines is shown as it is."""
    field = {20: WIDGET + b"/FT/Tx/T(amount)/V()/Ff %d/Rect[20 8 80 24]/DA(/F1 9 Tf 0 g)/AP<</N 25 0 R>>>>" % flags}
    draft = Draft(blank_form(objects=field))
    draft.edit(20).update({"V": b"900\r000", **text(draft, b"900 000")})
    assert finished(draft) is expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (b"3 3 m 13 13 l S 3 13 m 13 3 l S", Outcome.VALID),
        (b"4 4 8 8 re f", Outcome.VALID),
        (b"1 J 8 w 8 8 0 0 re S", Outcome.INDETERMINATE),
        (b"2 J 8 w 8 8 m 8 8 l S", Outcome.INDETERMINATE),
        (b"1 J 8 w [0 100] 0 d 8 8 m 12 8 l S", Outcome.INDETERMINATE),
        (b"3 8 10 0 re f 8 3 0 10 re f", Outcome.INDETERMINATE),
        (b"-3 w 3 3 m 13 13 l S", Outcome.INDETERMINATE),
        (b"4 8 8 0 re W n 0 0 16 16 re f", Outcome.INDETERMINATE),
        (b"255 g 4 4 8 8 re f", Outcome.INDETERMINATE),
    ],
    ids=["cross", "square", "round-point", "point", "dash", "areas", "pen", "clip", "colour"],
)
def test_a_tick_is_one_to_every_reader(drawn, expected):
    """Points, areas without breadth and colours beyond the range are marks to some readers, and nothing to others."""
    draft = Draft(blank_form(objects={26: form(MARK + b" " + drawn, BOX)}))
    ticked(draft)
    assert finished(draft) is expected
