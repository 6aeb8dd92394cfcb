"""What is kept of certificates belongs to the very objects, is bounded, and never holds errors."""

import pytest

from services.esign.certification import sm2_checks
from services.esign.certification.domain import chain
from services.esign.domain.cms import reader
from services.esign.domain.kept import kept, kept_if_found
from services.esign.revisions import rendering


class Certificate:
    """Anything with an identity."""


def test_answers_are_kept_by_the_object():
    """Each object and each path of them is asked for once; two that are equal are two."""
    asked = []

    @kept(8)
    def function(first, *more):
        asked.append((first, more))
        return len(asked)

    one, other = Certificate(), Certificate()
    calls = [(one,), (other,), ((one, other),), ((other, one),), (one, (other,), ()), (one, (), (other,))]
    answers = [function(*call) for call in calls]
    assert answers == [1, 2, 3, 4, 5, 6]
    assert [function(*call) for call in calls] == answers


def test_no_object_takes_the_place_of_another():
    """What is kept keeps its objects, so that nobody else gets their identity; beyond the bound all is asked anew."""
    count = 0

    @kept(4)
    def function(certificate):
        nonlocal count
        count += 1
        return certificate

    for _ in range(100):
        made = Certificate()
        assert function(made) is made
        assert function(made) is made
    assert count == 100


def test_errors_are_not_kept():
    """The next one who asks gets his own."""
    raised = []

    @kept(4)
    def function(certificate):
        raised.append(ValueError(certificate))
        raise raised[-1]

    one = Certificate()
    for _ in range(2):
        with pytest.raises(ValueError, match="Certificate"):
            function(one)
    assert len(raised) == 2


@pytest.mark.parametrize("nothing", [False, None, (), b""])
def test_what_is_not_found_is_asked_again(nothing):
    """A check that fails for a moment is made again; what passed once is kept, within the bound."""
    answers = iter([nothing, nothing, True])

    @kept_if_found(4)
    def function(_key):
        return next(answers)

    assert [function("key") for _ in range(5)] == [nothing, nothing, True, True, True]
    for cached in (chain._issued, sm2_checks.remembered, reader._key_ids, rendering._last_error):
        assert cached.cache_info().maxsize
        assert not hasattr(cached, "cache_parameters")
