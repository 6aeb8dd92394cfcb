"""A field in which something may be different is a field and nothing else, and holds what fields hold."""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.syntax import Census, Cursor, Name, PdfError, Ref, references_in
from services.esign.domain.verdict import Status
from services.esign.revisions.rendering import look as drawn
from tests.support import documents as attack
from tests.support.update_bases import built, form, rich
from tests.support.update_checks import step_changes
from tests.support.updates import Draft, stream

TYPE = b"/Resources<</Font<</F1 5 0 R>>>>"
INVISIBLE = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>"
FRAME = form(b"0 0 1 RG 1 1 98 38 re S", b"/BBox[0 0 100 40]/Resources<<>>")


def status(pdf):
    """Of the step `changes`."""
    step = step_changes(pdf, drawn)
    assert step is not None
    return step.status


def base(fields, annotations=b"", *, more=None, page=b"", catalog=b"", certify=None):
    objects = rich()
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%b]/SigFlags 1%b>>>>" % (fields, catalog)
    objects[3] = (page or objects[3][:-2]) + b"/Annots[%b]>>" % annotations
    objects.update(more or {})
    if certify is None:
        return attack.foreign_sign(built(objects))
    return attack.foreign_sign(built(objects), "certifier", certify=certify)


@pytest.mark.parametrize("timestamp", [True, False])
def test_a_timestamp_shows_nothing_where_field_and_widget_are_apart(timestamp):
    """Anybody may have one made: in another's empty field its look would be that one's consent."""
    apart = {
        22: b"<</FT/Sig/T(Second)/Kids[23 0 R]>>",
        23: b"<</Type/Annot/Subtype/Widget/Parent 22 0 R/F 4/Rect[20 10 120 50]/P 3 0 R>>",
        4: stream(b"BT /F1 14 Tf 12 150 Td (Contract) Tj ET"),
    }
    draft = Draft(base(b"22 0 R", b"23 0 R", more=apart))
    value, look = draft.sign(timestamp=timestamp), draft.add(FRAME)
    draft.edit(22)["V"] = Ref((value, 0))
    draft.edit(23)["AP"] = {"N": Ref((look, 0))}
    assert status(draft.finished()) is (Status.UNKNOWN if timestamp else Status.VALID)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("rectangle", [b"[20 10 120 50]", b"[0 0 0 0]"])
def test_a_timestamp_takes_no_place_that_is_kept_for_a_signer(apart, rectangle):
    """What stands in the second party's field is told as the second party's."""
    widget = b"/Type/Annot/Subtype/Widget/F 4/Rect%b/P 3 0 R>>" % rectangle
    fields = {22: b"<</FT/Sig/T(Second)%b" % widget}
    if apart:
        fields = {22: b"<</FT/Sig/T(Second)/Kids[23 0 R]>>", 23: b"<</Parent 22 0 R%b" % widget}
    fields[4] = stream(b"BT /F1 14 Tf 12 150 Td (Contract) Tj ET")
    draft = Draft(base(b"22 0 R", b"23 0 R" if apart else b"22 0 R", more=fields))
    draft.edit(22)["V"] = Ref((draft.sign(timestamp=True), 0))
    assert status(draft.finished()) is (Status.VALID if rectangle == b"[0 0 0 0]" else Status.UNKNOWN)


@pytest.mark.parametrize("entry", ["M", "V"])
def test_what_a_page_draws_is_no_field(entry):
    """A list of forms that is listed as a field, too, would have them exchanged as the field's date or value."""
    kind = b"Sig" if entry == "M" else b"Tx"
    more = {
        4: stream(b"BT /F1 14 Tf 12 150 Td (Price) Tj ET q 1 0 0 1 100 145 cm /%b Do Q" % entry.encode()),
        50: b"<</%b 51 0 R/FT/%b/T(later)>>" % (entry.encode(), kind),
        51: form(b"BT /F1 14 Tf 0 5 Td (100) Tj ET", b"/BBox[0 0 40 20]" + TYPE),
    }
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject 50 0 R>>"
    certify = MDPPerm.FILL_FORMS if entry == "V" else None
    draft = Draft(base(b"50 0 R", more=more, page=page, certify=certify))
    value = draft.sign()
    look = draft.add(form(b"BT /F1 14 Tf 0 5 Td (900) Tj ET", b"/BBox[0 0 40 20]" + TYPE))
    if entry == "M":
        draft.edit(50).update({"V": Ref((value, 0)), "M": Ref((look, 0))})
    else:
        draft.edit(50)["V"] = Ref((look, 0))
        draft.put_field(draft.add(INVISIBLE % (b"Later", value)), 0)
    assert status(draft.finished()) is not Status.VALID


def test_a_field_is_come_to_as_one():
    """Where resources lead to it as well, nothing in it may be different, whatever that is."""
    more = {
        22: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect[20 10 120 50]/P 3 0 R>>",
        4: stream(b"BT /F1 14 Tf 12 150 Td (Contract) Tj ET"),
    }
    page = b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/Properties %b>>"
    for properties, accepted in ((b"<<>>", True), (b"22 0 R", False)):
        draft = Draft(base(b"22 0 R", b"22 0 R", more=more, page=page % properties))
        value, look = draft.sign(), draft.add(FRAME)
        draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((look, 0))}})
        assert (status(draft.finished()) is Status.VALID) is accepted


def test_annotations_of_all_pages_stay_in_sight():
    """Some readers show those of the tree of pages as long as the page has none of its own."""
    objects = rich()
    objects[2] = objects[2][:-2] + b"/Annots[22 0 R]>>"
    objects[22] = b"<</Type/Annot/Subtype/Stamp/F 4/Rect[58 145 90 165]/AP<</N 23 0 R>>>>"
    objects[23] = form(b"BT /F1 10 Tf 0 5 Td (NOT) Tj ET", b"/BBox[0 0 32 20]" + TYPE)
    draft = Draft(attack.foreign_sign(built(objects)))
    draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign(timestamp=True))), 0)
    assert status(draft.finished()) is Status.UNKNOWN


def test_a_stream_that_the_form_names_among_its_resources_stays():
    """The picture of a state that was signed is not drawn anew under its number."""
    look = b"/BBox[0 0 20 20]" + TYPE
    more = {
        22: b"<</Type/Annot/Subtype/Widget/FT/Btn/T(agreed)/V/Off/AS/Off/F 4/Rect[12 10 32 30]/P 3 0 R"
        b"/AP<</N<</Yes 26 0 R/Off 27 0 R>>>>>>",
        26: form(b"2 2 m 18 18 l S", b"/BBox[0 0 20 20]/Resources<<>>"),
        27: form(b"", look),
        4: stream(b"BT /F1 14 Tf 12 150 Td (Contract) Tj ET"),
    }
    resources = b"/DR<</Font<</F1 5 0 R>>/X 26 0 R>>"
    signed = base(b"22 0 R", b"22 0 R", more=more, catalog=resources, certify=MDPPerm.FILL_FORMS)
    for anew, accepted in ((False, True), (True, False)):
        draft = Draft(signed)
        draft.edit(22).update({"V": Name("Yes"), "AS": Name("Yes")})
        if anew:
            draft.bodies[26] = more[26].replace(b"2 2 m", b"9 2 m")
        draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign())), 0)
        assert (status(draft.finished()) is Status.VALID) is accepted


@pytest.mark.parametrize(("own", "accepted"), [(b"", False), (b"/DA(/F1 12 Tf 0 g)", True)])
def test_the_type_of_a_field_is_not_chosen_later(own, accepted):
    """Readers that show a field's value take its type from the form where the field has none."""
    more = {
        20: b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/FT/Tx/T(sum)/V(1000)/Rect[80 6 160 22]/AP<</N 25 0 R>>%b>>"
        % own,
        25: form(b"/Tx BMC BT /F1 12 Tf 2 4 Td (1000) Tj ET EMC", b"/BBox[0 0 80 16]" + TYPE),
    }
    draft = Draft(base(b"20 0 R", b"20 0 R", more=more, catalog=b"/DR<</Font<</F1 5 0 R>>>>"))
    draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign(timestamp=True))), 0)
    draft.acro_form()["DA"] = b"/F1 12 Tf 1 g"
    assert (status(draft.finished()) is Status.VALID) is accepted


@pytest.mark.parametrize(
    ("resources", "accepted"),
    [
        (b"", False),
        (b"/Resources<<>>", False),
        (b"/Resources<</Font<</F1 5 0 R>>>>", False),
        (b"/Resources<</Font<</F9 5 0 R>>>>", True),
    ],
)
def test_a_look_brings_the_fonts_that_it_names(resources, accepted):
    """Readers that look for others among the form's would find what a later signer puts there: other signs."""
    more = {
        20: b"<</Type/Annot/Subtype/Widget/F 4/P 3 0 R/FT/Tx/T(sum)/V(1000)/Rect[80 6 160 22]/AP<</N 25 0 R>>"
        b"/DA(/F9 12 Tf 0 g)>>",
        25: form(b"/Tx BMC BT /F9 12 Tf 2 4 Td (1000) Tj ET EMC", b"/BBox[0 0 80 16]" + resources),
    }
    draft = Draft(base(b"20 0 R", b"20 0 R", more=more, catalog=b"/DR<</Font<</F1 5 0 R>>>>"))
    draft.put_field(draft.add(INVISIBLE % (b"Later", draft.sign())), 0)
    ticks = draft.add(b"<</Type/Font/Subtype/Type1/BaseFont/ZapfDingbats>>")
    draft.acro_form()["DR"]["Font"]["F9"] = Ref((ticks, 0))
    assert (status(draft.finished()) is Status.VALID) is accepted


@pytest.mark.parametrize(
    ("entries", "lock"),
    [
        (b"/Reference[<</Type/SigRef/TransformMethod/FieldMDP/TransformParams<</V/1.2/Action/All>>>>]", b""),
        (b"", b"/Lock<</Type/SigFieldLock/Action/All>>"),
        (b"", b"/Lock<</Type/SigFieldLock/Action/Include/Fields[]/P 1>>"),
    ],
)
def test_a_timestamp_locks_nothing(entries, lock):
    """Anybody may have one made; the honest signature that comes next is none that breaks a lock."""
    more = {
        22: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect[20 10 120 50]/P 3 0 R>>",
        4: stream(b"BT /F1 14 Tf 12 150 Td (Contract) Tj ET"),
    }
    stamped = Draft(base(b"22 0 R", b"22 0 R", more=more))
    field = INVISIBLE[:-2] % (b"Stamp", stamped.sign(timestamp=True, entries=entries)) + lock + b">>"
    stamped.put_field(stamped.add(field), 0)
    draft = Draft(stamped.finished())
    value, look = draft.sign(), draft.add(FRAME)
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((look, 0))}})
    assert status(draft.finished()) is Status.VALID


@pytest.mark.parametrize("text", [b"[4 0 R %d 0 R]", b"<</Y %d 0 R>>"])
def test_a_number_beyond_all_objects_is_none(text):
    """Readers take what fits into a word of it for an object, which anybody may bring along with a timestamp."""
    assert Ref((50, 0)) in references_in(Cursor(text % 50, 0, Census()).value())
    with pytest.raises(PdfError):
        Cursor(text % (2**32 + 50), 0, Census()).value()


@pytest.mark.parametrize(
    ("lock", "more"),
    [
        (b"<</Type/SigFieldLock/Action/All>>", {}),
        (b"60 0 R", {60: b"<</Type/SigFieldLock/Action 61 0 R/Fields 62 0 R>>", 61: b"/Include", 62: b"[(Second)]"}),
        (b"<</Type/SigFieldLock/Action/Include/Fields(Second)>>", {}),
        (b"[<</Type/SigFieldLock/Action/All>>]", {}),
        (b"<</Type/SigFieldLock/Action/Include/Fields[(Other)]>>", None),
    ],
)
def test_a_lock_is_one_however_it_is_written(lock, more):
    """Its words may stand in objects of their own; what is not understood locks everything."""
    objects = rich()
    objects[22] = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Second)/F 4/Rect[20 10 120 50]/P 3 0 R>>"
    objects[23] = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(First)/F 132/Rect[0 0 0 0]/P 3 0 R/Lock %b>>" % lock
    objects[4] = stream(b"BT /F1 14 Tf 12 150 Td (Contract) Tj ET")
    objects[3] = objects[3][:-2] + b"/Annots[22 0 R 23 0 R]>>"
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[22 0 R 23 0 R]/SigFlags 1>>>>"
    objects.update(more or {})
    first = Draft(built(objects))
    first.edit(23)["V"] = Ref((first.sign(), 0))
    draft = Draft(first.finished())
    value, look = draft.sign(), draft.add(FRAME)
    draft.edit(22).update({"V": Ref((value, 0)), "AP": {"N": Ref((look, 0))}})
    assert status(draft.finished()) is (Status.VALID if more is None else Status.INVALID)
