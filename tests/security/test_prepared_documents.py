"""Documents whose maker prepared two of them in one file: which one a reader shows depends on what came after signing.
Never VALID once something did.
"""

import time

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf.document import Document
from services.esign.domain.verdict import Outcome, Status
from services.esign.revisions.rendering import look
from tests.support import documents as attack
from tests.support.update_bases import CONTENT, PAGE, STATE, base, built, packed, rich
from tests.support.update_checks import step_changes
from tests.support.updates import Draft, stream, text
from tests.support.verdicts import TRUST, judged

MOST_SECONDS = 3.0
SECOND_CATALOG, SECOND_PAGE = 13, 15
OTHER = {
    SECOND_CATALOG: b"<</Type/Catalog/Pages 14 0 R>>",
    14: b"<</Type/Pages/Count 1/Kids[15 0 R]/MediaBox[0 0 200 200]>>",
    SECOND_PAGE: b"<</Type/Page/Parent 14 0 R/Contents 16 0 R>>",
    16: stream(b"1 0 0 rg 0 0 200 200 re f"),
}


def signed(pdf):
    return attack.foreign_sign(pdf, certify=MDPPerm.NO_CHANGES)


def stored(pdf, form=""):
    draft = Draft(pdf, form=form or Document(pdf).kind)
    draft.store(b"certificate")
    return draft.finished()


def outcome(pdf):
    return judged(pdf, trust=TRUST, now_us=attack.now_us()).outcome


def ambiguous(pdf):
    assert outcome(pdf) is Outcome.INDETERMINATE
    step = step_changes(pdf, None)
    assert step is not None
    assert step.reason in {"AMBIGUOUS", "LATER_REVISION"}


def linearised(length, *, front, page=3):
    """Linearised to readers that find the file `length` bytes long: `front` is the catalog that they begin with."""
    head = (
        b"%%PDF-1.7\n%%\xe2\xe3\xcf\xd3\n90 0 obj\n<</Linearized 1/L %010d/H[500 50]/O %d/E 5000/N 2/T 1000>>\nendobj\n"
        % (
            length,
            page,
        )
    )
    objects = rich(more=OTHER)

    def section(places, root):
        rows = b"".join(b"%d 1\n%010d 00000 n \n" % (number, places.get(number, 0)) for number in objects)
        return b"xref\n0 1\n0000000000 65535 f \n%btrailer\n<</Size 91/Root %d 0 R>>\n" % (rows, root)

    behind = b"startxref\n0\n%%EOF\n"
    at = len(head) + len(section({}, front)) + len(behind)
    places, body = {}, b""
    for number, value in objects.items():
        places[number] = at + len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, value)
    whole = head + section(places, front) + behind + body
    return whole + section(places, 1) + b"startxref\n%d\n%%%%EOF\n" % len(whole)


def stated(**how):
    """Signed, with the length of the signed file in its front."""
    length = len(signed(linearised(0, **how)))
    found = signed(linearised(length, **how))
    assert len(found) == length
    return found


@pytest.mark.parametrize("how", [{"front": SECOND_CATALOG}, {"front": 1}, {"front": 1, "page": SECOND_PAGE}])
def test_the_front_of_a_linearised_file_leads_to_what_its_end_leads_to(how):
    """Readers begin at the front as long as the file has the length that is stated there; others find a trailer there
    that no section has.
    """
    assert outcome(stated(**how)) is Outcome.INDETERMINATE
    ambiguous(stored(stated(**how)))


def test_a_linearised_file_that_was_signed_later_is_no_such_file_any_more():
    """Its length is that of the file before signing."""
    step = step_changes(stored(base("linearised")), look)
    assert step is not None
    assert step.status is Status.VALID


@pytest.mark.parametrize("trailer", [b"trailer\n<</Size 55/Root 13 0 R>>\n", b"trailer%<<\n<</Size 55/Root 13 0 R>>\n"])
def test_a_trailer_that_belongs_to_nothing_is_a_second_beginning(trailer):
    """Readers that rebuild the file begin with it."""
    pdf = built(rich())
    at = pdf.rindex(b"startxref")
    ambiguous(stored(signed(pdf[:at] + trailer + pdf[at:])))


@pytest.mark.parametrize("piece", [b"trailer%", b"trailer ", b"startxref ", b"xref 0 ", b"1 0 obj", b"obj"])
def test_beginnings_are_looked_for_once(piece):
    """Half a megabyte of words that begin something is bounded work."""
    pdf = stored(signed(built(rich(more={13: stream(piece * (500_000 // len(piece)))}))))
    begun = time.process_time()
    outcome(pdf)
    assert time.process_time() - begun < MOST_SECONDS


@pytest.mark.parametrize("form", [built, packed])
def test_a_second_catalog_is_a_second_beginning(form):
    """Whether it stands in the file or in an object stream."""
    ambiguous(stored(signed(form(rich(more=OTHER)))))
    alone = OTHER | {SECOND_CATALOG: b"<</Producer(maker)>>"}
    assert outcome(stored(signed(form(rich(more=alone))))) is Outcome.VALID


def test_a_catalog_that_was_replaced_before_signing_is_an_earlier_one():
    """What the chain of sections led to once lies in front of what it leads to now."""
    draft = Draft(built(rich()))
    number = draft.add(b"<</Type/Catalog/Pages 2 0 R>>")
    draft.trailer["Root"] = b"%d 0 R" % number
    assert outcome(stored(signed(draft.finished()))) is Outcome.VALID


def test_packed_objects_are_not_left_to_readers_that_rebuild_the_file():
    """Some of them do not unpack anything then, and over an odd section they rebuild it."""
    for row, status in (((0, 0, 65535), Status.VALID), ((0, 2**32 - 1, 65535), Status.UNKNOWN)):
        draft = Draft(packed(rich()), form="stream", rows={0: row})
        field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % draft.sign()
        draft.put_field(draft.add(field), 0)
        step = step_changes(stored(draft.finished()), look)
        assert step is not None
        assert step.status is status
    ambiguous(stored(signed(packed(rich())), form="table"))


def hand_signed(pdf, pages=(0,)):
    """Signed by somebody whose program does not read the whole document."""
    draft = Draft(pdf, form=Document(pdf).kind)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % draft.sign()
    draft.put_field(draft.add(field), *pages)
    return draft.finished()


def packed_alone(number, value, **objects):
    """With one object in a stream of its own."""
    draft = Draft(built(rich(**objects)), form="stream")
    draft.packed[number] = value
    return draft.finished()


ODD = [b"[4 0 R foo 13 0 R]", b"[4 0 R >> 13 0 R]", b"[4 0 R ) 13 0 R]", b"[4 0 R } 13 0 R]", b"[4 0 R <</A 1/A 2>>]"]


@pytest.mark.parametrize("contents", [*ODD, b"[4 0 R 13 0 R]"])
def test_what_cannot_be_read_here_is_not_the_same_in_both_versions(contents):
    """Some reader reads it, and finds what came later: a page whose content lies among validation data."""
    draft = Draft(packed_alone(20, contents, more={13: stream(b"BT /F1 9 Tf (1) Tj ET")}), form="stream")
    draft.bodies[PAGE] = text(draft.page()).replace(b"/Contents 4 0 R", b"/Contents 20 0 R")
    step = step_changes(stored(hand_signed(draft.finished())), look)
    assert step is not None
    assert (step.status is Status.VALID) is (contents not in ODD)


@pytest.mark.parametrize(
    "action",
    [
        b"<</S/JavaScript/JS(app.alert\\(1\\))/S/JavaScript>>",
        b"<</A 1/A 2/S/JavaScript/JS(app.alert\\(1\\))>>",
        b"<</A 1.2.3/S/J#61vaScript/JS(app.alert\\(1\\))>>",
    ],
)
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_script_that_cannot_be_read_here_is_one_all_the_same(action, is_packed):
    """Other readers run it."""
    catalog = b"/OpenAction 20 0 R"
    pdf = packed_alone(20, action, catalog=catalog) if is_packed else built(rich(catalog=catalog, more={20: action}))
    verdict = judged(hand_signed(pdf), trust=TRUST, now_us=attack.now_us())
    assert "ACTIVE_CONTENT" in [step.reason for step in verdict.steps]
    assert verdict.outcome is Outcome.INDETERMINATE


@pytest.mark.parametrize("end", [b"", b"\n", b" ", b"\r\n\r\n"])
def test_white_space_behind_it_does_not_move_the_front(end):
    """It makes the file longer than its front says, and readers begin at its end."""
    length = len(attack.foreign_sign(linearised(0, front=SECOND_CATALOG)))
    pdf = attack.foreign_sign(linearised(length, front=SECOND_CATALOG))
    assert outcome(pdf + end) is Outcome.INDETERMINATE
    alone = {b"", b"\n"}
    assert outcome(base("approval") + end) is (Outcome.VALID if end in alone else Outcome.INDETERMINATE)


def test_a_front_behind_a_comment_is_one():
    """However its key is spelt."""
    head = b"%PDF-1.7\n%1 0 obj<<>>endobj\n90 0 obj\n<</Linear#69zed 1/L 99999999/O 3/N 2>>\nendobj\n"
    places = {}
    pdf = bytearray(head)
    for number, body in rich().items():
        places[number] = len(pdf)
        pdf += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    at = len(pdf)
    rows = b"".join(b"%d 1\n%010d 00000 n \n" % each for each in places.items())
    pdf += b"xref\n0 1\n0000000000 65535 f \n%btrailer\n<</Size 91/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (rows, at)
    step = step_changes(stored(hand_signed(bytes(pdf))), look)
    assert step is not None
    assert (step.status, step.reason) == (Status.UNKNOWN, "AMBIGUOUS")


@pytest.mark.parametrize("length", [9_000_000, 10, -1])
def test_a_signed_stream_ends_where_it_says(length):
    """Some readers take it to its end as stated: into what came later."""
    objects = rich()
    objects[CONTENT] = b"<</Length %d>>\nstream\nBT /F1 18 Tf 12 150 Td (Pay 100\nendstream" % length
    step = step_changes(stored(hand_signed(built(objects))), look)
    assert step is not None
    assert step.status is Status.UNKNOWN


@pytest.mark.parametrize("content", [b"BT /F1 18 Tf 12 150 Td (Pay 100", b"BT /F1 18 Tf 12 150 Td (Pay \\(100) Tj ET"])
def test_a_signed_content_stream_ends_no_string_later(content):
    """Some readers read on behind a stream that ends inside one."""
    step = step_changes(stored(hand_signed(built(rich() | {CONTENT: stream(content)}))), look)
    assert step is not None
    assert (step.status is Status.VALID) is content.endswith(b"ET")


@pytest.mark.parametrize("shift", [0, 1])
def test_a_packed_object_is_where_its_entry_counts_it(shift):
    """Some readers go by the number, others by the index."""
    draft = Draft(built(rich()), form="stream", index_shift=shift)
    draft.packed = {number: text(draft.document.value(number)) for number in (PAGE, STATE)}
    step = step_changes(stored(hand_signed(draft.finished())), look)
    assert step is not None
    assert (step.status is Status.VALID) is (shift == 0)


@pytest.mark.parametrize("generation", [0, 7])
def test_a_signed_reference_names_the_generation_of_its_object(generation):
    """Behind another one some readers find nothing, until it is written anew."""
    objects = rich(page=b"/Annots 13 %d R" % generation, more={13: b"[]"})
    step = step_changes(stored(hand_signed(built(objects))), look)
    assert step is not None
    assert (step.status is Status.VALID) is (generation == 0)


def test_an_update_does_not_heal_what_was_signed():
    """Readers that repair the signed version show a draft in it; an update does not make that VALID."""
    pdf = built(rich())
    at = pdf.rindex(b"xref\n0")
    draft = b"%d 0 obj\n%b\nendobj\n" % (CONTENT, stream(b"BT /F1 18 Tf 12 150 Td (Pay 100) Tj ET"))
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    pdf = pdf[:at] + draft + pdf[at:].replace(b"%d\n%%%%EOF" % start, b"%d\n%%%%EOF" % (start + len(draft)))
    update = Draft(hand_signed(pdf))
    update.store(b"certificate")
    update.bodies[CONTENT] = update.body(CONTENT, update.document.value(CONTENT))
    step = step_changes(update.finished(), look)
    assert step is not None
    assert step.status is Status.UNKNOWN
    assert step.reason in {"AMBIGUOUS", "LATER_REVISION"}


def test_a_packed_object_that_was_spelt_oddly_is_not_rewritten():
    """As one that stands in the file."""
    for number, accepted in ((b"0.%b1" % (b"0" * 30), False), (b"0.5", True)):
        page = rich()[PAGE][:-2] + b"/UserUnit %b>>" % number
        update = Draft(hand_signed(packed_alone(PAGE, page), pages=()), form="stream")
        update.store(b"certificate")
        update.bodies[PAGE] = text(update.document.value(PAGE))
        step = step_changes(update.finished(), look)
        assert step is not None
        assert (step.status is Status.VALID) is accepted


@pytest.mark.parametrize("between", [0, 6000])
@pytest.mark.parametrize("word", [b"/ByteRange", b"/Byte#52ange"])
def test_a_certification_that_was_taken_out_is_missed(between, word):
    """However near to the signature that was put in its place, and however that is spelt."""
    draft = Draft(signed(built(rich())), byte_range=word)
    draft.root()["AcroForm"] = {"Fields": []}
    draft.root().pop("Perms", None)
    draft.page()["Annots"] = []
    draft.add(stream(b"." * between))
    draft.bodies[CONTENT] = stream(b"1 0 0 rg 0 0 200 200 re f")
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(B)/F 132/Rect[0 0 0 0]/V %d 0 R>>" % draft.sign()
    draft.put_field(draft.add(field), 0)
    verdict = judged(draft.finished(), trust=TRUST, now_us=attack.now_us())
    assert verdict.outcome is not Outcome.VALID
    assert {step.reason for step in verdict.steps} & {"SIGNATURE_REPLACED", "BYTE_RANGE"}


@pytest.mark.parametrize("zone", [b"+99'99'", b"-24'00'", b"+23'59'"])
def test_no_time_of_day_is_too_odd_to_be_judged(zone):
    """A verdict never raises."""
    draft = Draft(built(rich()))
    number = draft.sign()
    draft.bodies[number] = draft.bodies[number].replace(b"040000Z", b"040000" + zone)
    draft.put_field(draft.add(b"<</Subtype/Widget/FT/Sig/T(a)/F 132/Rect[0 0 0 0]/V %d 0 R>>" % number), 0)
    assert outcome(draft.finished()) in set(Outcome)
