"""The region's data: complete, sourced, and valid by the services' own rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.inner_mongolia import check_digits, load, people
from examples.inner_mongolia.load import NINE_CITIES, NO_RECORD_CERTIFICATE, DataError, Region
from examples.inner_mongolia.people import RARE, Person
from services.catalogue.domain import divisions
from services.catalogue.items.domain import codes
from services.catalogue.items.domain.item import (
    BaseItem,
    Content,
    Form,
    ImplementingItem,
    ItemType,
    Level,
    Limit,
    Material,
    Phones,
    ServiceObject,
)
from services.catalogue.items.domain.rules import validate
from services.catalogue.search.domain.matching import Document, plan, score
from services.exchange.cases.domain import codes as case_codes
from services.exchange.domain.time_limits import calendar_from
from services.identity.domain import identity_documents, names
from shuniu import national_numbers
from shuniu.national_numbers import is_uscc


@pytest.fixture(scope="module")
def region() -> Region:
    return load.load()


def test_the_region_is_whole(region: Region) -> None:
    """Twelve leagues and cities, seventeen platforms, ninety matters, a bureau for each division."""
    assert [each.code for each in region.divisions] == [
        "150000",
        *("150100", "150200", "150300", "150400", "150500", "150600", "150700", "150800", "150900"),
        *("152200", "152500", "152900"),
    ]
    assert len(region.platforms) == 17
    assert len(region.items) >= 60
    assert {each.division for each in region.agencies} == {each.code for each in region.divisions}


def test_each_city_bureau_is_a_platform(region: Region) -> None:
    """An agency's platform is linked; the department's own platform is the hub's operator and not among the
    seventeen.
    """
    linked = {each.code for each in region.platforms}
    assert {each.platform for each in region.agencies} - linked == {"150000-ga"}


def test_the_main_job_is_there(region: Region) -> None:
    """The certificate has a base item and an implementing item for each of the nine cities."""
    assert tuple(each.division for each in region.implementing_of(NO_RECORD_CERTIFICATE)) == NINE_CITIES
    assert len(set(NINE_CITIES)) == 9
    assert region.item(NO_RECORD_CERTIFICATE).source["name"] == "announcement-1"
    with pytest.raises(KeyError):
        region.item("没有的事项")


def test_each_field_says_where_it_comes_from(region: Region) -> None:
    """Names come from announcements, invented codes say so."""
    for item in region.items:
        assert item.source["name"].startswith("announcement-")
        assert item.is_illustrative("code_b")
        assert not item.is_illustrative("name")


def test_codes_are_valid_by_the_services_rules(region: Region) -> None:
    """The example's own check digits agree with identity's and catalogue's, and make case codes."""
    for agency in region.agencies:
        assert is_uscc(agency.uscc)
        assert identity_documents.check_uscc(agency.uscc) == agency.uscc
        assert divisions.normalise(agency.division) == agency.division
    for each in region.implementing:
        code = codes.parse(each.code_b)
        assert (each.agency.uscc, each.item.code_b) == (code.agency, code.base)
        assert codes.parse(each.code_a).scheme is codes.Scheme.A
        assert case_codes.parse(each.code_b + "202611210001").implementing == each.code_b


def _content(each: load.ImplementingItem) -> Content:
    item = each.item
    return Content(
        name=item.name,
        type=ItemType(item.type),
        service_objects=frozenset(map(ServiceObject, item.service_objects)),
        legal_basis=item.legal_basis,
        aliases=item.aliases,
        conditions=item.conditions,
        flow=item.flow,
        statutory_limit=Limit(item.statutory_days),
        promised_limit=Limit(item.promised_days),
        forms=frozenset(map(Form, item.forms)),
        online=item.online,
        visits=item.visits,
        min_assurance=item.min_assurance,
        phones=Phones(each.agency.enquiries, each.agency.complaints),
        result_name=item.result_name,
        materials=tuple(map(Material, item.materials)),
    )


def test_items_pass_the_catalogue(region: Region) -> None:
    """Every item of the region may be published as it is."""
    some_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for each in region.implementing:
        content = _content(each)
        base = BaseItem(some_id, codes.Codes(each.item.code_a, each.item.code_b), region.agency("150000").uscc, content)
        assert validate(base) == ()
        implementing = ImplementingItem(
            id=some_id,
            base_id=some_id,
            codes=codes.Codes(each.code_a, each.code_b),
            division=each.division,
            level=Level(each.agency.level),
            agency=each.agency.uscc,
            agency_name=each.agency.name,
            handler=each.agency.platform,
            content=content,
        )
        assert validate(implementing) == ()


@pytest.mark.parametrize("query", ["无犯罪", "良民证", "wfz", "个人无犯罪记录证明"])
def test_people_find_the_certificate(region: Region, query: str) -> None:
    """The words people use lead to the certificate first."""
    asked = plan(query)
    found = sorted(
        region.items,
        key=lambda item: -score(asked, Document((item.code_b,), item.name, item.aliases)),
    )
    assert found[0].name == NO_RECORD_CERTIFICATE


def test_the_calendar_loads(region: Region) -> None:
    """The holiday file is a calendar of the legal clock."""
    calendar = calendar_from(region.calendar)
    assert calendar.region == "150000"
    assert 2026 in calendar.years
    assert all(day.weekday() >= 5 for day in calendar.workdays)


def test_faulty_data_are_told_at_once(region: Region, tmp_path: Path) -> None:
    """Every fault of the files is listed; a broken file names itself."""
    for name in ("sources", "divisions", "agencies", "platforms", "holidays", "items"):
        text = (load.HERE / f"{name}.toml").read_text("utf-8")
        if name == "agencies":
            text = text.replace(region.agencies[0].uscc, region.agencies[0].uscc[:-1] + "#")
        if name == "items":
            text = text.replace('name = "announcement-5"', 'name = "hearsay"').replace(
                "min_assurance = 2", "min_assurance = 9"
            )
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    with pytest.raises(DataError) as caught:
        load.load(tmp_path)
    assert any("credit code" in each for each in caught.value.problems)
    assert any("hearsay" in each for each in caught.value.problems)
    assert any("assurance" in each for each in caught.value.problems)
    (tmp_path / "items.toml").write_text("[[", "utf-8")
    with pytest.raises(DataError) as caught:
        load.load(tmp_path)
    assert "items.toml" in caught.value.problems[0]


def test_the_command_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Checking the files by hand is one command."""
    assert load.main() == 0
    assert "17 platforms" in capsys.readouterr().out


def _is_sound(person: Person) -> bool:
    document = identity_documents.check(person.document_type, person.number)
    return (document.normalised, document.birth) == (person.number, person.birth) and document.sex == person.sex


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_synthetic_people_are_valid_and_repeatable(seed: int, count: int) -> None:
    """Each number and name passes identity's rules, no number repeats, and a seed gives the same people again."""
    made = people.people(count, seed=seed)
    assert made == people.people(count, seed=seed)
    assert all(_is_sound(person) and names.check(person.name).text == person.name for person in made)
    assert len({person.number for person in made}) == count
    assert all(person.synthetic for person in made)
    assert not any(person.with_record for person in made)


def test_the_ninety_of_the_demo() -> None:
    """Ten people a city; rare characters, middle dots, foreign residents and residence permits among them."""
    made = people.people(90)
    assert dict.fromkeys(NINE_CITIES, 10) == {
        city: sum(person.division == city for person in made) for city in NINE_CITIES
    }
    written = "".join(person.name for person in made)
    assert all(mark in written for mark in "䶮㛃𬭎")
    assert any("·" in person.name for person in made)
    assert {"111", "553", "154"} == {person.document_type for person in made}
    assert {"810000", "820000", "830000"} == {person.number[:6] for person in made if person.document_type == "154"}
    assert all(set(person.name) - set(RARE) for person in made)


def test_citizen_numbers_belong_to_nobody() -> None:
    """The county code was never assigned."""
    assert all(person.number[4:6] == "99" for person in people.people(200) if person.document_type == "111")


def test_people_with_a_record_are_asked_for() -> None:
    """The refusal path is there when wanted, with the same people otherwise."""
    made = people.people(90, with_record=3)
    assert [person.with_record for person in made].count(True) == 3
    assert tuple(replace(person, with_record=False) for person in made) == people.people(90)
    with pytest.raises(ValueError, match="with_record"):
        people.people(1, with_record=2)


@given(st.text("0123456789", min_size=17, max_size=17))
def test_the_check_digits_of_example_and_hub_agree(body: str) -> None:
    """Written twice, from the standard, with one result."""
    assert national_numbers.citizen_check(body) == check_digits.citizen_check(body)
    assert national_numbers.uscc_check(body) == check_digits.uscc_check(body)
