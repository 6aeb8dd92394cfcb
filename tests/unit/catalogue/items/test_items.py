"""Items: rules of the fields, and canonical bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.items.domain.canonical import CanonicalError, canonical, digest, restore
from services.catalogue.items.domain.item import (
    AgencyNature,
    BaseItem,
    CaseType,
    Content,
    Faq,
    Fee,
    Form,
    ImplementingItem,
    ItemType,
    Limit,
    LimitUnit,
    Material,
    Phones,
    Provenance,
    ServiceObject,
)
from services.catalogue.items.domain.rules import ItemError, require_valid, validate
from tests.support.catalogue_items import AGENCY, BASE, CONTENT, ITEM


def _faults(item: BaseItem | ImplementingItem) -> set[tuple[str, str]]:
    return {(each.field, each.reason) for each in validate(item)}


def test_a_complete_item_passes() -> None:
    """An item as the standard wants it has no violation."""
    assert validate(BASE) == ()
    assert validate(ITEM) == ()


def test_every_violation_is_told_at_once() -> None:
    """A bureau mends everything in one round."""
    content = replace(
        CONTENT,
        name="",
        service_objects=frozenset(),
        promised_limit=Limit(5),
        fee=Fee(amount_fen=100),
        visits=-1,
        min_assurance=5,
        phones=Phones("打电话", ""),
        materials=(Material("甲"), Material("甲", copies=-1)),
        conditions="a\x00b",
        flow="",
    )
    wrong = replace(
        ITEM,
        id="x",
        content=content,
        division="15",
        agency="12441500196720244U",
        agency_nature=AgencyNature.ENTRUSTED,
        plan_cancel=date(2025, 1, 1),
    )
    assert _faults(wrong) == {
        ("id", "ID_FORM"),
        ("codes.b", "CODE_AGENCY"),
        ("division", "DIVISION_FORM"),
        ("agency", "USCC_INVALID"),
        ("entrusted_by", "FIELD_MISSING"),
        ("plan_cancel", "DATES_REVERSED"),
        ("name", "FIELD_MISSING"),
        ("service_objects", "FIELD_MISSING"),
        ("promised_limit", "PROMISE_LONGER_THAN_LAW"),
        ("fee.basis", "FIELD_MISSING"),
        ("visits", "VALUE_RANGE"),
        ("min_assurance", "VALUE_RANGE"),
        ("phones.enquiries", "PHONE_FORM"),
        ("phones.complaints", "FIELD_MISSING"),
        ("materials[1]", "ROW_REPEATED"),
        ("materials[1].copies", "VALUE_RANGE"),
        ("conditions", "TEXT_CONTROL"),
        ("flow", "FIELD_MISSING"),
    }
    with pytest.raises(ItemError):
        require_valid(wrong)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": "名" * 201}, ("name", "TEXT_TOO_LONG")),
        ({"case_type": CaseType.IMMEDIATE, "promised_limit": Limit(2)}, ("promised_limit", "IMMEDIATE_HAS_LIMIT")),
        ({"online_payment": True}, ("online_payment", "NOTHING_TO_PAY")),
        ({"forms": frozenset({Form.COUNTER})}, ("visits", "COUNTER_NEEDS_VISIT")),
        ({"forms": frozenset({Form.COURIER})}, ("forms", "ONLINE_WITHOUT_FORM")),
        ({"statutory_limit": Limit(1001)}, ("statutory_limit.value", "VALUE_RANGE")),
        ({"aliases": tuple(str(n) for n in range(201))}, ("aliases", "TOO_MANY_ROWS")),
        ({"faqs": (Faq("", "x"),)}, ("faqs[0].question", "FIELD_MISSING")),
        ({"guide": "a\u202eb"}, ("guide", "TEXT_CONTROL")),
        ({"result_template": "../x"}, ("result_template", "NAME_FORM")),
        ({"sources": (Provenance("name", "a"), Provenance("name", "b"))}, ("sources[1]", "ROW_REPEATED")),
    ],
)
def test_single_rules(change: dict[str, object], fault: tuple[str, str]) -> None:
    """Each rule names its field."""
    assert fault in _faults(replace(ITEM, content=replace(CONTENT, **change)))


def test_other_units_are_not_compared() -> None:
    """One hour is not longer than three working days."""
    assert _faults(replace(ITEM, content=replace(CONTENT, promised_limit=Limit(5, LimitUnit.HOUR)))) == set()


def test_canonical_bytes_do_not_depend_on_spelling_or_order() -> None:
    """One item has one digest: sets have no order, texts are NFC."""
    spelled = replace(CONTENT, conditions="Jose\u0301", forms=frozenset([Form.MOBILE, Form.COMPUTER]))
    again = replace(CONTENT, conditions="José", forms=frozenset([Form.COMPUTER, Form.MOBILE]))
    assert digest(replace(ITEM, content=spelled)) == digest(replace(ITEM, content=again))
    assert digest(ITEM) != digest(replace(ITEM, division="150200"))
    assert digest(ITEM) != digest(replace(ITEM, content=replace(CONTENT, visits=1)))


@pytest.mark.parametrize(
    "other",
    [
        replace(ITEM, handler="150200-ga"),
        replace(ITEM, content=replace(CONTENT, result_template="no_criminal_record")),
        replace(ITEM, content=replace(CONTENT, sources=(Provenance("name", "illustrative"),))),
        replace(ITEM, content=replace(CONTENT, promised_limit=Limit(1, LimitUnit.DAY))),
        replace(ITEM, content=replace(CONTENT, guide="带身份证")),
    ],
)
def test_the_digest_covers_what_cases_depend_on(other: ImplementingItem) -> None:
    """Two copies that differ in handler, template, provenance, unit or guide have different digests, and come back."""
    assert digest(ITEM) != digest(other)
    assert restore(canonical(other)) == other


def test_canonical_bytes_are_frozen() -> None:
    """Digests of stored items survive a release: this one is pinned."""
    small = BaseItem(BASE.id, BASE.codes, AGENCY, Content("名", ItemType.PERMIT, frozenset({ServiceObject.PERSON})))
    assert canonical(small).decode() == (
        '{"item":{"codes":{"b":"442199806003"},"content":{"case_type":"2","fee":{"amount_fen":0},"min_assurance":2,'
        '"name":"名","service_objects":["1"],"type":"01","visits":0},"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV",'
        '"owner":"12441500196720244T"},"kind":"base"}'
    )


CONTENTS = st.builds(
    Content,
    name=st.text(min_size=1, max_size=5),
    type=st.sampled_from(ItemType),
    service_objects=st.frozensets(st.sampled_from(ServiceObject)),
    aliases=st.lists(st.text(max_size=3), max_size=3).map(tuple),
    promised_limit=st.none() | st.builds(Limit, st.integers(0, 9), st.sampled_from(LimitUnit)),
    online=st.booleans(),
    materials=st.lists(st.builds(Material, st.text(max_size=3), form=st.text(max_size=3)), max_size=2).map(tuple),
)


@given(CONTENTS, st.none() | st.dates())
def test_canonical_bytes_give_the_item_back(content: Content, day: date | None) -> None:
    """The stored bytes are the whole item."""
    item = replace(ITEM, content=content, plan_cancel=day)
    again = restore(canonical(item))
    assert canonical(item) == canonical(again)
    assert digest(item) == digest(again)


@pytest.mark.parametrize(
    "stored", [b"", b"{}", b"[]", b'{"kind":"base","item":{}}', b'{"kind":"other","item":{}}', b"\xff"]
)
def test_other_bytes_are_refused(stored: bytes) -> None:
    """What is no item is refused with a typed error."""
    with pytest.raises(CanonicalError):
        restore(stored)
