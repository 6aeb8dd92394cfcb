"""A field that waits for its signature may hide what lies under it: MuPDF draws a sticker there until it is signed."""

import pytest

from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support.signed_pages import END_OF_PRICE, PRICE, page, signed
from tests.support.updates import Draft
from tests.support.verdicts import TRUST, judged

pytestmark = pytest.mark.timeout(60)


def signed_without_a_look(place: bytes) -> tuple[Outcome, str]:
    """The outcome and what the step changes says where a second signer signs in the field at `place`."""
    draft = Draft(signed(page(PRICE, place=place)))
    value = draft.sign()
    draft.edit(22).update({"V": Ref((value, 0))})
    found = judged(draft.finished(), trust=TRUST, now_us=attack.now_us())
    return found.outcome, next(step.reason for step in found.steps if step.step == "changes")


@pytest.mark.parametrize("at", [0, 17, 30])
def test_a_signature_without_a_look_over_signs_is_open(at: int) -> None:
    """The first signer may have seen "Price: USD 13", and a sticker for the rest."""
    place = b"[%d 84 %d 160]" % (END_OF_PRICE - at, END_OF_PRICE + 73)
    expected = (Outcome.INDETERMINATE, "COVERS_CONTENT") if at else (Outcome.VALID, "SIGNED_ONLY")
    assert signed_without_a_look(place) == expected


@pytest.mark.parametrize("place", [b"[20 20 180 70]", b"[0 0 0 0]", b"[40 150 40 150]"])
def test_a_signature_without_a_look_on_paper_is_valid(place: bytes) -> None:
    """Most contracts have their fields on blank paper, or without an area."""
    assert signed_without_a_look(place) == (Outcome.VALID, "SIGNED_ONLY")
