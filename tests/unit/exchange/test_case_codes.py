"""Case codes and licence identifiers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.domain import licences
from services.exchange.domain.case_codes import CaseCodeError, build, parse
from services.exchange.domain.licences import LicenceError, mod_37_36

ITEM = "12441500196720244T3442199806003"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


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


def test_serials_end() -> None:
    """After 9999 cases of an item on a day there is a typed refusal, never a code of another form."""
    assert build(ITEM, date(2026, 1, 1), 9999).text.endswith("9999")
    for serial, reason in ((10000, "SERIAL_EXHAUSTED"), (0, "CASE_CODE_SERIAL")):
        with pytest.raises(CaseCodeError) as caught:
            build(ITEM, date(2026, 1, 1), serial)
        assert reason == caught.value.reason


@given(st.dates(), st.integers(1, 9999))
def test_codes_read_back(day: date, serial: int) -> None:
    """Whatever is built is read back equal."""
    assert build(ITEM, day, serial) == parse(build(ITEM, day, serial).text)


@pytest.mark.parametrize("text", ["A12425GABC1234002M", "A1B2C3D4E5F6G7H8"])
def test_mod_37_36_against_published_samples(text: str) -> None:
    """The check of a Global Release Identifier (same ISO 7064 system) and stability of another text."""
    if text.startswith("A12425"):
        assert mod_37_36(text[:-1]) == text[-1]
    assert mod_37_36(text) in ALPHABET


LICENCES = st.builds(
    licences.build,
    st.text(ALPHABET, min_size=21, max_size=21),
    st.sampled_from(["150100", "12441500196720244T"]),
    st.text(ALPHABET, min_size=1, max_size=20),
    st.sampled_from(["001", "00A"]),
)


@given(LICENCES)
def test_licence_identifiers_read_back(licence: licences.LicenceId) -> None:
    """Issuers of six and of eighteen characters both work."""
    assert licences.parse(str(licence)) == licence
    assert len(licence.defining_authority) == 18


@given(LICENCES, st.data())
def test_one_wrong_character_in_a_licence_is_found(licence: licences.LicenceId, data: st.DataObject) -> None:
    """MOD 37,36 finds every single error in the serial."""
    place = data.draw(st.integers(0, len(licence.serial) - 1))
    mark = data.draw(st.sampled_from(ALPHABET))
    wrong = licence.serial[:place] + mark + licence.serial[place + 1 :]
    if wrong != licence.serial:
        text = str(licence).replace(f".{licence.serial}.{licence.version}.", f".{wrong}.{licence.version}.")
        with pytest.raises(LicenceError):
            licences.parse(text)


@pytest.mark.parametrize("text", ["", "1.2.156.3005.2", "1.2.156.3005.2.a.b.c.d.e", "1.2.156.3005.3.A.B.C.D.E"])
def test_no_licence(text: str) -> None:
    """What is no identifier is refused."""
    with pytest.raises(LicenceError):
        licences.parse(text)
