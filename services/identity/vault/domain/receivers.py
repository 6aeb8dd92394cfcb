"""Rules for disclosing fields: the form of receiver and purpose, and which fields there are. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.identity.vault.domain.records import FIELDS
from shuniu.rules import RuleError, Violation

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
CANDIDATE_FIELDS = ("full_name", "document_type", "document_number")
"""Fields that an authority gets of a person who is to be proved."""


def check(receiver: str, purpose: str) -> None:
    """Raises RuleError with every violation."""
    found = [
        Violation(
            field, "NAME_FORM", "Use 1 to 40 of a-z, 0-9 and hyphen.", "请使用 1 至 40 位小写字母、数字或连字符。"
        )
        for field, value in (("receiver", receiver), ("purpose", purpose))
        if not _NAME.fullmatch(value)
    ]
    if found:
        raise RuleError(found)


def check_fields(fields: Sequence[str]) -> None:
    """Raises RuleError for no field, and for one that the vault does not have."""
    if not fields or any(name not in FIELDS for name in fields):
        raise RuleError(
            [
                Violation(
                    "fields",
                    "FIELD_UNKNOWN",
                    f"Name fields of: {', '.join(FIELDS)}.",
                    f"可选字段：{'、'.join(FIELDS)}。",
                )
            ]
        )
