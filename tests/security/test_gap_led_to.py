"""Nothing but a signature's field and the catalog's permissions leads to its dictionary: some readers show its
/Contents, which nobody signs, as the text of a note that names it.
"""

from collections.abc import Callable

import pytest
from pyhanko.sign.fields import MDPPerm

from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.signed_pages import PRICE, page
from tests.support.update_bases import built, packed, rich
from tests.support.updates import stream
from tests.support.verdicts import TRUST, judged

pytestmark = pytest.mark.timeout(60)
SHARED = (Outcome.INDETERMINATE, "GAP_SHARED")
VALID = (Outcome.VALID, "WHOLE_FILE")
POPUP = b"<</Type/Annot/Subtype/Popup/Open true/F 4/Rect[5 60 195 120]/Parent %b>>"
REPLY = b"<</Type/Annot/Subtype/Text/F 4/Rect[5 60 25 80]/RT/Group/IRT %b>>"


def coverage(pdf: bytes) -> tuple[Outcome, str]:
    """The outcome, and what the step coverage said."""
    verdict = judged(pdf, trust=TRUST, now_us=attack.now_us())
    return verdict.outcome, next(step.reason for step in verdict.steps if step.step == "coverage")


def signed_with(make: Callable[[bytes], bytes], *, certify: MDPPerm | None = None) -> bytes:
    """What `make` gives for a reference to the signature, signed."""
    number = 60
    for _ in range(3):
        pdf = attack.foreign_sign(make(b"%d 0 R" % number), "First", certify=certify)
        found = signatures.find(Document(pdf))[0].number
        if found == number:
            return pdf
        number = found
    raise AssertionError("the number of the signature depends on itself")


def noted(note: bytes) -> bytes:
    return page(PRICE, annotations=b"30 0 R", more={30: note})


def with_unlisted(pdf: bytes, body: bytes) -> bytes:
    """With an object before the table, which does not have it."""
    at = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    more = b"90 0 obj\n%b\nendobj\n" % body
    moved = pdf[:at] + more + pdf[at:]
    return moved.replace(b"startxref\n%d" % at, b"startxref\n%d" % (at + len(more)))


LED_TO: dict[str, Callable[[bytes], bytes]] = {
    "an open window": lambda ref: noted(POPUP % ref),
    "a reply": lambda ref: noted(REPLY % ref),
    "of another generation": lambda ref: noted(POPUP % ref.replace(b" 0 R", b" 3 R")),
    "with a comment inside": lambda ref: noted(POPUP % ref.replace(b" 0 R", b"%x\n0%y\rR")),
    "with zeros before": lambda ref: noted(POPUP % (b"00" + ref)),
    "in a list": lambda ref: noted(REPLY % b"[null %b]" % ref),
    "a value of another field": lambda ref: noted(POPUP % b"2 0 R/V %b" % ref),
    "in no section": lambda ref: with_unlisted(page(PRICE), POPUP % ref),
    "in an object stream": lambda ref: packed({**rich(), 2: rich()[2][:-2] + b"/PieceInfo" + POPUP % ref + b">>"}),
}


@pytest.mark.parametrize("way", LED_TO)
def test_another_object_that_leads_to_a_signature_leaves_it_open(way: str) -> None:
    """A note's parent, what a note answers, and whatever else names the signature's dictionary, before it was made."""
    assert coverage(signed_with(LED_TO[way])) == SHARED


def test_what_is_lawful_or_no_reference_is_valid() -> None:
    """A certification is named by the catalog; digits that look like a reference inside a stream are none, and a note
    may name another object.
    """
    digits = b"% 33 0 R 60 0 R\n"
    assert coverage(attack.foreign_sign(page(PRICE), "First", certify=MDPPerm.FILL_FORMS)) == VALID
    assert coverage(signed_with(lambda ref: page(PRICE, more={40: stream(b"%% %b\n" % ref)}))) == VALID
    assert coverage(attack.foreign_sign(page(digits + PRICE), "First")) == VALID
    assert coverage(attack.foreign_sign(built(rich()), "First")) == VALID
    assert coverage(attack.foreign_sign(packed(rich()), "First")) == VALID
    assert coverage(signed_with(lambda ref: page(PRICE, entries=b"/Tabs/S/PZ 1%b" % ref[:-5]))) == VALID
