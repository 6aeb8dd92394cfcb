"""Items on the wire and in the domain are the same items."""

import contextlib

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from services.catalogue.items.domain.canonical import canonical, restore
from services.catalogue.items.domain.item import (
    AgencyNature,
    CaseType,
    Form,
    Requirement,
    ServiceObject,
    SpecialProcedure,
)
from services.catalogue.items.domain.rules import validate
from services.catalogue.items.messages import item_of, message_of, wire_field
from shuniu.api.catalogue.v1 import item_pb2
from shuniu.rules import RuleError

ID, BASE_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"
BASE_CODE = "442199806003"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
LINES = st.lists(st.text("abc法律", min_size=1, max_size=5), max_size=3).map("\n".join)


def codes(kind):
    return st.lists(st.sampled_from([each.value for each in kind]), unique=True).map(sorted)


LIMIT = st.builds(
    item_pb2.TimeLimit, amount=st.integers(0, 50), unit=st.sampled_from(["working_day", "day"]), note=TEXT
)
MATERIAL = st.builds(
    item_pb2.Material,
    name=TEXT,
    issuer=TEXT,
    form=TEXT,
    copies=st.integers(0, 9),
    source=TEXT,
    requirement=st.sampled_from([each.value for each in Requirement]),
    note=TEXT,
)
ITEM = st.builds(
    item_pb2.Item,
    id=st.just(ID),
    level=st.just(item_pb2.ITEM_LEVEL_IMPLEMENTING),
    title=TEXT,
    code=TEXT,
    code_39046=TEXT,
    local_codes=st.lists(TEXT, max_size=2),
    base_code=st.just(BASE_CODE),
    type=st.just("20"),
    exercise_level=st.sampled_from("1234567"),
    division=st.sampled_from(["150100", "150102001", ""]),
    agency_uscc=TEXT,
    agency_name=TEXT,
    agency_nature=codes(AgencyNature).filter(bool).map(lambda each: each[0]),
    entrusted_by=TEXT,
    handler_platform=TEXT,
    service_objects=codes(ServiceObject),
    statutory_limit=st.none() | LIMIT,
    promised_limit=st.none() | LIMIT,
    conditions=TEXT,
    flow=TEXT,
    fee_fen=st.integers(-5, 10**12),
    fee_basis=TEXT,
    case_type=codes(CaseType).filter(bool).map(lambda each: each[0]),
    handling_forms=codes(Form),
    special_procedures=codes(SpecialProcedure),
    visits=st.integers(-1, 99),
    legal_basis=LINES,
    aliases=st.lists(TEXT, max_size=2),
    guide=TEXT,
    materials=st.lists(MATERIAL, max_size=2),
    phone=TEXT,
    complaints_phone=TEXT,
    min_ial=st.integers(1, 4),
    result_name=TEXT,
    result_sample=TEXT,
    result_template=TEXT,
    service_range=TEXT,
    sources=st.dictionaries(TEXT, TEXT, max_size=3),
    joint_departments=st.lists(TEXT, max_size=2),
    faqs=st.lists(st.builds(item_pb2.Faq, question=TEXT, answer=TEXT), max_size=2),
    by_appointment=st.booleans(),
    online=st.booleans(),
    online_payment=st.booleans(),
    courier=st.booleans(),
)


@given(ITEM)
def test_every_field_comes_back(message):
    """What a platform writes is what everybody reads, field by field; nothing of the message is lost."""
    found = message_of(item_of(message, ID, BASE_ID), BASE_CODE)
    # `required` follows from the finer `requirement`.
    for row in found.materials:
        row.ClearField("required")
    assert message == found


@given(ITEM)
def test_the_store_changes_nothing_but_the_spelling(message):
    """Through the canonical bytes and back, an item is the one that was sent, in NFC."""
    item = item_of(message, ID, BASE_ID)
    kept = restore(canonical(item))
    assert canonical(item) == canonical(kept)
    assert item_of(message_of(kept, BASE_CODE), ID, BASE_ID) == kept


@given(ITEM)
def test_violations_name_fields_of_the_contract(message):
    """Whatever is wrong, the answer names a field that the caller can find in the contract."""
    for each in validate(item_of(message, ID, BASE_ID)):
        path = wire_field(each.field).removeprefix("item.").split("[")[0].split(".")[0]
        assert path in item_pb2.Item.DESCRIPTOR.fields_by_name, each.field


@given(st.binary(max_size=60))
def test_any_message_is_read_or_refused(data):
    """A message of arbitrary bytes gives an item or a typed refusal."""
    message = item_pb2.Item()
    with contextlib.suppress(DecodeError, RuleError):
        message.MergeFromString(data)
        validate(item_of(message, ID, BASE_ID))
