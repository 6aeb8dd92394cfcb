"""Warnings of the library are silenced for the threads that read, and come back when the last of them is done."""

import threading
import warnings

import pytest

from services.esign.domain.unwarned import unwarned


@pytest.mark.filterwarnings("error")
def test_threads_that_overlap_leave_the_filters_as_they_were() -> None:
    """The first one leaves while the second is inside: the second stays silent, and then warnings are as before."""
    before, inside, leave = list(warnings.filters), threading.Event(), threading.Event()
    raised: list[Exception] = []

    def second() -> None:
        try:
            with unwarned():
                inside.set()
                assert leave.wait(10)
                warnings.warn("unusual", UserWarning, stacklevel=1)
        except Exception as cause:
            raised.append(cause)

    reading = threading.Thread(target=second)
    with unwarned():
        reading.start()
        assert inside.wait(10)
    leave.set()
    reading.join(10)
    assert not raised
    assert warnings.filters == before
    with pytest.raises(UserWarning):
        warnings.warn("unusual", UserWarning, stacklevel=1)


def test_a_reading_that_fails_silences_nothing_after_it() -> None:
    """Nested, too."""
    before = list(warnings.filters)
    with pytest.raises(ValueError, match="unreadable"), unwarned(), unwarned():
        raise ValueError("unreadable")
    assert warnings.filters == before
