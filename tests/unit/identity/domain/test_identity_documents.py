"""Identity documents: the sample numbers of the standards, strictness, and what a refusal may say."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.domain.document_types import TYPES
from services.identity.domain.identity_documents import Document, DocumentError, Sex, check, check_uscc, mask, upgrade
from shuniu.national_numbers import PROVINCES, USCC_ALPHABET, citizen_check, uscc_check

BIRTHS = st.dates(date(1900, 1, 1), date(2026, 1, 1))
ORDERS = st.integers(1, 999)


def _with_check(body: str) -> str:
    return body + citizen_check(body)


def _citizen(province: str, birth: date, order: int) -> str:
    return _with_check(f"{province}0102{birth:%Y%m%d}{order:03d}")


def _reasons(type_code: str, number: str, **options: date) -> set[str]:
    with pytest.raises(DocumentError) as caught:
        check(type_code, number, **options)
    return {violation.reason for violation in caught.value.violations}


@pytest.mark.parametrize(
    ("type_code", "number"),
    [
        ("111", "11010519491231002X"),
        ("112", "440524188001010014"),
        ("154", "810000199408230021"),
        ("154", "830000199201300022"),
        ("154", "11010519491231002X"),
        ("553", "911124198108030024"),
        ("553", "932682198501010017"),
        ("553", "CAN110081080301"),
        ("811", "12441500196720244T"),
        ("821", "91350100M000100Y43"),
        ("414", "E12345678"),
        ("414", "EA1234567"),
        ("511", "01234567"),
        ("513", "C12345678"),
        ("513", "CA1234567"),
        ("516", "H12345678"),
        ("516", "M1234567800"),
        # Issued since July 2024 to permanent residents who are no Chinese citizens.
        ("516", "HA1234567"),
        ("516", "MA1234567"),
        ("517", "L12345678"),
        ("114", "军字第1234567号"),
        ("990", "内(2026)0001"),
        # Ideographs beyond U+9FFF stand in names of places and units.
        ("114", "㐂字第1234567号"),
        ("990", "𱁬(2026)0001"),
    ],
)
def test_valid_samples(type_code: str, number: str) -> None:
    """A number printed on a real kind of document is accepted unchanged."""
    assert number == check(type_code, number).normalised


@pytest.mark.parametrize(
    ("type_code", "number", "reason"),
    [
        ("111", "110105194912310021", "CHECK_DIGIT"),
        ("111", "11010519491231002", "NUMBER_LENGTH"),
        ("111", "810000199408230021", "DOCUMENT_TYPE_WRONG"),
        ("111", "1101051949123100X2", "NUMBER_CHARACTER"),
        ("154", "810000199408230022", "CHECK_DIGIT"),
        ("553", "911124198108030028", "CHECK_DIGIT"),
        ("553", "911156198108030024", "NATIONALITY_UNKNOWN"),
        ("553", "CA1110081080301", "NUMBER_FORM"),
        ("553", "11010519491231002X", "NUMBER_CHARACTER"),
        ("811", "12441500196720244U", "CHECK_DIGIT"),
        ("811", "12441500196720244O", "NUMBER_CHARACTER"),
        ("811", "1244150019672024", "NUMBER_LENGTH"),
        ("414", "E1234567890", "NUMBER_FORM"),
        ("513", "H12345678", "NUMBER_FORM"),
        ("516", "C12345678", "NUMBER_FORM"),
        ("111", "", "NUMBER_MISSING"),
        ("000", "11010519491231002X", "DOCUMENT_TYPE_UNKNOWN"),
        ("111", "１１０１０５１９４９１２３１００２Ｘ", "NUMBER_NOT_HALF_WIDTH"),
        ("111", "١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "NUMBER_NOT_HALF_WIDTH"),
        ("111", " 11010519491231002X", "NUMBER_HAS_SPACE"),
        ("111", "110105 19491231 002X", "NUMBER_HAS_SPACE"),
        ("111", "11010519491231002X\n", "NUMBER_HAS_SPACE"),
        ("111", "11010519491231002X\u200b", "NUMBER_CHARACTER"),
        ("111", "11010519491231002\u0425", "NUMBER_CHARACTER"),
        ("414", "E1234\x005678", "NUMBER_CHARACTER"),
        ("990", "9" * 65, "NUMBER_LENGTH"),
    ],
)
def test_invalid_samples(type_code: str, number: str, reason: str) -> None:
    """A wrong number is refused with the reason that tells what to mend."""
    assert reason in _reasons(type_code, number)


def test_small_x_is_lifted() -> None:
    """x and X are one number."""
    assert check("111", "11010519491231002X") == check("111", "11010519491231002x")


def test_fifteen_digits_become_eighteen() -> None:
    """The old form and the new form of one number give one document."""
    assert upgrade("110105491231002") == "11010519491231002X" == check("111", "110105491231002").normalised


@pytest.mark.parametrize("old", ["", "11010549123100", "1101054912310٠2", "11010549123100X"])
def test_upgrade_refuses_other_than_fifteen_digits(old: str) -> None:
    """Only fifteen ASCII digits are upgraded."""
    with pytest.raises(DocumentError):
        upgrade(old)


def test_every_violation_is_told_at_once() -> None:
    """Three faults in one number are three violations, so that a form is mended in one round."""
    assert {"DIVISION_UNKNOWN", "BIRTH_INVALID", "CHECK_DIGIT"} == _reasons("111", "990105194913310021")


def test_birth_in_the_future_needs_a_today() -> None:
    """A birth after today is refused when the caller says what today is."""
    number = _citizen("15", date(2030, 1, 1), 1)
    assert date(2030, 1, 1) == check("111", number).birth
    assert {"BIRTH_IN_FUTURE"} == _reasons("111", number, today=date(2029, 12, 31))


@given(st.sampled_from(sorted(PROVINCES)), BIRTHS, ORDERS)
def test_what_a_number_says(province: str, birth: date, order: int) -> None:
    """Division, birth and sex are read back from any well-formed number."""
    number = _citizen(province, birth, order)
    sex = Sex.MALE if order % 2 else Sex.FEMALE
    assert Document("111", number, birth, sex, f"{province}0102") == check("111", number)


@given(st.sampled_from(sorted(PROVINCES)), BIRTHS, ORDERS, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_one_wrong_character_is_always_found(province: str, birth: date, order: int, place: int, mark: str) -> None:
    """MOD 11-2 finds every single error (ISO 7064)."""
    number = _citizen(province, birth, order)
    wrong = number[:place] + mark + number[place + 1 :]
    if wrong != number:
        assert _reasons("111", wrong)


@given(st.sampled_from(sorted(PROVINCES)), BIRTHS, ORDERS, st.integers(0, 16))
def test_one_transposition_is_always_found(province: str, birth: date, order: int, place: int) -> None:
    """MOD 11-2 finds every exchange of neighbours."""
    number = _citizen(province, birth, order)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if swapped != number:
        assert _reasons("111", swapped)


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=9, max_size=9), st.sampled_from(["110000", "150100"]))
def test_organisation_codes(body: str, division: str) -> None:
    """Every code made by GB 32100 is accepted, every other check character is refused."""
    stem = "11" + division + body
    good = uscc_check(stem)
    assert stem + good == check_uscc(stem + good)
    for mark in USCC_ALPHABET:
        if mark != good:
            assert {"CHECK_DIGIT"} == _reasons("811", stem + mark)


@given(st.sampled_from([*sorted(TYPES), "", "999"]), st.text(max_size=70))
def test_any_text_is_answered_with_a_document_or_a_refusal(type_code: str, number: str) -> None:
    """No input makes the rules fail otherwise, and what is accepted reads back to itself."""
    try:
        document = check(type_code, number)
    except DocumentError:
        return
    assert document == check(type_code, document.normalised)


@given(st.sampled_from(sorted(TYPES)), st.text("0123456789XABC", min_size=7, max_size=30))
def test_no_text_holds_the_number(type_code: str, number: str) -> None:
    """Neither a refusal nor a document's repr can leak the number into a log."""
    try:
        said = repr(check(type_code, number))
    except DocumentError as refusal:
        said = repr(refusal) + str(refusal) + "".join(each.en + each.zh for each in refusal.violations)
    assert number not in said


@given(st.text(max_size=40))
def test_mask_keeps_the_length_and_two_characters_at_most(number: str) -> None:
    """Birth and order never show."""
    masked = mask(number)
    assert len(number) == len(masked)
    assert set(masked[1:-1]) <= {"*"}
    assert mask("11010519491231002X") == "1****************X"
    assert mask("12345") == "*****"
