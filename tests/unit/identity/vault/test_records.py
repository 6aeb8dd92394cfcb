"""The vault's records: one index key per person, masked names, chosen fields."""

import datetime as dt

import pytest

from services.identity.vault.domain import receivers, records
from services.identity.vault.person_index import PersonIndex
from shuniu.rules import RuleError

TODAY = dt.date(2026, 1, 1)
KEY = b"k" * 32
NUMBER = "11010519491231002X"


def record(kind: str = "111", number: str = NUMBER, name: str = "乌云") -> records.Record:
    return records.checked(kind, number, name, TODAY)


def index_key(secret: bytes, one: records.Record) -> bytes:
    return PersonIndex(secret, "hmac-sha256").keys(records.index_text(one))[0]


def test_one_number_is_one_person_whatever_card_and_spelling():
    """15 and 18 digits, x and X, identity card, temporary card and mainland residence permit."""
    keys = {
        index_key(KEY, one)
        for one in (
            record(),
            record(number=NUMBER.lower()),
            record("112"),
            record("154"),
            record(name="别人"),
        )
    }
    assert len(keys) == 1
    old = record(number="110105491231002")
    assert index_key(KEY, old) in keys


def test_types_with_numbers_of_their_own_stay_apart():
    """A passport and a travel permit with the same text are two persons; another key is another index."""
    assert index_key(KEY, record("412", "E12345678")) != index_key(KEY, record("414", "E12345678"))
    assert index_key(KEY, record()) != index_key(b"j" * 32, record())
    taiwan = record("154", "830000199201300022", "陳大文")
    assert index_key(KEY, taiwan) != index_key(KEY, record())


@pytest.mark.parametrize(
    ("name", "shown"),
    [("乌云", "乌*"), ("阿依古丽·买买提", "阿***·***"), ("SMITH JOHN", "S**** ****"), ("𠮷田", "𠮷*")],
)
def test_names_are_masked_but_for_their_first_character(name, shown):
    """Each part keeps its length and nothing else."""
    assert records.display_name(name) == shown


def test_violations_name_the_vaults_fields_and_never_the_value():
    """All at once; neither text nor repr quotes number or name."""
    with pytest.raises(RuleError) as failure:
        records.checked("111", "11010519491231002", "", TODAY)
    assert {each.field for each in failure.value.violations} == {"record.document_number", "record.full_name"}
    assert "1101" not in str(failure.value)
    assert repr(record()) == "Record(…)"


def test_only_the_wanted_fields_leave():
    """Field by field; the birth date of a passport is not known."""
    assert records.selected(record(), ["birth_date", "full_name"]) == {"full_name": "乌云", "birth_date": "1949-12-31"}
    assert records.selected(record("414", "E12345678"), ["birth_date"]) == {"birth_date": ""}
    for fields in ([], ["full_name", "face"]):
        with pytest.raises(RuleError):
            receivers.check_fields(fields)
