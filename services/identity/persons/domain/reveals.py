"""Rules for revealing a person's data: to whom, for what and for how long. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from services.identity.platforms.domain.platforms import printable
from shuniu.rules import RuleError, Violation

FIELDS: Final = ("full_name", "document_type", "document_number", "birth_date")
# The vault's name of reveals to handling agencies; the agency's own words go on the record that the person sees.
CASE_PURPOSE: Final = "case"
# Which service of the hub may ask for which purpose.
_PURPOSES: Final = {
    "exchange": frozenset({"authority", "register-query"}),
    "esign": frozenset({"document", "seal"}),
}
# While a case is in one of these its handling agency may see who applied; once it is over, nobody.
OPEN_STATES: Final = frozenset({"SUBMITTED", "CORRECTION", "ACCEPTED", "PROCESSING", "SPECIAL", "GRANTED"})
_MAX_PURPOSE: Final = 200
_LONG_NUMBER: Final = re.compile(r"\d{11}")


class RevealError(Exception):
    """The data may not be given; `reason` says why."""

    DENIED: Final = frozenset({"NOT_HANDLING_AGENCY", "PURPOSE_REFUSED"})

    def __init__(self, reason: str, en: str, zh: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.en = en
        self.zh = zh


def not_handling() -> RevealError:
    return RevealError(
        "NOT_HANDLING_AGENCY",
        "Only the agency that handles the case may see the applicant's data.",
        "只有办理该事项的部门可以查看申请人信息。",
    )


def no_key() -> RevealError:
    return RevealError(
        "NO_ENCRYPTION_KEY",
        "The receiver has registered no encryption key; enrol it with one.",
        "接收方未登记加密公钥，请先登记。",
    )


def check_case(caller: str, handler: str, state: str) -> None:
    """Raises RevealError unless `caller` handles the case and the case is open."""
    if caller != handler:
        raise not_handling()
    if state not in OPEN_STATES:
        raise RevealError(
            "CASE_CLOSED",
            "The case is closed; its applicant's data are no longer revealed.",
            "办件已结束，不再提供申请人信息。",
        )


def check_service(service: str, purpose: str) -> None:
    """Raises RevealError unless that service of the hub may ask for that purpose."""
    if purpose not in _PURPOSES.get(service, frozenset()):
        raise RevealError(
            "PURPOSE_REFUSED",
            "This service may not ask for personal data for this purpose.",
            "该服务无权以此用途获取个人信息。",
        )


def checked_fields(wanted: Sequence[str]) -> tuple[str, ...]:
    """The fields, each once. Raises RuleError naming every unknown one."""
    found = [
        Violation(
            f"fields[{index}]" if name else "fields",
            "FIELD_UNKNOWN",
            f"name fields of: {', '.join(FIELDS)}",
            f"可选字段：{'、'.join(FIELDS)}",
        )
        for index, name in enumerate(wanted or [""])
        if name not in FIELDS
    ]
    if found:
        raise RuleError(found)
    return tuple(dict.fromkeys(wanted))


def checked_purpose(purpose: str) -> str:
    """The purpose as the person will read it. Raises RuleError; a number in it would stand in clear on the record."""
    if not 1 <= len(purpose) <= _MAX_PURPOSE or not purpose.strip() or not printable(purpose):
        raise RuleError(
            [
                Violation(
                    "purpose",
                    "PURPOSE_FORM",
                    f"say why, in 1 to {_MAX_PURPOSE} printable characters",
                    f"请说明用途，1 至 {_MAX_PURPOSE} 个可见字符",
                )
            ]
        )
    if _LONG_NUMBER.search(purpose):
        raise RuleError(
            [
                Violation(
                    "purpose",
                    "PURPOSE_HOLDS_NUMBER",
                    "leave out identity and telephone numbers",
                    "用途中请勿填写证件号码或电话号码",
                )
            ]
        )
    return purpose
