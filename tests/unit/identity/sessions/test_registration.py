"""A person who registers is checked as a whole."""

from datetime import date

import pytest

from services.identity.sessions.domain.registration import checked
from shuniu.rules import RuleError

TODAY = date(2026, 11, 30)


def test_a_registrant_has_one_spelling() -> None:
    """Name and document come back as the vault will know them."""
    found = checked("wuyun", "correct horse", "古丽•买买提", "111", "11010519491231002x", today=TODAY)
    assert (found.full_name, found.document_type, found.document_number) == ("古丽·买买提", "111", "11010519491231002X")
    assert "1101" not in repr(found)


def test_every_fault_is_told_at_once_under_the_contracts_names() -> None:
    """Login name, password, name and number in one answer, which quotes none of them."""
    with pytest.raises(RuleError) as refused:
        checked("a", "short", "", "111", "11010519491231002", today=TODAY)
    fields = [each.field for each in refused.value.violations]
    assert fields == ["login_name", "password", "full_name", "document.number"]
    assert "1101" not in str(refused.value)
