"""Updates that give what the signed file is packed by another meaning: other readers then find other objects."""

import zlib

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain import der
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import PdfError, Ref
from services.esign.domain.verdict import Outcome, Status
from services.esign.revisions.rendering import look as drawn
from tests.support import documents as attack
from tests.support.update_bases import built, rich
from tests.support.update_checks import step_changes
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

DATA = stream(der.tlv(der.SEQUENCE, der.tlv(der.OCTET_STRING, b"x")))
CONTAINER, SECTION, COUNT = 40, 41, 50


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def packed(count=b"", first=b""):
    """The document in an object stream, whose /N or /First may be an object of its own."""
    objects = rich()
    inside = [number for number, body in objects.items() if not body.endswith(b"endstream")]
    head = content = b""
    for number in inside:
        head += b"%d %d " % (number, len(content))
        content += objects[number] + b" "
    data = zlib.compress(head + content)
    own = {number: body for number, body in objects.items() if number not in inside}
    own[CONTAINER] = b"<</Type/ObjStm/N %b/First %b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (
        count or b"%d" % len(inside),
        first or b"%d" % len(head),
        len(data),
        data,
    )
    own[COUNT] = b"%d" % (len(inside) if count else len(head))
    out, rows = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), {0: b"\0\0\0\0\xff"}
    rows |= {number: b"\2" + CONTAINER.to_bytes(3, "big") + bytes((at,)) for at, number in enumerate(inside)}
    for number, body in own.items():
        rows[number] = b"\1" + len(out).to_bytes(3, "big") + b"\0"
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    begin = len(out)
    rows[SECTION] = b"\1" + begin.to_bytes(3, "big") + b"\0"
    table = b"".join(rows.get(number, bytes(5)) for number in range(max(rows) + 1))
    section = b"<</Type/XRef/W[1 3 1]/Size %d/Root 1 0 R/Info 11 0 R/Length %d>>\nstream\n%b\nendstream"
    body = section % (max(rows) + 1, len(table), table)
    return bytes(out + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (SECTION, body, begin))


@pytest.mark.parametrize("as_what", ["list", "data", "store"])
@pytest.mark.parametrize("entry", ["count", "first"])
def test_what_counts_objects_does_not_become_validation_data(entry, as_what):
    """Anybody may add validation data; the object that says how many objects there are is none."""
    base = attack.foreign_sign(packed(**{entry: b"%d 0 R" % COUNT}), certify=MDPPerm.NO_CHANGES)
    assert outcome(base) is Outcome.VALID
    draft = Draft(base, form=Document(base).kind)
    number = draft.add(DATA)
    reused = {"list": b"[%d 0 R]", "data": DATA, "store": b"<</Certs[%d 0 R]>>"}[as_what]
    draft.bodies[COUNT] = reused % number if b"%d 0 R" in reused else reused
    whole = {"list": {"Certs": Ref((COUNT, 0))}, "data": {"Certs": [Ref((COUNT, 0))]}, "store": Ref((COUNT, 0))}
    draft.root()["DSS"] = whole[as_what]
    assert outcome(draft.finished()) is not Outcome.VALID


def saved_twice(parameters):
    """Saved with another amount before, then again with a section that names how it is packed; signed."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]>>",
        3: b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        4: stream(b"BT /F1 24 Tf 12 150 Td (Pay 900) Tj ET"),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    places = []
    for number, body in objects.items():
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    first = len(out)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"xref\n0 6\n0000000000 65535 f \n%btrailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        rows,
        first,
    )
    place = len(out)
    out += b"4 0 obj\n%b\nendobj\n" % stream(b"BT /F1 24 Tf 12 150 Td (Pay 100) Tj ET")
    second, data = len(out), zlib.compress(place.to_bytes(3, "big") + b"\0")
    out += (
        b"7 0 obj\n<</Type/XRef/W[0 3 1]/Index[4 1]/Size 8/Root 1 0 R/Prev %d/Filter/FlateDecode%b/Length %d>>\nstream\n"
        b"%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (first, parameters, len(data), data, second)
    )
    draft = Draft(bytes(out), form="table")
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % draft.sign()
    draft.put_field(draft.add(field), 0)
    return draft.finished()


@pytest.mark.parametrize(("parameters", "accepted"), [(b"", True), (b"/DecodeParms 60 0 R", False)])
def test_what_the_signed_sections_refer_to_does_not_come_later(parameters, accepted):
    """An object that is not there when the document is signed comes with an update, and unpacks the section otherwise."""
    base = saved_twice(parameters)
    assert outcome(base) is Outcome.VALID
    draft = Draft(base, form="table")
    draft.store(b"certificate")
    if not accepted:
        draft.bodies[60] = b"<</Predictor 11/Columns 4>>"
        draft.acro_form()["DR"] = {"X": Ref((60, 0))}
    assert (outcome(draft.finished()) is Outcome.VALID) is accepted


@pytest.mark.parametrize(("edge", "accepted"), [(0, True), (-2147483648, False), (4294967396, False)])
def test_whole_numbers_are_real_ones_where_readers_hold_both(edge, accepted):
    """Beyond 32767 they clamp or wrap one and not the other: the page would be another one."""
    objects = rich()
    objects[3] = objects[3][:-2] + b"/CropBox[0 %d 200 200]>>" % edge
    base = attack.foreign_sign(built(objects), certify=MDPPerm.NO_CHANGES)
    draft = Draft(base)
    draft.store(b"certificate")
    draft.page()["CropBox"] = [0.0, float(edge), 200.0, 200.0]
    assert (outcome(draft.finished()) is Outcome.VALID) is accepted


def test_an_empty_object_stream_is_one():
    """It holds nothing, and a later update does not make a judgement of it fail."""
    objects = rich(more={60: stream(zlib.compress(b""), b"/Type/ObjStm/N 0/First 0/Filter/FlateDecode")})
    draft = Draft(attack.foreign_sign(built(objects)))
    draft.store(b"certificate")
    assert outcome(draft.finished()) in {Outcome.VALID, Outcome.INDETERMINATE}


@pytest.mark.parametrize("named", [False, True])
def test_a_section_does_not_come_back_beside_a_later_one(named):
    """In a cross-reference stream /XRefStm leads some readers to what was superseded."""
    base = saved_twice(b"")
    draft = Draft(base, form="stream")
    draft.store(b"certificate")
    if named:
        draft.trailer["XRefStm"] = b"%d" % base.index(b"7 0 obj")
    assert (outcome(draft.finished()) is Outcome.VALID) is not named


@pytest.mark.parametrize("as_what", [b"/ExtGState 1 0 R", b"/ExtGState 50 0 R", b"/Font 11 0 R"])
def test_what_has_a_kind_is_nothing_else(as_what):
    """The catalog, the form or the description as a page's resources: what may lawfully come there would be drawn."""
    objects = rich()
    objects[50] = b"<</Fields[]>>"
    objects[1] = objects[1][:-2] + b"/AcroForm 50 0 R>>"
    objects[3] = objects[3].replace(b"/ExtGState<</G 9 0 R>>", as_what if as_what.startswith(b"/ExtGState") else b"")
    objects[3] = objects[3].replace(b"/Font<</F1 5 0 R>>", as_what) if as_what.startswith(b"/Font") else objects[3]
    base = attack.foreign_sign(built(objects))
    draft = Draft(base)
    draft.store(b"certificate")
    assert outcome(draft.finished()) is not Outcome.VALID


def stamped(mention):
    """A document with that in a dictionary, and a timestamp that brings an object; its number."""
    objects = rich()
    objects[9] = b"<</Type/ExtGState/ca .9" + mention + b">>"
    draft = Draft(attack.foreign_sign(built(objects)))
    number = draft.add(b"<<>>")
    value = draft.sign(timestamp=True, entries=b"/Extra %d 0 R" % number)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Stamp)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>" % value
    draft.put_field(draft.add(field), 0)
    step = step_changes(draft.finished(), drawn)
    assert step is not None
    return step.status, number


def test_what_comes_was_mentioned_by_nothing():
    """What is a comment or a string to one reader is a reference to another, which unpacks its stream in another way."""
    status, number = stamped(b"")
    assert status is Status.VALID
    assert stamped(b"%% %d 0 R\n" % (number + 30))[0] is Status.VALID
    assert stamped(b"%% %d 0 R\n" % number)[0] is Status.UNKNOWN
    assert stamped(b"/K(%d 0 R)" % number)[0] is Status.UNKNOWN
    assert stamped(b"/K/A\x800000000000000%d.5\x80-1\xffR" % number)[0] is Status.UNKNOWN


@pytest.mark.parametrize("key", [b"F/RunLengthDecode", b"DP<<>>", b"FFilter/FlateDecode"])
def test_a_stream_has_one_filter(key):
    """Short names of filters are keys of an external file to one reader, and undone by another."""
    document = Document(built({**rich(), 4: stream(b"q Q", b"/" + key)}))
    holder = document.object(4)
    assert holder is not None
    with pytest.raises(PdfError):
        document.stream_of(holder)


IDLE = 60


def timestamped(pdf, number=IDLE, body=None, **how):
    """The step changes behind a timestamp by somebody else, which may bring an object of that number."""
    draft = Draft(pdf, form="stream", **how)
    if body is not None:
        draft.bodies[number] = body
    value = draft.sign(timestamp=True, entries=b"" if body is None else b"/Extra %d 0 R" % number)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Stamp)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>" % value
    draft.put_field(draft.add(field), 0)
    step = step_changes(draft.finished(), drawn)
    assert step is not None
    return step


def hand_signed(pdf, **how):
    """Signed by somebody whose program does not read the whole document."""
    draft = Draft(pdf, form="stream", **how)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % draft.sign()
    draft.put_field(draft.add(field), 0)
    return draft.finished()


@pytest.mark.parametrize(("freed", "accepted"), [(None, True), (IDLE, False)])
@pytest.mark.parametrize("how", ["stamp", "store"])
def test_nothing_is_taken_away(freed, accepted, how):
    """Nothing leads to the object; a reader may need it all the same, to take the file as its sections say."""
    base = attack.foreign_sign(built(rich(more={IDLE: b"5"})), certify=MDPPerm.NO_CHANGES)
    more = {} if freed is None else {"freed": {freed: 0}}
    if how == "store":
        draft = Draft(base, **more)
        draft.store(b"certificate")
        assert (outcome(draft.finished()) is Outcome.VALID) is accepted
        return
    step = timestamped(base, **more)
    assert (step.status is Status.VALID) is accepted
    assert accepted or "taken away" in step.en


def test_what_was_null_may_be_taken_away():
    """It was nothing before."""
    base = attack.foreign_sign(built(rich(more={IDLE: b"null"})))
    assert timestamped(base, freed={IDLE: 0}).status is Status.VALID


@pytest.mark.parametrize("later", [{}, {"body": b"5"}, {"freed": {IDLE: 0}}])
@pytest.mark.parametrize("there", [True, False])
def test_an_object_is_packed_into_an_object_stream(there, later):
    """While an entry, even one that nothing leads to, names a container that is none, some readers rebuild the file; what
    comes later decides whether they do.
    """
    objects = rich(more={IDLE: b"5"} if there else {})
    base = hand_signed(built(objects), rows={IDLE + 30: (2, IDLE, 0)})
    assert outcome(base) is Outcome.INDETERMINATE
    if there and "body" in later:
        return
    assert timestamped(base, **later).status is Status.UNKNOWN


def test_an_object_stream_holds_what_is_said_to_be_in_it():
    """One more entry than there are members is another document to readers that go on looking."""
    draft = Draft(built(rich()), form="stream")
    draft.packed[IDLE] = b"<<>>"
    pdf = draft.finished()
    container = Document(pdf).entries[IDLE].a
    good = hand_signed(pdf)
    assert timestamped(good).status is Status.VALID
    assert timestamped(hand_signed(pdf, rows={IDLE + 30: (2, container, 0)})).reason == "AMBIGUOUS"
