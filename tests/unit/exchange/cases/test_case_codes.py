"""Case codes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.cases.domain.codes import MAX_SERIAL, CaseCodeError, build, parse

ITEM = "12441500196720244T3442199806003"


def test_forty_three_characters() -> None:
    """Implementing code, day and serial make the case code, and it reads back."""
    code = build(ITEM, date(2026, 3, 9), 17)
    assert code.text == ITEM + "202603090017"
    assert len(code.text) == 43
    assert (ITEM, date(2026, 3, 9), 17, ITEM[:18]) == (code.implementing, code.day, code.serial, code.agency)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "CASE_CODE_FORM"),
        (ITEM + "20260309001", "CASE_CODE_FORM"),
        (ITEM + "２０２６０３０９００１７", "CASE_CODE_FORM"),
        (ITEM + "202602300017", "CASE_CODE_DATE"),
        (ITEM + "202603090000", "CASE_CODE_SERIAL"),
        ("12441500196720244U" + ITEM[18:] + "202603090017", "CASE_CODE_AGENCY"),
        ((ITEM + "202603090017").lower(), "CASE_CODE_FORM"),
    ],
)
def test_other_texts_are_refused(text: str, reason: str) -> None:
    """What is no case code is refused with its reason."""
    with pytest.raises(CaseCodeError) as caught:
        parse(text)
    assert reason == caught.value.reason


def test_a_day_of_many_cases_goes_on_in_letters() -> None:
    """The 10,000th case of an item on a day has a code of the same length, and codes sort as the cases came."""
    serials = [1, 9999, 10000, 10001, 10035, 10036, 9999 + 36**3, 10000 + 36**3, MAX_SERIAL]
    codes = [build(ITEM, date(2026, 1, 1), serial).text for serial in serials]
    assert [code[-4:] for code in codes] == ["0001", "9999", "A000", "A001", "A00Z", "A010", "AZZZ", "B000", "ZZZZ"]
    assert codes == sorted(codes)
    assert {len(code) for code in codes} == {43}


def test_serials_end() -> None:
    """Beyond a million cases of an item on a day there is a typed refusal, never a code of another form."""
    for serial, reason in ((MAX_SERIAL + 1, "SERIAL_EXHAUSTED"), (0, "CASE_CODE_SERIAL")):
        with pytest.raises(CaseCodeError) as caught:
            build(ITEM, date(2026, 1, 1), serial)
        assert reason == caught.value.reason


@given(st.dates(), st.integers(1, MAX_SERIAL))
def test_codes_read_back(day: date, serial: int) -> None:
    """Whatever is built is read back equal."""
    assert build(ITEM, day, serial) == parse(build(ITEM, day, serial).text)
