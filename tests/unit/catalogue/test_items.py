"""Items: rules of the fields, canonical bytes, and the way to the public."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.domain import publishing
from services.catalogue.domain.canonical import CanonicalError, canonical, digest, restore
from services.catalogue.domain.codes import Codes, Level
from services.catalogue.domain.item_rules import ItemError, require_valid, validate
from services.catalogue.domain.items import (
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
from services.catalogue.domain.publishing import MOVES, Action, PublishingError, Record, State, act, create, edit

AGENCY = "12441500196720244T"
CONTENT = Content(
    name="无犯罪记录证明",
    type=ItemType.PUBLIC_SERVICE,
    service_objects=frozenset({ServiceObject.PERSON}),
    legal_basis=("公安机关办理犯罪记录查询工作规定",),
    aliases=("无犯罪证明",),
    conditions="本人申请",
    flow="申请、受理、查询、开具",
    statutory_limit=Limit(3),
    promised_limit=Limit(1),
    forms=frozenset({Form.COMPUTER, Form.MOBILE}),
    online=True,
    phones=Phones("0471-12345", "12389"),
    result_name="无犯罪记录证明",
    materials=(Material("居民身份证", issuer="公安机关", source="shared"),),
    faqs=(Faq("要去现场吗？", "不用。"),),
)
BASE = BaseItem("01ARZ3NDEKTSV4RRFFQ69G5FAV", Codes(b="442199806003"), AGENCY, CONTENT)
ITEM = ImplementingItem(
    id="01ARZ3NDEKTSV4RRFFQ69G5FAW",
    base_id=BASE.id,
    codes=Codes(b=AGENCY + "3442199806003"),
    division="150100",
    level=Level.CITY,
    agency=AGENCY,
    agency_name="某市公安局",
    handler="150100-ga",
    content=CONTENT,
    plan_effective=date(2026, 1, 1),
)


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


def _published() -> Record:
    record = act(create(ITEM, "alice", 1), Action.SUBMIT, "alice", 2)
    return act(record, Action.PUBLISH, "bob", 3)


def test_two_persons_publish() -> None:
    """Nobody publishes what they edited or submitted, not even through an earlier edit."""
    record = create(ITEM, "alice", 1)
    record = edit(record, ITEM, "bob", 2)
    record = act(record, Action.SUBMIT, "carol", 3)
    for actor in ("alice", "bob", "carol", ""):
        with pytest.raises(PublishingError) as caught:
            act(record, Action.PUBLISH, actor, 4)
        assert caught.value.reason == "SECOND_PERSON_NEEDED"
    assert act(record, Action.PUBLISH, "dave", 4).visible == ITEM


def test_an_edit_leaves_the_public_its_item() -> None:
    """People see the last published content until the next one passes."""
    newer = replace(ITEM, agency_name="新名称")
    record = edit(_published(), newer, "alice", 4)
    assert (record.state, record.visible) == (State.DRAFT, ITEM)
    record = act(act(record, Action.SUBMIT, "alice", 5), Action.PUBLISH, "bob", 6)
    assert (State.PUBLISHED, newer, 6) == (record.state, record.visible, record.version)


def test_suspended_and_withdrawn_items_are_not_served() -> None:
    """A suspension holds through an edit, a withdrawal for ever."""
    record = act(_published(), Action.SUSPEND, "bob", 4, note="系统升级")
    assert record.visible is None
    assert edit(record, ITEM, "alice", 5).visible is None
    assert act(record, Action.RESUME, "bob", 5).visible == ITEM
    gone = act(record, Action.WITHDRAW, "bob", 5, note="取消")
    assert gone.visible is None
    for action in Action:
        assert (gone.state, action) not in MOVES


def test_an_incomplete_item_stays_a_draft() -> None:
    """Drafts may be incomplete; submitting tells every violation."""
    record = create(replace(ITEM, content=replace(CONTENT, flow="", conditions="")), "alice", 1)
    with pytest.raises(ItemError) as caught:
        act(record, Action.SUBMIT, "alice", 2)
    assert {each.field for each in caught.value.violations} == {"flow", "conditions"}


def test_reasons_and_etags() -> None:
    """Setbacks need a reason; a stale etag is refused."""
    record = _published()
    with pytest.raises(PublishingError) as caught:
        act(record, Action.SUSPEND, "bob", 4)
    assert caught.value.reason == "REASON_MISSING"
    suspended = act(record, Action.SUSPEND, "bob", 4, note="x", etag=record.etag)
    with pytest.raises(PublishingError) as caught:
        act(suspended, Action.RESUME, "bob", 5, etag=record.etag)
    assert caught.value.reason == "ETAG_MISMATCH"


def test_another_item_is_no_edit() -> None:
    """An edit keeps the id and the kind."""
    for other in (replace(ITEM, id="01ARZ3NDEKTSV4RRFFQ69G5FAX"), replace(BASE, id=ITEM.id)):
        with pytest.raises(PublishingError):
            edit(create(ITEM, "alice", 1), other, "alice", 2)
    with pytest.raises(PublishingError):
        act(create(ITEM, "alice", 1), Action.EDIT, "alice", 2)


@given(st.lists(st.tuples(st.sampled_from(Action), st.sampled_from(["alice", "bob", "carol"])), max_size=12))
def test_any_sequence_of_moves_keeps_the_promises(steps: list[tuple[Action, str]]) -> None:
    """Whatever is tried: only table moves happen, versions rise by one, and the public sees only a second person's
    work.
    """
    record = create(ITEM, "alice", 1)
    for now, (action, actor) in enumerate(steps, start=2):
        try:
            changed = (
                edit(record, ITEM, actor, now) if action is Action.EDIT else act(record, action, actor, now, note="x")
            )
        except PublishingError:
            continue
        assert MOVES[record.state, action] is changed.state
        assert record.version + 1 == changed.version
        assert record.etag != changed.etag
        if action is Action.PUBLISH:
            assert changed.published_by not in changed.editors
        record = changed
    assert publishing.MOVES is MOVES
