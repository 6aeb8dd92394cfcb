"""National numbers: one table for what identity accepts and what exchange keeps out of texts."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.domain.identity_numbers import holds_identity_number
from services.identity.domain import identity_documents
from shuniu.national_numbers import PROVINCES, RESIDENCE_PREFIXES, birth_date, citizen_check, is_uscc, upwards

BEGINNINGS = st.one_of(
    st.tuples(st.just("111"), st.sampled_from(sorted(PROVINCES)).map(lambda code: code + "0102")),
    st.tuples(st.just("154"), st.sampled_from(sorted(RESIDENCE_PREFIXES))),
    st.tuples(st.just("553"), st.sampled_from(sorted(PROVINCES)).map(lambda code: f"9{code}840")),
)
DAYS = st.dates(date(1880, 1, 1), date(2026, 1, 1))


def _number(beginning: str, day: date, order: int = 2) -> str:
    body = f"{beginning}{day:%Y%m%d}{order:03d}"
    return body + citizen_check(body)


@given(BEGINNINGS, DAYS, st.integers(0, 999))
def test_what_identity_accepts_exchange_finds(beginning: tuple[str, str], day: date, order: int) -> None:
    """No number that a person can register with passes as ordinary text."""
    kind, prefix = beginning
    number = _number(prefix, day, order)
    # An all-digit card has no check character X.
    if kind != "553" or number[-1] != "X":
        assert identity_documents.check(kind, number).normalised == number
    assert holds_identity_number(f"号码{number}。")


@pytest.mark.parametrize("prefix", ["810101", "820001", "830101", "160101", "983840"])
def test_what_is_no_division_begins_no_number(prefix: str) -> None:
    """GB/T 2260 knows 81 and 82 as wholes and no 83; permits of Taiwan residents begin with 830000 and nothing near it."""
    number = _number(prefix, date(1990, 1, 1))
    assert not holds_identity_number(number)
    for kind in ("111", "154", "553"):
        with pytest.raises(identity_documents.DocumentError):
            identity_documents.check(kind, number)


def test_organisation_codes() -> None:
    """Length, alphabet and check character of GB 32100."""
    assert is_uscc("12441500196720244T")
    assert not any(map(is_uscc, ("", "12441500196720244t", "12441500196720244U", "I2441500196720244T", "1" * 17)))


def test_dates_of_birth() -> None:
    """A day of the calendar, and not before anybody alive."""
    assert birth_date("20000229") == date(2000, 2, 29)
    assert [birth_date(text) for text in ("19000229", "18791231", "00000000")] == [None, None, None]


def test_levels_of_a_division() -> None:
    """County, city, province; each once."""
    assert upwards("150102") == ("150102", "150100", "150000")
    assert upwards("150100") == ("150100", "150000")
    assert upwards("150000") == ("150000",)
