"""A person's record: one spelling, one index key, and the fields that may be sealed to somebody. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.identity.domain import identity_documents, names
from services.identity.domain.names import MIDDLE_DOT
from shuniu.national_numbers import RESIDENCE_PREFIXES
from shuniu.rules import RuleError, Violation

FIELDS = ("full_name", "document_type", "document_number", "birth_date")
# A temporary card carries the number of the card it stands for.
_SAME_NUMBER = {"112": "111"}
_RESIDENCE_PERMIT = "154"
_NUMBER_LENGTH = 18


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A checked document and name. Never printed: its repr is empty."""

    document_type: str
    document_number: str
    full_name: str
    birth: date | None

    def __repr__(self) -> str:
        return "Record(…)"


def checked(document_type: str, number: str, full_name: str, today: date) -> Record:
    """A record in its one spelling. Raises RuleError with every violation, fields named as in VaultRecord."""
    found: list[Violation] = []
    document = name = None
    try:
        document = identity_documents.check(document_type, number, today=today)
    except RuleError as error:
        found += [_renamed(each, {"type": "document_type", "number": "document_number"}) for each in error.violations]
    try:
        name = names.check(full_name)
    except RuleError as error:
        found += [_renamed(each, {"name": "full_name"}) for each in error.violations]
    if document is None or name is None:
        raise RuleError(found)
    return Record(document.type, document.normalised, name.text, document.birth)


def _renamed(violation: Violation, fields: dict[str, str]) -> Violation:
    field = fields.get(violation.field, violation.field)
    return Violation(f"record.{field}", violation.reason, violation.en, violation.zh)


def index_text(record: Record) -> bytes:
    """Document type and number: what persons are found by, under a keyed hash (`PersonIndex`)."""
    kind = _SAME_NUMBER.get(record.document_type, record.document_type)
    # A mainland resident's residence permit (居住证) carries the citizen number as well.
    mainland = len(record.document_number) == _NUMBER_LENGTH and record.document_number[:6] not in RESIDENCE_PREFIXES
    if kind == _RESIDENCE_PERMIT and mainland:
        kind = "111"
    return f"{kind}|{record.document_number}".encode()


def display_name(full_name: str) -> str:
    """The name for progress pages: the first character stands, as far as one can tell the family name's; the rest are
    stars, each part of the name with its own.
    """
    shown = full_name[:1]
    return shown + "".join(mark if mark in f" {MIDDLE_DOT}-" else "*" for mark in full_name[1:])


def selected(record: Record, wanted: Sequence[str]) -> dict[str, str]:
    """The wanted fields; `birth_date` is ISO 8601, empty when the document does not tell it."""
    whole = {
        "full_name": record.full_name,
        "document_type": record.document_type,
        "document_number": record.document_number,
        "birth_date": record.birth.isoformat() if record.birth else "",
    }
    return {name: whole[name] for name in FIELDS if name in wanted}
