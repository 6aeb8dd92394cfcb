"""What comes out of a document's filters has one budget, and a spent one stays spent."""

import zlib

import pytest

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import MAX_EXPANDED, PdfError
from tests.support.esign import small_pdf
from tests.support.updates import Draft, stream


def test_whatever_is_read_after_the_budget_was_spent_fails_as_too_much_work() -> None:
    """A reader that goes on after the limit, to name the signatures, hears of the limit again."""
    draft = Draft(small_pdf())
    number = draft.add(stream(zlib.compress(b"text"), b"/Filter/FlateDecode"))
    document = Document(draft.finished())
    with pytest.raises(PdfError) as first:
        document.census.expand(MAX_EXPANDED + 2)
    for _ in range(2):
        with pytest.raises(PdfError) as again:
            document.stream_of(document.object(number))
        assert (again.value.reason, again.value.limit) == (first.value.reason, True)
