"""Divisions: forms of the code and levels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.domain.divisions import (
    DivisionError,
    DivisionLevel,
    ancestors,
    level,
    normalise,
    within,
)


@pytest.mark.parametrize(
    ("text", "expected", "depth"),
    [
        ("150000", "150000", DivisionLevel.PROVINCE),
        ("150100000000", "150100", DivisionLevel.CITY),
        ("150102", "150102", DivisionLevel.COUNTY),
        ("150102001", "150102001", DivisionLevel.TOWN),
        ("150102001000", "150102001", DivisionLevel.TOWN),
        ("150102001002", "150102001002", DivisionLevel.VILLAGE),
        ("441900003", "441900003", DivisionLevel.TOWN),
    ],
)
def test_forms(text: str, expected: str, depth: DivisionLevel) -> None:
    """6, 9 and 12 digits of one place are one code."""
    assert (expected, depth) == (normalise(text), level(text))


@pytest.mark.parametrize(
    "text", ["", "15", "15010", "1501001", "15010a", "１５０１００", "000000", "150001", "150102000001"]
)
def test_no_codes(text: str) -> None:
    """What names no place is refused."""
    with pytest.raises(DivisionError):
        normalise(text)


def test_ancestors() -> None:
    """Each code knows what lies above it."""
    assert ancestors("150102001002") == ("150102001", "150102", "150100", "150000")
    assert ancestors("441900003") == ("441900", "440000")
    assert ancestors("150000") == ()
    assert within("150102001", "150000")
    assert within("150100000", "150100")
    assert not within("150100", "150102")


@given(st.text("0123456789", min_size=6, max_size=12))
def test_normal_forms_are_stable(text: str) -> None:
    """A normal form is its own normal form and lies within all its ancestors."""
    try:
        code = normalise(text)
    except DivisionError:
        return
    assert code == normalise(code)
    assert all(within(code, area) for area in ancestors(code))
