"""Honest documents of other makers: each lawful form is read, judged and accepted.

The documents are made here, by pyHanko, PDFBox with BouncyCastle, Poppler with NSS, and by hand in the byte layouts of
programs that do not run here. That they are honest is pyHanko's word as well, where pyHanko reads the form.
"""

import re

import pytest

from services.esign.domain.verdict import Status
from tests.support.lawful.documents import BEYOND, FORMS, document
from tests.support.lawful.judging import objections, pyhanko_objections, verdict

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("form", FORMS)
def test_an_honest_document_of_this_form_is_accepted(form):
    """Structure, coverage, later changes and the signature's value are all found in order."""
    assert objections(verdict(document(form))) == []


@pytest.mark.parametrize("form", FORMS)
def test_an_independent_reader_finds_it_honest_too(form):
    """The corpus proves something only if others take its documents for sound."""
    assert pyhanko_objections(document(form)) == []


@pytest.mark.parametrize("form", FORMS | BEYOND)
def test_the_document_has_the_form_that_it_says(form):
    """A maker that changes its ways would leave a form untried."""
    assert re.search((FORMS | BEYOND)[form].mark, document(form))


@pytest.mark.parametrize("form", BEYOND)
def test_an_honest_document_that_is_not_accepted_is_not_called_wrong(form):
    """What was met is said; INVALID is kept for what is wrong."""
    found = verdict(document(form))
    assert [step.reason for step in found.steps if step.status is Status.INVALID] == []
    assert all(len(objection) > len("changes unknown") for objection in objections(found))
