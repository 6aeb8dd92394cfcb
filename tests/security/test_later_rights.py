"""What later signers may do is what the first one let them do, and what each saw stays as it was."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.pdf.writer import text_of
from services.esign.domain.verdict import Outcome, Status
from services.esign.revisions.domain.field_locks import Locks, permitted
from services.esign.revisions.rendering import look as drawn
from tests.support import documents as attack
from tests.support.update_bases import built, form, rich, with_form
from tests.support.update_checks import step_changes
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

TYPE = b"/Resources<</Font<</F1 5 0 R>>>>"
INVISIBLE = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>"


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def signed_again(pdf, name, entries=b""):
    draft = Draft(pdf)
    value = draft.sign(entries=entries)
    draft.put_field(draft.add(INVISIBLE % (name, value)), 0)
    return draft.finished()


def filled(pdf, value=b"999", name=b"third"):
    """The amount overwritten, and signed."""
    draft = Draft(pdf)
    number = draft.sign()
    content = b"/Tx BMC q BT /F1 9 Tf 2 4 Td (%b) Tj ET Q EMC" % value
    look = draft.add(form(content, b"/BBox[0 0 60 16]" + TYPE))
    draft.edit(20).update({"V": value, "AP": {"N": Ref((look, 0))}})
    draft.put_field(draft.add(INVISIBLE % (name, number)), 0)
    return draft.finished()


@pytest.mark.parametrize("level", [2, 3])
def test_nobody_gives_himself_a_right(level):
    """A later signature that certifies lets nothing come that the first one did not."""
    entries = b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P %d/V/1.2>>>>]"
    approved = attack.foreign_sign(with_form(), "approver")
    second = signed_again(approved, b"second", entries % level)
    assert outcome(second) is Outcome.VALID
    assert outcome(filled(second)) is Outcome.INVALID


def test_a_certification_lets_forms_be_filled_in():
    """Until somebody approves what is there: what he saw is not replaced."""
    certified = attack.foreign_sign(with_form(), "certifier", certify=MDPPerm.FILL_FORMS)
    assert outcome(filled(certified)) is Outcome.VALID
    assert outcome(filled(signed_again(certified, b"approver"))) is not Outcome.VALID


def test_permissions_only_restrict():
    """The first signer's, where the catalog names it; each later one lowers it."""

    def lock(permission, *, certifies=False, signs=True):
        return Locks((), permission == 1, permission, certifies, signs)

    assert permitted([]) == 0
    assert permitted([lock(2)]) == 0
    assert permitted([lock(None), lock(3, certifies=True)]) == 0
    assert permitted([lock(None, signs=False), lock(3, certifies=True)]) == 3
    assert permitted([lock(3, certifies=True), lock(None), lock(2)]) == 2
    assert permitted([lock(2, certifies=True), lock(3)]) == 2


def test_what_is_filled_in_does_not_hide_what_is_printed():
    """A field without a look lies over the amount; who fills it in paints another one there."""
    objects = rich()
    objects[4] = stream(b"BT /F1 14 Tf 12 150 Td (The price is USD 900) Tj ET")
    objects[20] = (
        b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/FT/Tx/T(remark)/V()/Rect[10 140 190 170]/DA(/F1 9 Tf 0 g)>>"
    )
    objects[3] = objects[3][:-2] + b"/Annots[20 0 R]>>"
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[20 0 R]/DA(/F1 9 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>>>>>"
    certified = attack.foreign_sign(built(objects), "certifier", certify=MDPPerm.FILL_FORMS)

    def written(content):
        draft = Draft(certified)
        number = draft.sign()
        look = draft.add(form(content, b"/BBox[0 0 180 30]" + TYPE))
        draft.edit(20).update({"V": b"seen", "AP": {"N": Ref((look, 0))}})
        draft.put_field(draft.add(INVISIBLE % (b"later", number)), 0)
        return draft.finished()

    sheet = b"1 1 1 rg 0 0 180 30 re f BT 0 g /F1 14 Tf 2 10 Td (The price is USD 100) Tj ET"
    assert outcome(written(sheet)) is Outcome.INDETERMINATE
    assert outcome(written(b"BT 0 g /F1 5 Tf 2 2 Td (seen) Tj ET")) is Outcome.INDETERMINATE
    assert outcome(written(b"q 0 .3 .8 RG 2 w 2 2 176 26 re S Q")) is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("field", "locked"),
    [
        (b"(\xa0)", b"<FEFF20AC>"),
        (b"(a\x80b)", b"<FEFF006120220062>"),
        (b"(ab)", b"<FEFF001B656E001B00610062>"),
        (b"(ab)", b"<FFFE61006200>"),
        (b"(ab)", b"<EFBBBF6162>"),
    ],
)
def test_a_lock_holds_however_its_name_is_spelt(field, locked):
    """In PDFDocEncoding, in UTF-16 or UTF-8, with marks of languages or without."""
    source = with_form(lock=b"/Action/Include/Fields[%b]" % locked)
    source = source.replace(b"/T(amount)", b"/T%b" % field.ljust(len(b"(amount)")))
    draft = Draft(source)
    transforms = (
        b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P 2/V/1.2>>>>"
        b"<</Type/SigRef/TransformMethod/FieldMDP/TransformParams<</Type/TransformParams/V/1.2/Action/Include/Fields[%b]>>>>]"
    )
    number = draft.sign(entries=transforms % locked)
    draft.edit(24)["V"] = Ref((number, 0))
    draft.root()["Perms"] = {"DocMDP": Ref((number, 0))}
    certified = draft.finished()
    assert outcome(certified) is Outcome.VALID
    assert outcome(filled(certified)) is Outcome.INVALID


def test_texts_are_read_by_their_encoding():
    """ISO 32000-2, 7.9.2.2 and annex D.2."""
    assert text_of(b"a\x80\xa0\x18\xe9") == "a\u2022\u20ac\u02d8\u00e9"
    assert text_of(b"\xfe\xff\x00\x1b\x00e\x00n\x00\x1b\x00a") == "a"


def test_a_lock_of_many_names_is_asked_once_for_each_part():
    """Names above a field lock it, and as many names as a file can hold cost no more than few."""
    many = frozenset(f"f{n}" for n in range(100_000)) | {"form.one"}
    lock = Locks((("Include", many),), everything=False, permission=None, certifies=False, signs=True)
    assert [lock.lock(name) for name in ("form.one", "form.one.x", "form.on", "form", "f7.a.b")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert lock.lock(".".join("a" * 1000))


def amount_signed_by_two():
    """A certifier, then a signer who fills in 100."""
    objects = rich()
    objects[4] = stream(b"BT /F1 14 Tf 12 150 Td (Price USD) Tj ET")
    objects[20] = (
        b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/FT/Tx/T(price)/V()/Rect[85 145 111 165]/DA(/F1 14 Tf 0 g)"
        b"/AP<</N 25 0 R>>>>"
    )
    objects[25] = form(b"", b"/BBox[0 0 26 20]")
    objects[3] = objects[3][:-2] + b"/Annots[20 0 R]>>"
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[20 0 R]/DA(/F1 9 Tf 0 g)/DR<</Font<</F1 5 0 R>>>>>>>>"
    draft = Draft(attack.foreign_sign(built(objects), "certifier", certify=MDPPerm.FILL_FORMS))
    number = draft.sign()
    look = draft.add(form(b"BT 0 g /F1 14 Tf 2 5 Td (100) Tj ET", b"/BBox[0 0 26 20]" + TYPE))
    draft.edit(20).update({"V": b"100", "AP": {"N": Ref((look, 0))}})
    draft.put_field(draft.add(INVISIBLE % (b"second", number)), 0)
    return draft.finished()


def beside(pdf, rectangle, size):
    """A third signer's new field, which shows zeros."""
    draft = Draft(pdf)
    number = draft.sign()
    look = draft.add(form(b"BT 0 g /F1 %d Tf 0 5 Td (000) Tj ET" % size, b"/BBox[0 0 40 20]" + TYPE))
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(third)/F 132/Rect%b/P 3 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
    draft.put_field(draft.add(field % (rectangle, number, look)), 0)
    return draft.finished()


def test_nothing_is_added_beside_what_any_signer_saw():
    """Zeros behind an amount that the second signer filled in read as part of it."""
    assert outcome(beside(amount_signed_by_two(), b"[113.1 145 150 165]", 14)) is Outcome.INDETERMINATE
    assert outcome(beside(amount_signed_by_two(), b"[113.1 20 150 40]", 14)) is Outcome.VALID


def test_a_timestamp_shows_nothing():
    """Anybody may have one made, and put it into an empty field: a text there would be nobody's, and the field another's."""
    objects = rich()
    objects[22] = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect[100 20 180 60]/P 3 0 R>>"
    objects[3] = objects[3][:-2] + b"/Annots[22 0 R]>>"
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R]/SigFlags 3>>>>"
    base = attack.foreign_sign(built(objects))
    for look, accepted in ((b"BT /F1 9 Tf 2 9 Td (APPROVED) Tj ET", False), (b"", False)):
        draft = Draft(base)
        value = draft.sign(timestamp=True)
        shown = draft.add(form(look, b"/BBox[0 0 80 40]" + TYPE))
        draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((shown, 0))}})
        step = step_changes(draft.finished(), drawn)
        assert step is not None
        assert (step.status is Status.VALID) is accepted


def test_a_field_is_not_filled_in_over_another():
    """The one that is locked would show what the other one says."""
    source = with_form()
    base = Draft(source)
    base.edit(21)["Rect"] = [20, 8, 80, 24]
    certified = attack.foreign_sign(base.finished(), "certifier", certify=MDPPerm.FILL_FORMS)
    assert outcome(filled(certified)) is not Outcome.VALID


def test_what_an_approver_saw_is_not_replaced_whatever_its_value():
    """A picture without a value is something that he saw."""
    certified = attack.foreign_sign(with_form(), "certifier", certify=MDPPerm.FILL_FORMS)
    seen = filled(certified, b"", b"second")
    assert outcome(filled(signed_again(seen, b"approver"), b"999999", b"last")) is not Outcome.VALID
