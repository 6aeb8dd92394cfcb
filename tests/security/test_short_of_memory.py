"""A reader that is short of memory finds nothing wrong: an honest document is VALID, or beyond the limits."""

import pytest

from services.esign.certification.domain import pki
from services.esign.verification.judging import Question
from tests.support import documents as attack
from tests.support import short_of_memory
from tests.support.esign import setting
from tests.support.pictures import PICTURES
from tests.support.update_checks import versions


@pytest.mark.parametrize("kind", PICTURES)
def test_an_honest_document_is_never_wrong_for_want_of_memory(kind: str) -> None:
    """Whatever is drawn, and however little memory there is in front of what it needs: never INVALID."""
    root = pki.certificate_pem(setting().root.certificate)
    question = Question(PICTURES[kind](), root, (), attack.now_us(), None, None)
    enough, *less = short_of_memory.asked(short_of_memory.outcomes, question)
    assert enough == "VALID"
    assert set(less) <= {"VALID", "INDETERMINATE", short_of_memory.LIMIT}
    assert set(less) != {"VALID"}


@pytest.mark.parametrize(("kind", "most"), [("three colours", 40), ("groups", 20)])
def test_a_difference_that_memory_makes_does_not_repeat(kind: str, most: int) -> None:
    """Where nothing says that an allocation failed, drawing each version alone, with more memory and with less, does:
    the pages are never DIFFERENT, though the first look says so.
    """
    pdf = PICTURES[kind]()
    first, repeated = short_of_memory.asked(short_of_memory.unrepeated, pdf, versions(pdf), most)
    assert first
    assert "DIFFERENT" not in repeated
