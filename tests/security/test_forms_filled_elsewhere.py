"""Forms that other programs fill in: what they usually do is VALID, what is unusual leaves the verdict open, and nothing
of it is called wrong.
"""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.signed_pages import FONTS, PRICE, outcome
from tests.support.update_bases import built, form
from tests.support.updates import Draft, stream

WIDGET = b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R"
BOX, MARK = b"/BBox[0 0 16 16]/Resources<<>>", b"1 1 14 14 re S"
TICKED = MARK + b" 3 3 m 13 13 l S"
STATES = b"/AP<</N<</%b 26 0 R/Off 27 0 R>>>>"


def blank_form(more=b""):
    """Certified so that it may be filled in: a text, a list, a box, two radio buttons, a text in two places, and a
    second signer's field.
    """
    text = b"/DA(/F1 9 Tf 0 g)/AP<</N 25 0 R>>>>"
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[20 0 R 21 0 R 22 0 R 23 0 R 30 0 R 40 0 R]"
        b"/DA(/F1 9 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>%b>>>>" % more,
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]>>",
        3: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>"
        b"/Annots[20 0 R 21 0 R 22 0 R 23 0 R 31 0 R 32 0 R 41 0 R 42 0 R]>>",
        4: stream(PRICE),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        11: b"<</Title(Form)>>",
        20: WIDGET + b"/FT/Tx/T(amount)/V()/Rect[20 8 80 24]" + text,
        21: WIDGET + b"/FT/Ch/T(kind)/Opt[(a)(b)(c)(d)(e)]/V(a)/I[0]/Rect[90 8 130 40]" + text,
        22: WIDGET + b"/FT/Btn/T(agreed)/V/Off/AS/Off/Rect[140 8 156 24]" + STATES % b"Yes" + b">>",
        23: WIDGET + b"/FT/Sig/T(later)/Rect[130 80 190 120]>>",
        25: form(b"/Tx BMC EMC", b"/BBox[0 0 60 16]" + FONTS),
        26: form(TICKED, BOX),
        27: form(MARK, BOX),
        30: b"<</FT/Btn/Ff 49152/T(choice)/V/A/Kids[31 0 R 32 0 R]>>",
        31: WIDGET + b"/Parent 30 0 R/AS/A/Rect[20 50 36 66]" + STATES % b"A" + b">>",
        32: WIDGET + b"/Parent 30 0 R/AS/Off/Rect[60 50 76 66]" + STATES % b"B" + b">>",
        40: b"<</FT/Tx/T(name)/V()/DA(/F1 9 Tf 0 g)/Kids[41 0 R 42 0 R]>>",
        41: WIDGET + b"/Parent 40 0 R/Rect[20 80 80 96]/AP<</N 25 0 R>>>>",
        42: WIDGET + b"/Parent 40 0 R/Rect[20 110 80 126]/AP<</N 25 0 R>>>>",
    }
    return attack.foreign_sign(built(objects), "certifier", certify=MDPPerm.FILL_FORMS)


def text(draft, words=b"100"):
    """The look of a text field, as entries of its widget."""
    drawn = b"/Tx BMC q BT /F1 9 Tf 0 g 2 4 Td (%b) Tj ET Q EMC" % words
    return {"AP": {"N": Ref((draft.add(form(drawn, b"/BBox[0 0 60 16]" + FONTS)), 0))}}


def filled(draft, field=20, words=b"100", **entries):
    draft.edit(field).update({"V": words, **entries, **text(draft, words)})


def named_twice(draft, *widgets):
    look = text(draft)
    draft.edit(40)["V"] = b"100"
    for each in widgets:
        draft.edit(each).update(look)


def ticked(draft, **entries):
    draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes"), **entries})


def chosen(draft, *, forgotten):
    draft.edit(30)["V"] = Name("B")
    draft.edit(32)["AS"] = Name("B")
    if not forgotten:
        draft.edit(31)["AS"] = Name("Off")


def drawn_anew(draft):
    ticked(
        draft, AP={"N": {"Yes": Ref((draft.add(form(TICKED, BOX)), 0)), "Off": Ref((draft.add(form(MARK, BOX)), 0))}}
    )


def refreshed(draft):
    filled(draft)
    draft.edit(21).update(text(draft, b"a"))


def finished(draft, **entries):
    """Signed by the second signer, whose program writes these entries, too."""
    value = draft.sign()
    draft.edit(23).update({"V": Ref((value, 0)), **entries})
    return outcome(draft.finished())


@pytest.mark.parametrize(
    "fill",
    [
        filled,
        ticked,
        lambda draft: filled(draft, 21, b"e", I=[4]),
        lambda draft: filled(draft, M=b"D:20260601"),
        lambda draft: filled(draft, Ff=1),
        lambda draft: named_twice(draft, 41, 42),
        lambda draft: chosen(draft, forgotten=False),
    ],
    ids=["text", "tick", "list", "date", "read-only", "two-places", "radio"],
)
def test_a_form_is_filled_in(fill):
    """Its value with its look, by the usual programs."""
    draft = Draft(blank_form())
    fill(draft)
    assert finished(draft) is Outcome.VALID


@pytest.mark.parametrize(
    "fill",
    [
        drawn_anew,
        refreshed,
        lambda draft: filled(draft, 21, b"e", I=[4], TI=2),
        lambda draft: filled(draft, DA=b"/F1 12 Tf 0 g"),
        lambda draft: filled(draft, Ff=0),
        lambda draft: filled(draft, MK={}),
        lambda draft: filled(draft, F=132),
        lambda draft: draft.edit(22).update({"V": Name("Yes")}),
        lambda draft: named_twice(draft, 41),
        lambda draft: chosen(draft, forgotten=True),
    ],
    ids=["drawn", "refreshed", "scrolled", "type", "flags", "colours", "print", "state", "one-place", "radio"],
)
def test_what_a_program_did_besides_is_not_called_wrong(fill):
    """Looks drawn anew, a look or a state forgotten, an entry written out: a later signature covers them."""
    draft = Draft(blank_form())
    fill(draft)
    assert finished(draft) is Outcome.INDETERMINATE


def test_a_value_whose_look_is_left_to_the_reader_is_not_called_wrong():
    """Programs that set /V alone, in a form that asks readers for the looks: each reader draws it in its own way."""
    draft = Draft(blank_form(b"/NeedAppearances true"))
    draft.edit(20)["V"] = b"100"
    assert finished(draft) is Outcome.INDETERMINATE
    draft = Draft(blank_form(b"/NeedAppearances true"))
    draft.edit(20)["V"] = b"100"
    del draft.edit(20)["AP"]
    assert finished(draft) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "entries",
    [{"Border": [0, 0, 0]}, {"BS": {"W": 0}}, {"DA": b"/F1 0 Tf 0 g"}, {"MK": {}}, {"H": Name("N")}],
)
def test_what_a_program_writes_into_a_field_that_it_signs_is_not_called_wrong(entries):
    """A border, a type, colours: they draw nothing beside a look, and readers may differ."""
    assert finished(Draft(blank_form()), **entries) is Outcome.INDETERMINATE
    assert finished(Draft(blank_form())) is Outcome.VALID
    assert finished(Draft(blank_form()), F=132, M=b"D:20260601040000Z") is Outcome.VALID
