"""Where readers have print differently, no later look stands over it: to one of them it was blank."""

import pytest

from services.esign.domain.verdict import Outcome
from tests.support.odd_print import BOX, PROFILE, WHITE, said
from tests.support.seal_pictures import picture_of, pictured
from tests.support.signed_pages import (
    ABOVE,
    END_OF_PRICE,
    FONTS,
    LETTERS,
    PRICE,
    STROKES,
    covered,
    gray_profile,
    outcome,
    page,
    put,
    put_new,
    rgb_profile,
    signed,
)
from tests.support.update_bases import form
from tests.support.updates import Draft, stream

DOTS = [(60 + 8 * x, 30 + 8 * y) for x in range(8) for y in range(4)]


def dots(drawn: bytes) -> bytes:
    """A row of points, each drawn by the same operators; @ is where it is."""
    return b" ".join(drawn.replace(b"@", b"%d %d" % at) for at in DOTS)


def test_what_all_readers_have_alike_is_blank_or_print():
    """An empty place is free for the second signer; over letters that everybody sees nothing is put."""
    assert said(b"") is Outcome.VALID
    assert said(b"0 g " + LETTERS + b"f") is Outcome.INDETERMINATE
    assert said(b"q " + ABOVE + b"0 g " + LETTERS + b"f Q") is Outcome.VALID


@pytest.mark.parametrize(
    ("paint", "resources", "more"),
    [
        (b"/E cs 0 0 0 scn @ f", WHITE, PROFILE),
        (b"/E CS 0 0 0 SCN 3 w @ S", WHITE, PROFILE),
        (b"1 0 0 0 k @ f", b"", {}),
        (b"/DeviceRGB cs 0 g 1 1 0 sc @ f", b"", {}),
        (b"1 1 1 rg 0 sc @ f", b"", {}),
        (
            b"/C cs 1 scn @ f",
            b"/ColorSpace<</C[/Separation/Spot[/ICCBased 60 0 R]61 0 R]>>",
            {**PROFILE, 61: b"<</FunctionType 2/Domain[0 1]/C0[1 1 1]/C1[0 0 0]/N 1>>"},
        ),
    ],
    ids=["profile", "profile-stroke", "inks", "three-of-one", "one-of-three", "separation"],
)
def test_a_colour_that_readers_come_by_differently_is_no_blank(paint, resources, more):
    """Profiles, inks and colours of the wrong number of parts are white to one reader and black to another."""
    paint = paint.replace(b"@", LETTERS)
    # What all readers make of the inks is the ground.
    ground = b"0 .6824 .9373 rg 0 0 200 110 re f " if b" k " in paint else b""
    assert said(ground + paint, resources, more) is Outcome.INDETERMINATE
    assert said(ground + b"q " + ABOVE + paint + b" Q", resources, more) is Outcome.VALID


def test_one_rectangle_of_a_path_does_not_stand_for_the_other():
    """That something is seen at one end of a path says nothing of its other end."""
    more = {**PROFILE, 61: b"<</FunctionType 2/Domain[0 1]/C0[1 1 1]/C1[0 0 0]/N 1>>"}
    space = b"/ColorSpace<</C[/Separation/Spot[/ICCBased 60 0 R]61 0 R]>>"
    for letters, expected in ((LETTERS, Outcome.INDETERMINATE), (b"20 152 1 1 re ", Outcome.VALID)):
        content = b"/C cs 1 scn 20 150 1 1 re " + letters + b"f 0 g "
        assert said(content, space, more) is expected


def test_a_shading_by_samples_is_no_blank():
    """Of a picture that is the function of a shading some readers draw nothing."""
    samples = b"".join(b"\0\0\0" if 16 < at % 64 < 40 else b"\xff\xff\xff" for at in range(64 * 32))
    more = {
        **PROFILE,
        61: stream(samples, b"/FunctionType 0/Domain[0 1 0 1]/Range[0 1 0 1 0 1]/Size[64 32]/BitsPerSample 8"),
        62: b"<</ShadingType 1/ColorSpace[/ICCBased 60 0 R]/Domain[0 1 0 1]/Matrix[100 0 0 40 40 25]/Function 61 0 R>>",
    }
    assert said(b"/S sh", b"/Shading<</S 62 0 R>>", more) is Outcome.INDETERMINATE
    clipped = b"q 0 110 200 20 re W n /S sh Q"
    assert said(clipped, b"/Shading<</S 62 0 R>>", more) is Outcome.VALID


@pytest.mark.parametrize("key", [b"DefaultRGB", b"DefaultGray"])
@pytest.mark.parametrize("look", ["opaque", "seal"])
def test_a_page_that_redefines_the_device_takes_no_later_look(key, look):
    """Its default spaces make other colours of a later picture to some readers, and a sheet of a thin mask."""
    frame = b"q 1 0 0 RG 1 w 2 2 176 20 re S Q "
    profile = rgb_profile(white=True) if key == b"DefaultRGB" else gray_profile()
    for name, expected in ((key, Outcome.INDETERMINATE), (b"Other", Outcome.VALID)):
        resources = b"/ColorSpace<</%b[/ICCBased 60 0 R]>>" % name
        place = b"[10 120 190 170]" if look == "seal" else b"[10 20 190 70]"
        prepared = page(b"0 0 0 1 k " + PRICE, resources, {60: profile}, place=place)
        if look == "opaque":
            assert covered(prepared) is expected
            continue
        draft = Draft(signed(prepared))
        assert outcome(put(draft, pictured(draft, frame, 180, 50))) is expected


def test_a_picture_in_a_redefined_colour_is_no_blank():
    """A black picture of the page is white to readers that take the page's own default space."""
    more = {**PROFILE, 61: picture_of(2, 1, bytes(6))}
    for resources, expected in (
        (b"/XObject<</I 61 0 R>>/ColorSpace<</DefaultRGB[/ICCBased 60 0 R]>>", Outcome.INDETERMINATE),
        (b"/XObject<</I 61 0 R>>", Outcome.VALID),
    ):
        at = b"60 30" if expected is Outcome.INDETERMINATE else b"60 120"
        assert said(b"q 60 0 0 20 %b cm /I Do Q" % at, resources, more) is expected


@pytest.mark.parametrize("begin", [40, 90])
def test_text_of_a_standard_font_is_where_its_widths_say(begin):
    """A word behind many spaces lies in the place, whatever is seen of another word beside it."""
    words = b"BT /F1 14 Tf 12 40 Td (Seller does) Tj ET q /E cs 0 0 0 scn BT /F1 14 Tf 40 %d Td (%bNOT) Tj ET Q"
    prepared = page(PRICE + words % (begin, b" " * 18), WHITE, PROFILE, place=b"[95 20 190 70]")
    said_of = covered(prepared, b"1 1 1 rg 0 0 95 50 re f 0 g BT /F1 9 Tf 2 35 Td (B) Tj ET", b"95 50")
    assert said_of is (Outcome.INDETERMINATE if begin == 40 else Outcome.VALID)


def test_a_word_that_some_see_is_asked_for_by_itself():
    """A rule and another word in the place do not stand for a word that one reader does not show."""
    seen = b"BT /F1 8 Tf 12 60 Td (Date) Tj ET .5 w 60 38 m 180 38 l S "
    word = b"q /E cs 0 0 0 scn BT /F1 12 Tf 80 %d Td (less 500) Tj ET Q"
    for height, expected in ((41, Outcome.INDETERMINATE), (100, Outcome.VALID)):
        draft = Draft(signed(page(PRICE + seen + word % height, WHITE, PROFILE)))
        assert outcome(put(draft, pictured(draft, b"1 0 0 rg 60 21.5 90 14 re f", 180, 50))) is expected


def test_what_a_page_lacks_is_nowhere_else():
    """Some readers look for a name in the resources of the tree of pages as well."""
    drawn = {61: form(LETTERS + b"f", BOX + b"/Resources<<>>")}
    tree = b"/Resources<</XObject<</X 61 0 R>>>>"
    assert said(b"/X Do", more=drawn, tree=tree) is Outcome.INDETERMINATE
    away = {61: form(ABOVE + LETTERS + b"f", BOX + b"/Resources<<>>")}
    assert said(b"/X Do", b"/XObject<</X 61 0 R>>", away, tree=tree) is Outcome.VALID


@pytest.mark.parametrize(
    ("content", "honest"),
    [
        (b"q 0 g %b 1 0 0 1 0 -500 cm f Q", b"q 0 g 1 0 0 1 0 -500 cm %b f Q"),
        (b"q 0 g %b /X Do n Q", b"q 0 g %b n Q /X Do"),
        (b"q 0 g %b 1 g f Q", b"q 0 g 1 g %b n Q"),
        (b"0 g q %b Q 400 400 m f 1 g", b"0 g q %b n Q 400 400 m n 1 g"),
        (b"q 0 g %b BT ET n Q", b"q 0 g %b n BT ET Q"),
    ],
    ids=["matrix", "form", "colour", "saved", "text"],
)
def test_between_a_path_and_its_painting_is_nothing(content, honest):
    """Some readers have the path where it was made, others where it is painted, or let a form paint it."""
    resources, more = b"/XObject<</X 62 0 R>>", {62: form(b"0 g 0 0 1 1 re f", BOX + b"/Resources<<>>")}
    assert said(content % LETTERS, resources, more) is Outcome.INDETERMINATE
    assert said(honest % LETTERS, resources, more) is Outcome.VALID


def test_a_form_paints_no_path_of_the_page():
    """To one reader the path that is open goes on in a form that begins none."""
    for inner, expected in ((b"0 g f", Outcome.INDETERMINATE), (b"0 g n", Outcome.VALID)):
        more = {62: form(inner, BOX + b"/Resources<<>>")}
        assert said(b"/X Do", b"/XObject<</X 62 0 R>>", more) is expected


def sparse(step: int, samples: int) -> bytes:
    """A white picture of 76 by 22 points with one black sample in each `step` by `step`."""
    width, height = 76 * samples, 22 * samples
    blank, row = b"\xff" * width, bytearray(b"\xff" * width)
    row[step // 2 :: step] = bytes(len(row[step // 2 :: step]))
    return picture_of(width, height, b"".join(bytes(row) if y % step == step // 2 else blank for y in range(height)))


@pytest.mark.parametrize(
    ("step", "samples", "height", "expected"),
    [
        (16, 32, 34, Outcome.INDETERMINATE),
        (24, 48, 34, Outcome.INDETERMINATE),
        (16, 32, 120, Outcome.VALID),
        (200, 2, 34, Outcome.VALID),
    ],
)
def test_a_picture_of_single_samples_is_no_blank(step, samples, height, expected):
    """Where the renderer sees the mean of many, another reader takes one of them."""
    content = b"q 76 0 0 22 60 %d cm /I Do Q" % height
    assert said(content, b"/XObject<</I 61 0 R>>", {61: sparse(step, samples)}) is expected


@pytest.mark.parametrize("space", [b"1 0 0 rg", b"/E cs 1 0 0 scn"])
def test_print_beside_a_seal_has_one_hue(space):
    """What is black to one reader and red to another goes on with the digits of a red seal."""
    resources, more = WHITE, {60: rgb_profile(white=False)}
    zeros = b"1 0 0 RG 1.5 w %.2f 30 5 9 re S 1 w 2 2 176 14 re S" % (END_OF_PRICE - 9)
    for paint, expected in ((space, Outcome.INDETERMINATE), (b"0 g", Outcome.VALID)):
        draft = Draft(signed(page(b"q " + paint + b" " + PRICE + b"Q", resources, more, place=b"[10 120 190 170]")))
        assert outcome(put(draft, pictured(draft, zeros, 180, 50))) is expected


@pytest.mark.parametrize(("place", "expected"), [(b"[92 99 162 119]", False), (b"[92 40 162 60]", True)])
def test_a_new_field_keeps_its_distance_from_what_some_see(place, expected):
    """Ink that the renderer does not show is asked for around a new place as well, as its look would go on with it."""
    number = b"60 100 3 16 re 67 100 10 16 re 80 100 10 16 re "
    draft = Draft(signed(page(PRICE + b"q /E cs 0 0 0 scn " + number + b"f Q", WHITE, PROFILE)))
    look = draft.add(form(b"0 g 1 1 10 16 re 14 1 10 16 re f", b"/BBox[0 0 70 20]" + FONTS))
    assert outcome(put_new(draft, look, place)) is (Outcome.VALID if expected else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    "drawn",
    [
        b"1 J 4 w " + dots(b"@ m h") + b" S",
        b"2 J 4 w " + dots(b"@ m h") + b" S",
        b"1 J 4 w " + dots(b"@ m @ @ @ c") + b" S",
        b"1 J 1 j 4 w " + dots(b"@ 0 0 re") + b" S",
        b"5 w [30] 30 d " + STROKES + b"S",
        b"5 w [" + b".001 300 " * 16 + b"3000 .001] 4800.03 d " + STROKES + b"S",
        b"5 w [40 200] 999999990 d " + STROKES + b"S",
        b"5 w [0 200 30] 0 d " + STROKES + b"S",
    ],
    ids=["round", "square", "curves", "rectangles", "odd", "long", "far", "points"],
)
def test_a_stroke_that_only_some_see_is_no_blank(drawn):
    """Points without extent have ends to some readers, and of dashes each has its own phase."""
    assert said(b"q " + drawn + b" Q") is Outcome.INDETERMINATE
    assert said(b"q " + ABOVE + drawn + b" Q") is Outcome.VALID


@pytest.mark.parametrize("dashes", [b"[] 0", b"[3] 0", b"[3 2] 1"])
def test_usual_dashes_are_print(dashes):
    """Over them nothing is put, and beside them the second signer signs."""
    drawn = b"2 w " + dashes + b" d " + STROKES + b"S"
    assert said(b"q " + drawn + b" Q") is Outcome.INDETERMINATE
    assert said(b"q " + ABOVE + drawn + b" Q") is Outcome.VALID


@pytest.mark.parametrize("group", [b"/K true", b"/K true/I true", b"/K true/I false/CS/DeviceRGB", b"/CS/DeviceCMYK"])
def test_a_group_that_knocks_out_is_no_blank(group):
    """Unseen letters in it are the black below to one reader."""
    below = b"0 g 50 25 100 40 re f /Fm Do"
    inner = b"1 g 50 25 100 40 re f /H gs " + LETTERS + b"f"
    resources = b"/XObject<</Fm 61 0 R>>"
    states = b"/Resources<</ExtGState<</H<</ca 0>>>>>>"
    odd = {61: form(inner, BOX + b"/Group<</S/Transparency%b>>" % group + states)}
    assert said(below, resources, odd) is Outcome.INDETERMINATE
    plain = {61: form(b"1 g 50 25 100 40 re f", BOX + b"/Group<</S/Transparency>>/Resources<<>>")}
    assert said(b"/Fm Do", resources, plain) is Outcome.VALID
    # What is dark below is there to a reader that leaves out what lies over it.
    assert said(below, resources, plain) is Outcome.INDETERMINATE


@pytest.mark.parametrize("down", [-9000, -1000])
def test_vertical_writing_leaves_it_open(down):
    """Readers follow it differently; a sign that its font takes nine ems down stands in the place."""
    name = b"STSong-Light"
    more = {
        **PROFILE,
        63: b"<</Type/Font/Subtype/Type0/BaseFont/%b-UniGB-UCS2-V/Encoding/UniGB-UCS2-V/DescendantFonts[64 0 R]>>"
        % name,
        64: b"<</Type/Font/Subtype/CIDFontType0/BaseFont/%b/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>"
        b"/DW 1000/DW2[880 %d]/FontDescriptor 65 0 R>>" % (name, down),
        65: b"<</Type/FontDescriptor/FontName/%b/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0/Ascent 880"
        b"/Descent -120/CapHeight 880/StemV 93>>" % name,
        3: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R/FV 63 0 R>>%b>>/Annots[22 0 R]>>"
        % WHITE,
    }
    text = b"q /E cs 0 0 0 scn BT /FV 14 Tf 1 0 0 1 60 185 Tm <00204E0D> Tj ET Q"
    assert said(text, more=more) is Outcome.INDETERMINATE
