"""Fields whose names and flags depend on who reads them, and what a certification lets come: what is said of each."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Name, Ref
from services.esign.domain.verdict import Outcome, Status
from services.esign.revisions.rendering import look
from tests.support import documents as attack
from tests.support.update_bases import base, built, form, rich
from tests.support.update_checks import step_changes
from tests.support.updates import Draft
from tests.support.verdicts import TRUST, judged

TYPE = b"/Resources<</Font<</F1 5 0 R>>>>"
LOOK = b"/BBox[0 0 90 40]/Resources<</Font<</F1 5 0 R>>>>"
FORM = b"/AcroForm<</Fields[%b]/DA(/F1 9 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>>>"
SIGNED_LATER = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(later)/Rect[0 0 0 0]/F 4/P 3 0 R>>"


def signed(fields, more, certify=MDPPerm.FILL_FORMS, name="certifier"):
    """Signed with these fields, which stand on the first page too."""
    listed = b" ".join(b"%d 0 R" % number for number in more if number < 30)
    objects = rich(page=b"/Annots[%b]" % listed, catalog=FORM % fields, more=more)
    return attack.foreign_sign(built(objects), name, **({} if certify is None else {"certify": certify}))


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


@pytest.mark.parametrize("certify", [None, MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS])
@pytest.mark.parametrize("flags", [4096, 8192, 1 << 24])
def test_a_field_keeps_the_flags_that_it_inherits(certify, flags):
    """A flag of its own would take them away: a password would be shown, a comb would be none."""
    more = {
        20: b"<</FT/Tx/Ff %d/V(secret 900)/T(amount)/MaxLen 12/Kids[21 0 R]>>" % flags,
        21: b"<</Type/Annot/Subtype/Widget/Parent 20 0 R/Rect[100 20 190 60]/F 4/P 3 0 R>>",
    }
    draft = Draft(signed(b"20 0 R", more, certify))
    draft.edit(21)["Ff"] = 1
    draft.store(b"certificate")
    assert outcome(draft.finished()) is not Outcome.VALID


def signed_by_another(draft):
    draft.edit(23)["V"] = Ref((draft.sign(), 0))
    draft.acro_form()["SigFlags"] = 3
    return draft.finished()


@pytest.mark.parametrize("timestamped", [True, False])
def test_only_a_signer_makes_a_field_read_only(timestamped):
    """As a lock does; a timestamp locks nothing."""
    more = {
        20: b"<</FT/Tx/T(amount)/Type/Annot/Subtype/Widget/Rect[100 20 190 60]/F 4/P 3 0 R/AP<</N 30 0 R>>>>",
        23: SIGNED_LATER,
        30: form(b"", LOOK),
    }
    draft = Draft(signed(b"20 0 R 23 0 R", more))
    draft.edit(20)["Ff"] = 1
    if timestamped:
        draft.store(b"certificate")
        assert outcome(draft.finished()) is not Outcome.VALID
    else:
        assert outcome(signed_by_another(draft)) is Outcome.VALID


@pytest.mark.parametrize("parent", [b"/Parent 20 0 R", b""])
def test_a_locked_field_has_one_name(parent):
    """By its parent and by its parent's kids: a lock that one of them passes is none."""
    more = {
        20: b"<</FT/Tx/T(amount)/Kids[21 0 R]>>",
        21: b"<</Type/Annot/Subtype/Widget/FT/Tx/V(100)%b/Rect[100 20 190 60]/F 4/P 3 0 R/AP<</N 30 0 R>>>>" % parent,
        23: SIGNED_LATER,
        24: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 4/P 3 0 R"
        b"/Lock<</Type/SigFieldLock/Action/Include/Fields[(amount)]>>>>",
        30: form(b"/Tx BMC BT /F1 9 Tf 2 4 Td (100) Tj ET EMC", LOOK),
    }
    draft = Draft(signed(b"20 0 R 23 0 R 24 0 R", more, name="first"))
    shown = draft.add(form(b"/Tx BMC BT /F1 9 Tf 2 4 Td (900) Tj ET EMC", LOOK))
    draft.edit(21).update({"V": b"900", "AP": {"N": Ref((shown, 0))}})
    assert outcome(signed_by_another(draft)) is not Outcome.VALID


def test_a_field_as_large_as_its_page_is_not_filled_in():
    """It would be another page."""
    sides = {"page": b"[0 0 200 200]", "line": b"[0 20 200 50]"}
    found = {}
    for name, side in sides.items():
        more = {
            20: b"<</FT/Tx/T(amount)/Type/Annot/Subtype/Widget/Rect%b/F 4/P 3 0 R/DA(/F1 9 Tf 0 g)>>" % side,
            23: SIGNED_LATER,
        }
        draft = Draft(signed(b"20 0 R 23 0 R", more))
        shown = draft.add(
            form(b"1 g 0 0 200 200 re f 0 g BT /F1 18 Tf 12 50 Td (900000) Tj ET", b"/BBox[0 0 200 200]" + TYPE)
        )
        draft.edit(20).update({"V": b"900000", "AP": {"N": Ref((shown, 0))}})
        found[name] = outcome(signed_by_another(draft))
    assert found == {"page": Outcome.INVALID, "line": Outcome.VALID}


@pytest.mark.parametrize(
    ("rectangle", "flags", "content", "accepted"),
    [
        (b"[140 8 156 24]", 4, b"0 0 16 16 re f", True),
        (b"[0 0 200 200]", 4, b"1 g 0 0 16 16 re f", False),
        (b"[140 8 156 24]", 4, b"Q Q Q 0 0 16 16 re f", False),
        (b"[140 8 156 24]", 36, b"0 0 16 16 re f", False),
        (b"[140 8 156 8]", 4, b"0 0 16 16 re f", False),
    ],
)
def test_a_look_that_was_never_shown_is_looked_at_when_it_is(rectangle, flags, content, accepted):
    """A box that is ticked shows what its maker prepared."""
    box = b"<</Type/Annot/Subtype/Widget/FT/Btn/T(agreed)/V/Off/AS/Off/F %d/P 3 0 R/Rect%b/AP<</N<</Yes 30 0 R/Off 31 0 R>>>>>>"
    more = {
        22: box % (flags, rectangle),
        23: SIGNED_LATER,
        30: form(content, b"/BBox[0 0 16 16]"),
        31: form(b"", b"/BBox[0 0 16 16]"),
    }
    draft = Draft(signed(b"22 0 R 23 0 R", more))
    draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes")})
    assert (outcome(signed_by_another(draft)) is Outcome.VALID) is accepted


def test_fields_filled_in_are_not_a_page_together():
    """Two halves would be one."""
    side = b"<</FT/Tx/T(%b)/Type/Annot/Subtype/Widget/Rect%b/F 4/P 3 0 R/DA(/F1 9 Tf 0 g)>>"
    more = {20: side % (b"a", b"[0 0 200 99]"), 21: side % (b"b", b"[0 101 200 200]"), 23: SIGNED_LATER}
    draft = Draft(signed(b"20 0 R 21 0 R 23 0 R", more))
    for number in (20, 21):
        shown = draft.add(form(b"1 g 0 0 200 99 re f 0 g BT /F1 18 Tf 12 50 Td (7) Tj ET", b"/BBox[0 0 200 99]" + TYPE))
        draft.edit(number).update({"V": b"900000", "AP": {"N": Ref((shown, 0))}})
    assert outcome(signed_by_another(draft)) is Outcome.INDETERMINATE


def noted(draft):
    note = b"<</Type/Annot/Subtype/Text/Rect[20 20 40 40]/Contents(seen)/P 3 0 R/F 4/AP<</N %d 0 R>>>>"
    number = draft.add(note % draft.add(form(b"1 0 0 rg 0 0 20 20 re f", b"/BBox[0 0 20 20]")))
    draft.part(draft.page(), "Annots", []).append(Ref((number, 0)))


def filled_in_richly(draft):
    shown = draft.add(form(b"BT /F1 9 Tf 2 4 Td (7) Tj ET", LOOK))
    draft.edit(20).update({"V": b"7", "RV": b"<body>7</body>", "AP": {"N": Ref((shown, 0))}})


@pytest.mark.parametrize("come", [filled_in_richly, noted])
@pytest.mark.parametrize("certify", [MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE])
def test_what_honest_programs_add_is_not_called_forged(come, certify):
    """The verdict stays open: it cannot be said what a reader makes of it. A note is wrong where none may come."""
    more = {
        20: b"<</FT/Tx/T(amount)/Type/Annot/Subtype/Widget/Rect[100 20 190 60]/F 4/P 3 0 R/DA(/F1 9 Tf 0 g)>>",
        23: SIGNED_LATER,
    }
    objects = rich(page=b"/Annots[20 0 R 23 0 R]", catalog=FORM % b"20 0 R 23 0 R", more=more)
    pdf = attack.foreign_sign(attack.build(objects), "certifier", certify=certify)
    draft = Draft(pdf)
    come(draft)
    wrong = come is noted and certify is MDPPerm.FILL_FORMS
    assert outcome(signed_by_another(draft)) is (Outcome.INVALID if wrong else Outcome.INDETERMINATE)


def test_a_signature_thinner_than_a_pixel_strikes_nothing_out():
    """A new field of half a point over a sentence."""
    draft = Draft(base("approval"))
    look_of_it = draft.add(form(b"0 g 0 0 300 1 re f", b"/BBox[0 0 300 1]"))
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(x)/F 4/Rect[12 155.1 140 155.6]/P 3 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
    draft.put_field(draft.add(field % (draft.sign(), look_of_it)), 0)
    step = step_changes(draft.finished(), look)
    assert step is not None
    assert step.status is Status.UNKNOWN


def new_field(draft, rectangle, content):
    shown = draft.add(form(content, b"/BBox[0 0 40 12]"))
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(x)/F 4/Rect%b/P 3 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
    draft.put_field(draft.add(field % (rectangle, draft.sign(), shown)), 0)
    return draft.finished()


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (b"q 0 0 1 rg 0 0 40 12 re f Q", True),
        (b"Q Q Q Q 0 0 1 rg -500 -500 2000 2000 re f", False),
        (b"q Q Q q 0 0 1 rg 0 0 40 12 re f", False),
        (b"0 0 1 rg 0 0 40 12 re f BT", False),
        (b"0 0 40 12 re W", False),
    ],
)
def test_a_look_ends_where_its_box_does(content, accepted):
    """Some readers undo the cut to the box where a look restores a state that it did not save."""
    step = step_changes(new_field(Draft(base("approval")), b"[140 96 180 108]", content), look)
    assert step is not None
    assert (step.status is Status.VALID) is accepted


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [(b"Stamp/Name/NotApproved", False), (b"Line/L[140 96 180 108]", False), (b"Text/F 36", False), (b"", True)],
)
def test_a_new_field_is_not_over_an_annotation(kind, accepted):
    """Readers draw looks of their own for some, and print others."""
    note = b"<</Type/Annot/Subtype/%b/Rect[150 96 190 108]/Contents(void)>>" % kind
    objects = rich(page=b"/Annots[20 0 R]" if kind else b"", more={20: note} if kind else {})
    pdf = attack.foreign_sign(built(objects))
    step = step_changes(new_field(Draft(pdf), b"[140 96 180 108]", b"0 0 1 rg 0 0 40 12 re f"), look)
    assert step is not None
    assert (step.status is Status.VALID) is accepted
