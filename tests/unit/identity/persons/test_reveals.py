"""Reveals."""

import pytest

from services.identity.persons.domain import reveals
from services.identity.persons.domain.reveals import RevealError
from shuniu.rules import RuleError


def test_reveals_are_for_handlers_of_open_cases_and_named_purposes():
    """Every state that is not open is closed; each service has its own purposes."""
    reveals.check_case("bureau", "bureau", "PROCESSING")
    for caller, state, reason in (
        ("other", "PROCESSING", "NOT_HANDLING_AGENCY"),
        ("bureau", "DELIVERED", "CASE_CLOSED"),
        ("bureau", "UNSPECIFIED", "CASE_CLOSED"),
    ):
        with pytest.raises(RevealError) as failure:
            reveals.check_case(caller, "bureau", state)
        assert failure.value.reason == reason
    reveals.check_service("esign", "document")
    for service, purpose in (("esign", "authority"), ("web", "document"), ("exchange", "document")):
        with pytest.raises(RevealError):
            reveals.check_service(service, purpose)


@pytest.mark.parametrize("text", ["", " ", "x" * 201, "a\nb", "为 150102199003070011 核对", "电话 13800138000"])
def test_purposes_hold_no_numbers(text):
    """The person reads the purpose; a number in it would stand in clear."""
    with pytest.raises(RuleError):
        reveals.checked_purpose(text)
