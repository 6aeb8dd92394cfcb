"""Types of licences as data: what they ask for, what they hold, and ages by the calendar."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.esign.domain.errors import LicenceImpossibleError, LicenceStateError, LicenceUnfitError
from services.esign.licences.domain import types as licences
from services.esign.licences.domain.sd_jwt import Hidden, Padded
from services.esign.licences.domain.types import LicenceState, ages_reached, fill, move, read_type
from tests.support.licences import FACTS, PERSON, TYPES, licence_type

TODAY = date(2026, 6, 1)
DATES = st.dates(date(1900, 1, 1), date(2020, 12, 31))


@pytest.mark.parametrize(
    ("birth", "today", "reached"),
    [
        # 法释〔2006〕1 号 第二条：从周岁生日的第二天起算。
        (date(2008, 6, 1), TODAY, (14, 16)),
        (date(2008, 5, 31), TODAY, (14, 16, 18)),
        (date(2008, 2, 29), date(2026, 2, 28), (14, 16)),
        (date(2008, 2, 29), date(2026, 3, 1), (14, 16, 18)),
        (date(1966, 5, 31), TODAY, (14, 16, 18, 60)),
        (date(2026, 5, 31), TODAY, ()),
    ],
)
def test_ages(birth: date, today: date, reached: tuple[int, ...]) -> None:
    """An age counts from the day after the birthday, also for those born on 29 February."""
    assert ages_reached(birth, today, (14, 16, 18, 60)) == reached


@given(DATES, st.integers(0, 40_000), st.integers(0, 40_000))
def test_an_age_reached_stays_reached(birth: date, days: int, more: int) -> None:
    """No predicate that was true when the licence was issued is false later: an old licence never lies."""
    first, later = birth + timedelta(days), birth + timedelta(days + more)
    assert set(ages_reached(birth, first, (14, 16, 18, 60))) <= set(ages_reached(birth, later, (14, 16, 18, 60)))


@pytest.mark.parametrize("path", sorted(TYPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_type_that_ships(path: Any) -> None:
    """Every data file reads, asks the vault for no more than it prints, and hides what is personal."""
    found = licence_type(path.stem)
    personal = {claim.name for claim in found.claims if claim.source.startswith("person.")}
    assert personal <= {claim.name for claim in found.claims if claim.hidden}
    assert set(found.person_fields) <= {"full_name", "document_type", "document_number", "birth_date"}
    assert all(claim.zh and claim.en for claim in found.claims)
    facts = dict.fromkeys(found.facts, "值") | {
        claim.name: "2020-01-01" for claim in found.claims if claim.kind is licences.Kind.DATE
    }
    claims = fill(found, "N1", PERSON, facts, TODAY)
    assert isinstance(claims[licences.AGES], Padded)
    assert claims[licences.AGES].digests == len(found.ages)


def test_elements_and_members_hide_one_by_one() -> None:
    """Vehicle classes hide element by element; an address as a whole and member by member."""
    driving = fill(
        licence_type("driving_licence"),
        "N1",
        PERSON,
        {"vehicle_classes": "C1、D", "first_issued_on": "2020-01-01"},
        TODAY,
    )
    assert driving["vehicle_classes"] == Hidden([Hidden("C1"), Hidden("D")])
    permit = fill(licence_type(), "N1", PERSON, FACTS, TODAY)
    assert set(permit["address"].value) == {"region", "street_address"}
    assert all(isinstance(member, Hidden) for member in permit["address"].value.values())


@pytest.mark.parametrize(
    ("facts", "field", "names"),
    [
        ({"region": "x"}, "missing", "street_address"),
        ({**FACTS, "region": " "}, "missing", "region"),
        ({**FACTS, "full_name": "李四"}, "unknown", "full_name"),
        ({**FACTS, "region": "x\n"}, "malformed", "region"),
        ({**FACTS, "region": "x" * 201}, "malformed", "region"),
        ({**FACTS, "region": "\u202ex"}, "malformed", "region"),
    ],
)
def test_facts_that_do_not_fit(facts: dict[str, str], field: str, names: str) -> None:
    """The refusal names each fact that is missing, unknown or malformed; nobody prints another name than the vault's."""
    with pytest.raises(LicenceUnfitError) as refused:
        fill(licence_type(), "N1", PERSON, facts, TODAY)
    assert refused.value.fields[field] == names


def test_person_without_birthday() -> None:
    """Where the register does not know the date of birth there are no ages and no licence that needs them."""
    with pytest.raises(LicenceImpossibleError) as refused:
        fill(licence_type(), "N1", {**PERSON, "birth_date": ""}, FACTS, TODAY)
    assert (refused.value.reason, refused.value.fields["missing"]) == ("PERSON_DATA_LACKING", "birth_date")


def test_life() -> None:
    """VALID ⇄ SUSPENDED → REVOKED, and nothing after that."""
    assert move(LicenceState.VALID, LicenceState.SUSPENDED) is LicenceState.SUSPENDED
    assert move(LicenceState.SUSPENDED, LicenceState.VALID) is LicenceState.VALID
    for now in (LicenceState.VALID, LicenceState.SUSPENDED):
        assert move(now, LicenceState.REVOKED) is LicenceState.REVOKED
    for now, wanted in (
        (LicenceState.REVOKED, LicenceState.VALID),
        (LicenceState.REVOKED, LicenceState.SUSPENDED),
        (LicenceState.VALID, LicenceState.VALID),
    ):
        with pytest.raises(LicenceStateError):
            move(now, wanted)


GOOD = """
vct = "urn:x:1"
title = "证"
title_en = "x"
results = ["r"]
valid_days = 1
ages = []
[[claim]]
name = "region"
zh = "区"
en = "Region"
from = "fact"
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('vct = "urn:x:1"', 'vct = "https://x"'),
        ('title = "证"', ""),
        ('results = ["r"]', "results = []"),
        ("valid_days = 1", "valid_days = 0"),
        ('name = "region"', 'name = "exp"'),
        ('name = "region"', 'name = "_sd"'),
        ('name = "region"', 'name = "age_equal_or_over"'),
        ('from = "fact"', 'from = "anywhere"'),
        ('from = "fact"', 'from = "fact"\nreveal = "never"'),
        ('from = "fact"', 'from = "fact"\nkind = "float"'),
        ('from = "fact"', 'from = "fact"\nsecret = true'),
        ("ages = []", "ages = []\nother = 1"),
    ],
)
def test_type_file_with_a_mistake(old: str, new: str) -> None:
    """A mistake in a data file is found when it is read, not when somebody asks for a licence."""
    assert read_type("good", GOOD).facts == ("region",)
    with pytest.raises(ValueError, match=r".+"):
        read_type("good", GOOD.replace(old, new))
