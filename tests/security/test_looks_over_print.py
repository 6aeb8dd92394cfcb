"""Over what was printed a later look stands like a seal: every sign can be read, and is the one that it was."""

import zlib

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.seal_pictures import picture_of, pictured
from tests.support.update_bases import built, form, rich
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

TYPE = b"/Resources<</Font<</F1 5 0 R>>>>"
FIELD = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect[10 120 190 170]/P 3 0 R>>"
INVISIBLE = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>"
# Where the 3 of "Price: USD 1300" stands in the field, in Helvetica of 14 points.
THREE = 2 + (667 + 333 + 222 + 500 + 556 + 278 + 278 + 722 + 667 + 722 + 278 + 556) * 14 / 1000


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def printed(content, more=None, *, certify=None):
    """A page with a field, signed."""
    objects = rich()
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]/SigFlags 1/DA(/F1 9 Tf 0 g)>>>>"
    objects[3] = objects[3][:-2] + b"/Annots[22 0 R]>>"
    objects[4], objects[22] = stream(content), FIELD
    objects.update(more or {})
    if certify is None:
        return attack.foreign_sign(built(objects))
    return attack.foreign_sign(built(objects), "certifier", certify=certify)


def signed_over(content, look):
    draft = Draft(printed(content))
    value = draft.sign()
    shown = draft.add(form(look, b"/BBox[0 0 180 50]" + TYPE))
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
    return outcome(draft.finished())


def sealed_over(content, drawn, more=b""):
    """The same with a picture of what is drawn, and nothing else but `more`."""
    draft = Draft(printed(content))
    value = draft.sign()
    shown = pictured(draft, drawn, 180, 50, more=more)
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
    return outcome(draft.finished())


FRAME = b"q 1 0 0 RG 1 w 2 2 176 20 re S Q "
PRICE = b"BT /F1 14 Tf 12 150 Td (Price: USD 1300) Tj ET"
LINES = b"BT /F1 14 Tf 12 180 Td (Second party) Tj ET 0 G .8 w 20 130 m 180 130 l S"
DOTS = b"BT /F1 14 Tf 12 180 Td (Second party) Tj 0 -50 Td (..........................) Tj ET"


@pytest.mark.parametrize(
    ("look", "accepted"),
    [
        (b"1 0 0 RG 2 w 60 4 70 40 re S", True),
        (b"1 0 1 RG 2 w 60 4 70 40 re S", True),
        (b"0 0 1 RG 2 w 60 4 70 40 re S", False),
        (b"BT /F1 14 Tf %.3f 30 Td (8) Tj ET" % THREE, False),
        (b"BT 1 0 0 rg /F1 14 Tf %.3f 30 Td (8) Tj ET" % THREE, False),
        (b"0 G 1 w 2 35 m 60 35 l S", False),
        (b"BT 1 0 0 rg /F1 14 Tf %.3f 10 Td (8) Tj ET" % THREE, False),
        (b"0 G 2 w 60 4 70 40 re S", False),
        (b"0 0 .5 RG 2 w 60 4 70 40 re S", False),
        (b".2 .35 .9 RG 2 w 60 4 70 40 re S", True),
        (b"2 w 60 4 70 40 re S", False),
    ],
)
def test_no_sign_becomes_another(look, accepted):
    """A stroke in the print's own colour makes an 8 of a 3, or strikes a word out; a seal in a colour that print has not
    does neither. Each reader draws text by fonts of its own, and paths by its own rules: over signs is one picture.
    """
    assert signed_over(PRICE, look) is Outcome.INDETERMINATE
    if b"Tf" not in look:
        assert sealed_over(PRICE, look) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    ("print_", "seal", "expected"),
    [
        (b".32 .39 .59", b".29 .39 .6", Outcome.INDETERMINATE),
        (b".59 .33 .33", b".59 .29 .29", Outcome.INDETERMINATE),
        (b".27 .33 .42", b".27 .33 .59", Outcome.INDETERMINATE),
        (b".84 0 0", b".84 0 0", Outcome.INDETERMINATE),
        (b".27 .33 .42", b".9 .1 .1", Outcome.VALID),
    ],
)
def test_a_seal_in_nearly_the_colour_of_print_is_no_seal(print_: bytes, seal: bytes, expected: Outcome) -> None:
    """People do not see where a hue begins: zeros in slate behind an amount in slate are its zeros."""
    content = print_ + b" rg BT /F1 14 Tf 12 150 Td (Price: USD 1300) Tj ET"
    zeros = b"".join(b"%d 30 5 10 re S " % (110 + 8 * digit) for digit in range(3))
    assert sealed_over(content, seal + b" RG 1.4 w " + zeros) is expected


@pytest.mark.parametrize("rule", [LINES, DOTS])
def test_a_rule_is_no_sign(rule):
    """Who signs on a line, or on a row of dots, crosses it."""
    assert signed_over(rule, b"0 G 1.2 w 70 2 m 90 20 l 100 4 l S") is Outcome.VALID
    assert signed_over(rule, b"BT /F1 12 Tf 20 14 Td (Second) Tj ET") is Outcome.VALID


@pytest.mark.parametrize("size", [10, 11, 12, 14])
def test_no_point_is_whitened(size):
    """Of small type a point is little ink, and decides the amount."""
    width = (667 + 333 + 222 + 500 + 556 + 278 + 278 + 722 + 667 + 722 + 278 + 3 * 556) * size / 1000
    hole = b"1 1 1 rg %.2f 29.2 %.2f %.2f re f" % (1.8 + width + 0.087 * size, 0.104 * size + 0.4, 0.106 * size + 1)
    text = b"BT /F1 %d Tf 12 150 Td (Price: USD 950.25) Tj ET" % size
    assert sealed_over(text, FRAME + hole) is Outcome.INDETERMINATE
    assert sealed_over(text, FRAME) is Outcome.VALID


def test_what_is_filled_in_makes_no_other_sign():
    """The same of a text field over print; over a line it is filled in."""
    field = b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/FT/Tx/T(remark)/V()/Rect[10 120 190 170]/DA(/F1 14 Tf 0 g)>>"
    for page, place, accepted in ((PRICE, b"%.3f 30" % THREE, False), (LINES, b"%.3f 14" % THREE, True)):
        draft = Draft(printed(page, {22: field}, certify=MDPPerm.FILL_FORMS))
        look = draft.add(form(b"/Tx BMC BT /F1 14 Tf %b Td (8) Tj ET EMC" % place, b"/BBox[0 0 180 50]" + TYPE))
        draft.edit(22).update({"V": b"8", "AP": {"N": Ref((look, 0))}})
        draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign())), 0)
        assert outcome(draft.finished()) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    ("rectangle", "off", "on", "accepted"),
    [
        (b"[12 20 28 36]", b"0 G 1 1 14 14 re S", b"0 G 1 1 14 14 re S 3 3 m 13 13 l S", True),
        (b"[12 20 28 36]", b"BT /F1 9 Tf 1 4 Td (100) Tj ET", b"BT /F1 9 Tf 1 4 Td (974) Tj ET", False),
        (b"[12 20 132 36]", b"BT /F1 9 Tf 1 4 Td (gets 100) Tj ET", b"BT /F1 9 Tf 1 4 Td (gets 900) Tj ET", False),
    ],
)
def test_a_button_is_a_mark(rectangle, off, on, accepted):
    """A tick comes or goes; a text that the first signer read is not exchanged by one."""
    box = b"/BBox[0 0 %b 16]" % (b"120" if b"132" in rectangle else b"16")
    more = {
        22: b"<</Type/Annot/Subtype/Widget/FT/Btn/T(agreed)/V/Off/AS/Off/F 4/Rect%b/P 3 0 R"
        b"/AP<</N<</Yes 26 0 R/Off 27 0 R>>>>>>" % rectangle,
        26: form(on, box + TYPE),
        27: form(off, box + TYPE),
    }
    draft = Draft(printed(PRICE, more, certify=MDPPerm.FILL_FORMS))
    draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes")})
    draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign())), 0)
    assert outcome(draft.finished()) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


def test_a_new_field_keeps_its_distance_from_what_another_signed():
    """Behind "USD 10" a third signer's field would go on with the number."""
    field = FIELD.replace(b"[10 120 190 170]", b"[20 100 116 130]")
    draft = Draft(printed(b"BT /F1 14 Tf 12 170 Td (Guarantee) Tj ET", {22: field}))
    value = draft.sign()
    look = draft.add(form(b"BT /F1 10 Tf 2 10 Td (B stands for USD 10) Tj ET", b"/BBox[0 0 96 30]" + TYPE))
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((look, 0))}})
    second = draft.finished()
    assert outcome(second) is Outcome.VALID
    for place, accepted in ((b"[116 100 196 130]", False), (b"[20 40 100 70]", True)):
        third = Draft(second)
        value = third.sign()
        look = third.add(form(b"BT /F1 10 Tf 0 10 Td (0000, C agrees) Tj ET", b"/BBox[0 0 80 30]" + TYPE))
        third.put_field(
            third.add(
                b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Third)/F 132/Rect%b/P 3 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
                % (place, value, look)
            ),
            0,
        )
        assert outcome(third.finished()) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    "look",
    [
        b"BT 1 0 0 rg /F1 9 Tf 2 4 Td [( ) 4294967296 -1000000 (x)] TJ ET",
        b"q 20000 0 0 20000 0 0 cm 1 g .00235 -30000 .0016 60000 re f Q",
        b"q 1 0 0 20000 0 0 cm 1 0 0 20000 0 0 cm 0 0 1 1 re f Q",
        b"1 g 47 26 l 79 26 l 79 42 l 47 42 l f",
        b"q W n Q",
        b"1 0 0 RG 3 w -20000 -7000 m 300 100 l S",
        b"1 0 0 RG 20 w 40 30 m 40.3 29.6 40.1 29.9 39.7 30.1 c S",
        b"1 0 0 rg 10 10 60 .0005 re f",
        b"q .01 0 0 100 40 20 cm 1 0 0 RG .02 w 0 0 m 2000 0 l S Q",
        b"BT /F1 9 Tf 1 0 0 1 99999 99999 Tm 1 0 0 1 0 0 Tm (x) Tj ET",
    ],
)
def test_over_print_everything_is_where_every_reader_has_it(look):
    """Of numbers that do not fit a word or single precision, and of paths that nothing begins, one reader draws
    nothing and another a white strip.
    """
    assert signed_over(PRICE, b"q 1 0 0 RG 1 w 2 2 176 20 re S Q " + look) is Outcome.INDETERMINATE


LONG = b"N" * 200


@pytest.mark.parametrize(
    ("look", "resources"),
    [
        (b"/%b Do" % LONG, b"/XObject<</%b @ 0 R>>" % LONG),
        (b"BT 1 0 0 rg /F1 9 Tf -20000 30 Td (%bx) Tj ET" % (b" " * 33_000), b""),
        (b"/X Do", b"/XObject<</X @ 0 R>>"),
        (b"q .001 0 0 20 10 10 cm /Im Do Q", b"/XObject<</Im @ 0 R>>"),
    ],
)
def test_over_print_nothing_is_longer_than_readers_take(look, resources):
    """Of long names, strings and pictures, and of boxes beyond a word, the renderer shows nothing, and others a sheet."""
    if b"/Im" in look:
        entries = b"/Width 200000/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode"
        drawn = stream(zlib.compress(b"\xff" * 200_000), b"/Type/XObject/Subtype/Image" + entries)
    else:
        box = b"/BBox[-99999 -99999 99999 99999]" if b"/X" in look else b"/BBox[0 0 180 50]"
        drawn = form(b"1 0 0 rg 4 4 20 4 re f", box + b"/Resources<<>>")
    draft = Draft(printed(PRICE))
    value, inner = draft.sign(), draft.add(drawn)
    held = b"/BBox[0 0 180 50]/Resources<</Font<</F1 5 0 R>>%b>>" % resources.replace(b"@", b"%d" % inner)
    shown = draft.add(form(b"q 1 0 0 RG 1 w 2 2 176 20 re S Q " + look, held))
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
    assert outcome(draft.finished()) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("colour", "accepted"),
    [(b".9 .1 .1", True), (b".9 .9 .9", False), (b".98 .98 .98", False), (b"1 .6 .6", False)],
)
def test_over_print_there_is_no_light_paint(colour, accepted):
    """Where it lies on nothing here it may lie on print to a reader that draws it elsewhere."""
    mark = colour + b" rg 60 4 10 4 re f"
    assert sealed_over(PRICE, FRAME + mark) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


def test_over_print_is_one_picture():
    """What several make together, each reader puts together by its own rounding."""
    mark = b"q 10 0 0 4 60 4 cm /Seal Do Q"
    assert sealed_over(PRICE, FRAME) is Outcome.VALID
    assert sealed_over(PRICE, FRAME, mark) is Outcome.INDETERMINATE
    for matrix, accepted in ((b"10 0 0 4", True), (b"-10 0 0 -4", True), (b"10 0 0 -4", False), (b"9 2 -2 4", False)):
        one = Draft(printed(PRICE))
        value, number = one.sign(), one.add(picture_of(10, 4, bytes((200, 0, 0) * 40)))
        held = b"/BBox[0 0 180 50]/Resources<</XObject<</Im %d 0 R>>>>" % number
        shown = one.add(form(b"q %b 60 8 cm /Im Do Q" % matrix, held))
        one.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
        assert outcome(one.finished()) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


@pytest.mark.parametrize("size", [11, 14, 24])
@pytest.mark.parametrize("block", [b"", b"0 0 1 rg 14 124 160 8 re f 0 g "])
def test_no_amount_goes_on(size, block):
    """Behind a printed number stands no ink that reads as part of it, whatever else is coloured in the place."""
    text = b"%bBT /F1 %d Tf 12 145 Td (USD 300) Tj ET" % (block, size)
    end = 2 + (722 + 667 + 722 + 278 + 3 * 556) * size / 1000
    frame = b"q 1 0 0 RG 1 w 1 1 178 48 re S Q "
    assert sealed_over(text, frame) is Outcome.VALID
    for gap in (0.5, size * 0.3):
        zero = b"q 0 0 .4 RG 1.5 w %.2f 26 4 %d re S Q" % (end + gap, size / 2)
        assert sealed_over(text, frame + zero) is Outcome.INDETERMINATE


@pytest.mark.parametrize("colour", [b"0 0 .2", b".3 0 0", b"0 .25 .25", b"0 0 .5", b".5 .5 .5"])
def test_nearly_black_is_black(colour):
    """Nobody sees a colour in it: left of a 3 it makes an 8."""
    look = b"%b rg %.2f 31 1.5 3 re f %.2f 36 1.5 3 re f" % (colour, THREE + 0.4, THREE + 0.4)
    assert sealed_over(PRICE, FRAME + look) is Outcome.INDETERMINATE


@pytest.mark.parametrize("paper", [b"1 1 .5 rg", b".75 g", b"0 .7 .9 rg"])
def test_print_on_coloured_paper_is_print(paper):
    """Painted over with the paper's own colour it is gone as on white."""
    bars = b"0 0 1 rg 14 124 80 6 re f 0 1 0 rg 100 124 80 6 re f "
    text = bars + paper + b" 10 140 180 28 re f 0 g BT /F1 14 Tf 12 150 Td (B shall NOT pay) Tj ET"
    left = 2 + (667 + 278 + 500 + 556 + 556 + 222 + 222 + 278) * 14 / 1000
    frame = b"q 1 0 0 RG 1 w 1 1 178 48 re S Q "
    assert sealed_over(text, frame + paper + b" %.2f 27 32 16 re f" % left) is Outcome.INDETERMINATE
    assert sealed_over(text, frame) is Outcome.VALID


@pytest.mark.parametrize(
    ("print_", "look"),
    [(b"0 .59 .55", b"0 .55 .59"), (b".35 .42 .6", b".3 .36 .6"), (b"0 0 1", b"0 0 .75"), (b"1 0 0", b".75 0 0")],
)
def test_no_amount_goes_on_in_nearly_its_colour(print_, look):
    """The eye sees one colour in both, whatever they are called."""
    text = b"%b rg BT /F1 14 Tf 12 150 Td (USD 1300) Tj ET" % print_
    end = 2 + (722 + 667 + 722 + 278 + 4 * 556) * 14 / 1000
    zero = b"q %b RG 1.5 w %.2f 30 5 9 re S Q" % (look, end + 1)
    assert sealed_over(text, zero) is Outcome.INDETERMINATE
    assert sealed_over(text, zero.replace(look, b"1 0 1")) is Outcome.VALID


def test_a_raster_is_no_row_of_dots():
    """A large word of dots is a word."""
    dots = b"".join(b"%d %d 1.4 1.4 re f " % (x, y) for x in range(30, 150, 3) for y in range(125, 165, 3))
    assert signed_over(b"0 g " + dots, b"BT /F1 12 Tf 20 14 Td (Paid) Tj ET") is Outcome.INDETERMINATE
