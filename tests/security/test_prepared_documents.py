"""Documents whose maker prepared two of them in one file: which one a reader shows depends on what came after signing.
Never VALID once something did.
"""

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.verdict import Outcome, Status
from services.esign.rendering import look
from tests.support import documents as attack
from tests.support.update_bases import base, built, packed, rich
from tests.support.update_checks import step_changes
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

SECOND_CATALOG, SECOND_PAGE = 13, 15
OTHER = {
    SECOND_CATALOG: b"<</Type/Catalog/Pages 14 0 R>>",
    14: b"<</Type/Pages/Count 1/Kids[15 0 R]/MediaBox[0 0 200 200]>>",
    SECOND_PAGE: b"<</Type/Page/Parent 14 0 R/Contents 16 0 R>>",
    16: stream(b"1 0 0 rg 0 0 200 200 re f"),
}


def signed(pdf):
    return attack.foreign_sign(pdf, certify=MDPPerm.NO_CHANGES)


def stored(pdf):
    draft = Draft(pdf)
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
    """Readers begin at the front as long as the file has the length that is stated there."""
    assert outcome(stated(**how)) is Outcome.VALID
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
