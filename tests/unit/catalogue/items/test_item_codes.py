"""Item codes of both national schemes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.items.domain.codes import (
    CodeError,
    Codes,
    Kind,
    Level,
    Scheme,
    check_codes,
    parse,
)
from shuniu.national_numbers import is_uscc

AGENCY = "12441500196720244T"
SAMPLE = "12441500196720244T3442199806003"


def test_the_published_sample() -> None:
    """The sample of GB/T 39554.1 falls into agency, level and base code."""
    code = parse(SAMPLE)
    assert (code.scheme, code.kind) == (Scheme.B, Kind.IMPLEMENTING)
    assert (code.agency, code.level, code.base) == (AGENCY, Level.CITY, "442199806003")


@pytest.mark.parametrize(
    ("text", "scheme", "kind"),
    [
        ("1509000100", Scheme.A, Kind.BASE),
        ("150900010015010000000001", Scheme.A, Kind.IMPLEMENTING),
        ("442199806003", Scheme.B, Kind.BASE),
        (SAMPLE + "01", Scheme.B, Kind.HANDLING),
    ],
)
def test_length_tells_the_form(text: str, scheme: Scheme, kind: Kind) -> None:
    """No two forms share a length."""
    assert (scheme, kind) == (parse(text).scheme, parse(text).kind)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ["CODE_LENGTH"]),
        (SAMPLE[:-1], ["CODE_LENGTH"]),
        ("4421998060-3", ["CODE_CHARACTER"]),
        ("４４２１９９８０６００３", ["CODE_CHARACTER"]),
        ("12441500196720244U9442199806003", ["CODE_AGENCY", "CODE_LEVEL"]),
    ],
)
def test_refusals_tell_every_fault(text: str, reasons: list[str]) -> None:
    """A wrong code is refused with all of its faults."""
    with pytest.raises(CodeError) as caught:
        parse(text)
    assert reasons == [each.reason for each in caught.value.violations]


def test_names_of_an_item() -> None:
    """Both schemes and local codes live side by side; each is checked for its own place."""
    assert check_codes(Codes(b="442199806003", a="1509000100", local=("ga-17",)), Kind.BASE) == []
    assert [each.reason for each in check_codes(Codes(), Kind.BASE)] == ["CODE_MISSING"]
    assert [each.reason for each in check_codes(Codes(a="442199806003"), Kind.BASE)] == ["CODE_KIND"]
    assert [each.reason for each in check_codes(Codes(b=SAMPLE), Kind.BASE)] == ["CODE_KIND"]
    assert [each.field for each in check_codes(Codes(b="442199806003", local=("a b",)), Kind.BASE)] == [
        "codes.local[0]"
    ]
    assert [each.reason for each in check_codes(Codes(local=("x", "x"), a="1509000100"), Kind.BASE)] == [
        "CODE_REPEATED"
    ]


@given(st.text(max_size=40))
def test_any_text_is_answered(text: str) -> None:
    """No input makes the rules fail otherwise; what is accepted reads back to itself."""
    try:
        code = parse(text)
    except CodeError:
        return
    assert code == parse(code.text)


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_in_the_agency_is_found(place: int, mark: str) -> None:
    """The check of GB 32100 finds every single error."""
    wrong = AGENCY[:place] + mark + AGENCY[place + 1 :]
    assert is_uscc(wrong) == (wrong == AGENCY)
