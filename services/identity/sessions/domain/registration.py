"""A person who registers: login name, password, name and document, checked together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.identity.domain import identity_documents, names
from services.identity.sessions.domain import sign_in
from shuniu.rules import RuleError, Violation

PROVED = 2
"""ial of a person whose name and number the authority found to match."""


@dataclass(frozen=True, slots=True, repr=False)
class Registrant:
    """Name and document in their one spelling. Never printed."""

    full_name: str
    document_type: str
    document_number: str


def checked(
    login_name: str, password: str, full_name: str, document_type: str, number: str, *, today: date
) -> Registrant:
    """The person who registers. Raises RuleError with every violation, fields named as in RegisterPersonRequest."""
    found = [*sign_in.check_login_name(login_name), *sign_in.check_password(password, login_name)]
    name = document = None
    try:
        name = names.check(full_name)
    except RuleError as error:
        found += _renamed(error, {"name": "full_name"})
    try:
        document = identity_documents.check(document_type, number, today=today)
    except RuleError as error:
        found += _renamed(error, {"type": "document.type", "number": "document.number"})
    if found or name is None or document is None:
        raise RuleError(found)
    return Registrant(name.text, document.type, document.normalised)


def _renamed(error: RuleError, fields: Mapping[str, str]) -> list[Violation]:
    return [Violation(fields.get(each.field, each.field), each.reason, each.en, each.zh) for each in error.violations]
