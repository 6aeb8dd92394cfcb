"""Divisions: forms of the code, levels, and codes that change over time."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.domain.divisions import (
    Division,
    DivisionError,
    DivisionLevel,
    DivisionTable,
    ancestors,
    level,
    normalise,
    within,
)

BEFORE, CHANGE, AFTER = date(2003, 11, 30), date(2003, 12, 1), date(2003, 12, 2)
# 盟 that became cities in 2003, and an invented split.
TABLE = DivisionTable(
    [
        Division("150000", "内蒙古自治区"),
        Division("152800", "巴彦淖尔盟", valid_to=CHANGE, successors=("150800",)),
        Division("150800", "巴彦淖尔市", valid_from=CHANGE),
        Division("150802", "临河区", valid_from=CHANGE),
        Division("152801", "临河市", valid_to=CHANGE, successors=("150802", "150803")),
        Division("150803", "新区", valid_from=CHANGE),
    ],
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


def test_a_code_holds_for_its_days() -> None:
    """A code names a place only together with a day."""
    assert TABLE.on("152800", BEFORE).name == "巴彦淖尔盟"
    assert TABLE.on("150800", CHANGE).name == "巴彦淖尔市"
    for code, day, reason in (("152800", CHANGE, "DIVISION_NOT_VALID"), ("159900", CHANGE, "DIVISION_UNKNOWN")):
        with pytest.raises(DivisionError) as caught:
            TABLE.on(code, day)
        assert reason == caught.value.reason


def test_successors_are_followed() -> None:
    """An old code leads to the places of today, several after a split."""
    assert [row.code for row in TABLE.resolve("152800", AFTER)] == ["150800"]
    assert [row.code for row in TABLE.resolve("152801", AFTER)] == ["150802", "150803"]
    assert [row.code for row in TABLE.resolve("152801", BEFORE)] == ["152801"]
    assert [row.code for row in TABLE.children("150800", AFTER)] == ["150802", "150803"]
    with pytest.raises(DivisionError):
        TABLE.resolve("150800", BEFORE)


def test_circular_successors_end() -> None:
    """A table with a circle answers instead of hanging."""
    table = DivisionTable(
        [
            Division("150101", "甲", valid_to=CHANGE, successors=("150102",)),
            Division("150102", "乙", valid_to=CHANGE, successors=("150101",)),
        ],
    )
    with pytest.raises(DivisionError):
        table.resolve("150101", AFTER)


def test_faults_of_a_table_are_told_at_once() -> None:
    """Loading a register reports every faulty row."""
    with pytest.raises(DivisionError) as caught:
        DivisionTable(
            [
                Division("150101", "甲", valid_from=CHANGE, valid_to=CHANGE),
                Division("150102", "乙", successors=("150101",)),
                Division("150103", "丙", valid_to=CHANGE, successors=("150199",)),
                Division("150104", "丁"),
                Division("150104", "戊", valid_from=CHANGE),
            ],
        )
    reasons = {each.reason for each in caught.value.violations}
    assert reasons == {"INTERVAL_EMPTY", "SUCCESSOR_EARLY", "SUCCESSOR_UNKNOWN", "INTERVAL_OVERLAP"}


@given(st.text("0123456789", min_size=6, max_size=12))
def test_normal_forms_are_stable(text: str) -> None:
    """A normal form is its own normal form and lies within all its ancestors."""
    try:
        code = normalise(text)
    except DivisionError:
        return
    assert code == normalise(code)
    assert all(within(code, area) for area in ancestors(code))
