"""Looks of later signatures that readers draw in other ways, or in other places, than the renderer of the second line:
never VALID, and never called forged where an honest maker may have written them.
"""

import pytest

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.seal_pictures import pictured
from tests.support.update_bases import built, form, rich
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

TYPE = b"/Resources<</Font<</F1 5 0 R>>>>"
SHEET = b"1 1 1 rg 0 0 50 40 re f BT 0 g /F1 18 Tf 1 10 Td (100) Tj ET "
BACK = b"1 1 1 rg 0 0 50 40 re f BT 0 g /F1 18 Tf 1 10 Td (900) Tj ET "
FIELD = b"<</Type/Annot/Subtype/Widget/FT/Sig%b/F 4/Rect[149 140 199 180]/P 3 0 R>>"
LAYER = b"/OCProperties<</OCGs[17 0 R]/D<</OFF[17 0 R]/Order[17 0 R]>>>>"


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def honest(text=b"BT /F1 18 Tf 12 150 Td (Pay) Tj ET", **changed):
    """One page with a text, signed."""
    objects = rich()
    objects[4] = stream(text)
    for number, value in changed.items():
        objects[int(number.removeprefix("_"))] = value
    return attack.foreign_sign(built(objects))


def later(pdf, look, rectangle=b"[120 20 160 40]", name=b"Later"):
    """With a signature in a new field that has this look."""
    draft = Draft(pdf)
    value, shown = draft.sign(), draft.add(look)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 132/Rect%b/P 3 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
    draft.put_field(draft.add(field % (name, rectangle, value, shown)), 0)
    return draft.finished()


def with_field(entries=b"/T(Second)", catalog=b"", page=b"", **more):
    """Signed, with an empty field over the amount."""
    text = stream(b"BT /F1 18 Tf 12 150 Td (The price is USD) Tj 138 0 Td (900) Tj ET")
    objects = {
        "_1": b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]>>%b>>" % catalog,
        "_3": rich()[3][:-2] + b"/Annots[22 0 R]%b>>" % page,
        "_4": text,
        "_22": FIELD % entries,
    }
    return honest(**{**objects, **more})


def signed_in(pdf, *looks):
    """The field signed; the last of the objects is its look, which names the others."""
    draft = Draft(pdf)
    value, shown = draft.sign(), 0
    for look in looks:
        shown = draft.add(look.replace(b"@", b"%d" % shown))
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
    return draft.finished()


def sealed_in(pdf, drawn, width, height):
    """The field signed with a picture of what is drawn."""
    draft = Draft(pdf)
    value, shown = draft.sign(), pictured(draft, drawn, width, height)
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
    return draft.finished()


PLAIN = form(b"1 1 .6 rg 0 0 40 20 re f", b"/BBox[0 0 40 20]/Resources<<>>")


def test_plain_looks_are_accepted():
    """A new field on a blank place, and a field signed that was there, over nothing."""
    assert outcome(later(honest(), PLAIN)) is Outcome.VALID
    assert outcome(sealed_in(with_field(), b"q 1 0 0 RG 1 1 20 8 re S Q", 50, 40)) is Outcome.VALID


@pytest.mark.parametrize(
    "entries",
    [
        b"/Resources<</ExtGState<</G<</BM/Multiply>>>>>>",
        b"/Resources<</ExtGState<</G<</ca .5>>>>>>",
        b"/Resources<</ColorSpace<</S[/Separation/A/DeviceGray 10 0 R]>>>>",
        b"/Resources<</XObject<</I 7 0 R>>>>",
        b"/Group<</S/Transparency>>",
    ],
)
def test_a_look_that_draws_nothing_brings_nothing(entries):
    """Some readers paint the whole page in another way once such resources are on it, used or not."""
    look = form(b"", b"/BBox[0 0 1 1]" + entries)
    assert outcome(later(honest(), look, b"[0 0 0 0]")) is Outcome.INDETERMINATE
    assert outcome(later(honest(), form(b"", b"/BBox[0 0 1 1]" + TYPE), b"[0 0 0 0]")) is Outcome.VALID


@pytest.mark.parametrize(
    ("page", "accepted"),
    [
        (b"", True),
        (b"/Group<</S/Transparency/CS/DeviceRGB>>", True),
        (b"/Group<</S/Transparency/CS/DeviceGray>>", False),
        (b"/Resources<</Font<</F1 5 0 R>>/ExtGState<</O<</op true/OPM 1>>>>>>", False),
    ],
)
def test_a_transparent_look_comes_to_pages_that_do_not_depend_on_it(page, accepted):
    """The page's own group of colours and overprinting count from then on: what was seen may vanish."""
    resources = b"" if b"/Resources" in page else TYPE
    base = honest(_3=b"<</Type/Page/Parent 2 0 R/Contents 4 0 R%b%b>>" % (resources, page))
    look = form(b"/G gs 1 1 .6 rg 0 0 40 20 re f", b"/BBox[0 0 40 20]/Resources<</ExtGState<</G<</ca .5>>>>>>")
    assert outcome(later(base, look)) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)
    assert outcome(later(base, PLAIN)) is Outcome.VALID


@pytest.mark.parametrize(
    "place",
    [
        b"/BBox[-1 .0000095331 999999 .000021307]/Matrix[0 1000000 .0001 0 32768 -1]",
        b"/BBox[0 -1 10 -.99]/Matrix[0 10 1913.64 16384 -1 123456.789]",
        b"/BBox[0 0 40 20]/Matrix[1 0 0 .0001 0 0]",
        b"/BBox[0 0 40 20]/Matrix[1 1 1 1.01 0 0]",
        b"/BBox[0 0 40 .01]",
        b"/BBox[100000 0 100040 20]",
    ],
)
def test_a_look_comes_to_its_place_by_ordinary_numbers(place):
    """Readers reckon in single precision, and each comes to another place by others."""
    verdict = outcome(later(honest(), form(b"1 1 .6 rg -99 -99 999 999 re f", place + b"/Resources<<>>")))
    assert verdict is Outcome.INDETERMINATE


def test_a_field_stands_on_one_page():
    """On the second page nobody looked for what it covers: one array of annotations is shared, or two name the field."""
    objects = {
        "_3": rich()[3][:-2] + b"/Annots 20 0 R>>",
        "_6": rich()[6][:-2] + b"/Annots 20 0 R>>",
        "_20": b"[]",
    }
    assert outcome(later(honest(**objects), PLAIN)) is Outcome.INDETERMINATE
    twice = with_field(_6=rich()[6][:-2] + b"/Annots[22 0 R]>>")
    drawn = form(b"q 0 0 1 RG 1 1 20 8 re S Q", b"/BBox[0 0 50 40]/Resources<<>>")
    assert outcome(signed_in(twice, drawn)) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "looks",
    [
        (form(SHEET + b"/OC /L BDC " + BACK + b"EMC", b"/BBox[0 0 50 40]/Resources<</Properties<</L 17 0 R>>/Font<</F1 5 0 R>>>>"),),
        (
            form(BACK, b"/BBox[0 0 50 40]/OC 17 0 R" + TYPE),
            form(SHEET + b"/X Do", b"/BBox[0 0 50 40]/Resources<</XObject<</X @ 0 R>>/Font<</F1 5 0 R>>>>"),
        ),
        (
            form(BACK, TYPE),
            form(SHEET + b"/X Do", b"/BBox[0 0 50 40]/Resources<</XObject<</X @ 0 R>>/Font<</F1 5 0 R>>>>"),
        ),
        (
            form(BACK, b"/BBox[0 0 50 40]/Matrix[1 0 0 1 0]" + TYPE),
            form(SHEET + b"/X Do", b"/BBox[0 0 50 40]/Resources<</XObject<</X @ 0 R>>/Font<</F1 5 0 R>>>>"),
        ),
        (
            form(BACK, b"/BBox[0 0 50 40]/Subtype2/PS" + TYPE),
            form(SHEET + b"/X Do", b"/BBox[0 0 50 40]/Resources<</XObject<</X @ 0 R>>/Font<</F1 5 0 R>>>>"),
        ),
    ],
)  # fmt: skip
def test_what_hides_and_shows_again_is_not_taken_for_seen_through(looks):
    """The second part is drawn by some readers alone: a layer, a form without a box, one with odd entries."""
    base = with_field(catalog=LAYER, _17=b"<</Type/OCG/Name(Layer)>>")
    assert outcome(signed_in(base, *looks)) is not Outcome.VALID


def test_a_look_goes_by_its_own_resources():
    """Names that it has not are looked for on the page, where anything may stand."""
    objects = rich()
    base = honest(_3=objects[3].replace(b"/Fm 8 0 R", b"/Fm 8 0 R/Bad 8 0 R"))
    for resources in (b"", b"/Resources<<>>", b"/Resources<</XObject<</Fm 8 0 R>>>>"):
        assert outcome(later(base, form(b"/Bad Do", b"/BBox[0 0 40 20]" + resources))) is Outcome.INDETERMINATE


@pytest.mark.parametrize("name", [b"", b"/T()", b"/T<FEFF>", b"/T( )"])
def test_a_field_that_is_signed_has_a_name(name):
    """Readers pass over one that has none, the renderer too."""
    assert outcome(signed_in(with_field(name), form(SHEET, b"/BBox[0 0 50 40]" + TYPE))) is not Outcome.VALID


def test_what_the_renderer_has_not_drawn_hides_something():
    """A look that is said to draw, over what was printed, and changes no pixel."""
    unseen = form(b"q Q", b"/BBox[0 0 50 40]/Resources<<>>")
    assert outcome(signed_in(with_field(), unseen)) is Outcome.INDETERMINATE


PARAGRAPH = b" ".join(b"(Party A shall deliver the goods in time line %d) '" % line for line in range(9))
TEXT = b"BT /F1 7 Tf 9 TL 20 180 Td %b (The price to be paid is USD 900 in total) ' ET" % PARAGRAPH


def test_no_sign_of_a_place_is_lost():
    """One digit of a paragraph under a large field is painted over: little of all its ink, and all of a sign."""
    base = with_field(_4=stream(TEXT), _22=(FIELD % b"/T(Second)").replace(b"[149 140 199 180]", b"[15 85 185 137]"))
    over = b"1 1 1 rg 97.4 4 4.1 6 re f BT 0 g /F1 7 Tf 97.7 5 Td (1) Tj ET"
    assert outcome(signed_in(base, form(over, b"/BBox[0 0 170 52]" + TYPE))) is Outcome.INDETERMINATE
    assert outcome(sealed_in(base, b"q 1 0 0 RG 0.5 0.5 169 51 re S Q", 170, 52)) is Outcome.VALID
    assert outcome(sealed_in(base, b"1 0 0 rg 97.4 4 4.1 6 re f", 170, 52)) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "look",
    [
        form(b"q /G gs " + SHEET + b"Q", b"/BBox[0 0 50 40]/Resources<</ExtGState<</G<</ca null>>>>/Font<</F1 5 0 R>>>>"),
        form(b"-80 w 0 20 m 50 20 l S", b"/BBox[0 0 50 40]/Resources<<>>"),
        form(b"[-1 1] 0 d 0 20 m 50 20 l S", b"/BBox[0 0 50 40]/Resources<<>>"),
        form(b"/DeviceRGB cs 0 0 50 40 re f", b"/BBox[0 0 50 40]/Resources<<>>"),
        form(b"BT /F2 9 Tf 2 9 Td (a) Tj ET", b"/BBox[0 0 50 40]/Resources<</Font<</F2<</Type/Font/Subtype/Type1/BaseFont/Symbol>>>>>>"),
    ],
)  # fmt: skip
def test_over_what_was_printed_stands_what_every_reader_draws(look):
    """A closed language: whether something is hidden is asked of one reader."""
    assert outcome(signed_in(with_field(), look)) is Outcome.INDETERMINATE


def test_what_is_but_a_reference_is_not_followed_alike():
    """An alias of a field stands on the second page: some readers find the field there."""
    base = with_field(_6=rich()[6][:-2] + b"/Annots[50 0 R]>>", _50=b"22 0 R")
    assert outcome(sealed_in(base, b"q 1 0 0 RG 1 1 20 8 re S Q", 50, 40)) is Outcome.INDETERMINATE


def test_one_field_has_one_place():
    """Over another one it hides that one's look, or is taken for it."""
    base = with_field(
        _1=b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R 23 0 R]>>>>",
        _3=rich()[3][:-2] + b"/Annots[23 0 R 22 0 R]>>",
        _23=FIELD % b"/T(Decoy)",
    )
    drawn = form(b"q 0 0 1 RG 1 1 20 8 re S Q", b"/BBox[0 0 50 40]/Resources<<>>")
    assert outcome(signed_in(base, drawn)) is Outcome.INDETERMINATE


def test_glyphs_with_resources_of_their_own_come_with_no_empty_look():
    """A font may bring what switches a page, though nothing is written in it."""
    font = (
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type3/CharProcs<<>>/Resources<</ExtGState<</G<</ca .5>>>>>>>>>>>>"
    )
    assert outcome(later(honest(), form(b"", b"/BBox[0 0 1 1]" + font), b"[0 0 0 0]")) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "place", [b"/BBox[0 0 1 .1]/Matrix[-.0011 0 0 .5 1638 2000]", b"/BBox[0 0 9 9]/Matrix[.1 0 0 .1 0 0]"]
)
def test_a_turned_box_has_sides(place):
    """Readers scale by what the matrix makes of the box: a hair of it moves the look."""
    assert outcome(later(honest(), form(b"0 0 9 9 re f", place + b"/Resources<<>>"))) is not Outcome.VALID


def test_a_large_page_is_not_looked_at_from_afar():
    """On a plan small type is too small to be seen: what came over it is not called harmless."""
    large = honest(_2=b"<</Type/Pages/Count 2/Kids[3 0 R 6 0 R]/MediaBox[0 0 3400 2400]>>")
    assert outcome(later(large, PLAIN)) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("resources", "content", "accepted"),
    [
        (b"/ExtGState<</G<</ca null>>>>", b"/G gs", False),
        (b"/ExtGState<</G<</ca (0)>>>>", b"/G gs", False),
        (b"/ExtGState<</G<</LW -40>>>>", b"/G gs", False),
        (b"/XObject<</I 60 0 R>>", b"/I Do", False),
        (b"/ExtGState<</G<</ca .5/LW 2/BM/Multiply>>>>", b"/G gs", True),
    ],
)
def test_a_place_is_blank_where_the_page_is_drawn_soundly(resources, content, accepted):
    """Of values that are none the renderer draws nothing and others a text, over which a new seal would stand."""
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>%b>>>>" % resources
    picture = stream(b"\0" * 4, b"/Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceGray")
    base = honest(b"BT /F1 18 Tf 12 150 Td (Pay) Tj ET q %b Q" % content, _3=page, _60=picture)
    assert outcome(later(base, PLAIN)) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    ("font", "accepted"),
    [
        (b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/FontDescriptor 60 0 R/FirstChar 49/Widths[500]>>", False),
        (b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>", True),
    ],
)
def test_a_look_has_fonts_of_its_own_or_whole_ones_of_the_document(font, accepted):
    """Readers know fonts by their parts: with a part of one they would draw the signed pages with another."""
    base = honest(_60=b"<</Type/FontDescriptor/FontName/Helvetica/Flags 32/FontBBox[0 0 1 1]>>")
    draft = Draft(base)
    number = draft.add(font)
    look = form(b"BT /F2 9 Tf 2 4 Td (1) Tj ET", b"/BBox[0 0 40 20]/Resources<</Font<</F2 %d 0 R>>>>" % number)
    value, shown = draft.sign(), draft.add(look)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(B)/F 132/Rect[120 20 160 40]/P 3 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
    draft.put_field(draft.add(field % (value, shown)), 0)
    assert outcome(draft.finished()) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)


@pytest.mark.parametrize("entries", [b"/Id(x)", b"/Encoding<</Differences[49/nine 57/one]>>"])
def test_a_font_in_a_look_has_a_number(entries):
    """Readers number one that has none by what it holds, and come to another of the same number."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%b>>" % entries
    look = form(b"BT /F2 9 Tf 2 4 Td (1) Tj ET", b"/BBox[0 0 40 20]/Resources<</Font<</F2 %b>>>>" % font)
    assert outcome(later(honest(), look)) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (b"1 g BT /F1 12 Tf 122 24 Td (NOT) Tj ET", False),
        (b"1 g BT /F1 12 Tf 122 60 Td (NOT) Tj ET", True),
        (b"1 g BT /F1 12 Tf 122 24 Td (   ) Tj ET", True),
        (b"/OC /Off BDC BT /F1 12 Tf 122 24 Td (NOT) Tj ET EMC", False),
        (b"/Span BMC 1 g 110 10 80 60 re f EMC", True),
        (b"/C cs 0 scn 122 24 20 10 re f", False),
        (b"q 40 0 0 20 120 20 cm /Broken Do Q", False),
        (b"q 1 0 0 1 120 20 cm /Fm Do Q", False),
        (b"BT /F1 12 Tf 3 Tr 122 24 Td (NOT) Tj ET", False),
        (b"1 g BT /F1 12 Tf 40 24 Td [(a) -6000 (NOT)] TJ ET", False),
    ],
)
def test_a_place_is_blank_where_the_page_draws_nothing(content, accepted):
    """What the renderer shows nothing of another reader may show: a text of a font that it cannot load, a layer, a
    picture that it cannot decode, a colour that it does not come by.
    """
    resources = (
        b"/Font<</F1 5 0 R>>/XObject<</Broken 60 0 R/Fm 61 0 R>>/Properties<</Off 17 0 R>>/ColorSpace<</C 10 0 R>>"
    )
    base = honest(
        b"BT /F1 18 Tf 12 150 Td (Pay) Tj ET q %b Q" % content,
        _1=b"<</Type/Catalog/Pages 2 0 R%b>>" % LAYER,
        _3=b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<%b>>>>" % resources,
        _17=b"<</Type/OCG/Name(Off)>>",
        _60=stream(
            b"no JPEG",
            b"/Type/XObject/Subtype/Image/Width 9/Height 9/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/DCTDecode",
        ),
        _61=form(b"1 g BT /F1 12 Tf 2 4 Td (NOT) Tj ET", b"/BBox[0 0 40 20]" + TYPE),
    )
    assert outcome(later(base, PLAIN)) is (Outcome.VALID if accepted else Outcome.INDETERMINATE)
