"""Case codes (办件编号): implementing code (31) + YYYYMMDD + 4-digit serial of that item and day = 43 characters,
an..50.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from shuniu.national_numbers import is_uscc
from shuniu.rules import RuleError, Violation

_FORM = re.compile(r"([0-9A-Z]{18})([1-7])([0-9A-Z]{12})([0-9]{8})([0-9]{4})", re.ASCII)
MAX_SERIAL = 9999


class CaseCodeError(RuleError):
    """The text is no case code, or none can be made."""


@dataclass(frozen=True, slots=True)
class CaseCode:
    """A case code and its parts. ``day`` is the civil date of application in Asia/Shanghai, ``serial`` 1 to 9999."""

    text: str
    implementing: str
    day: date
    serial: int

    @property
    def agency(self) -> str:
        return self.implementing[:18]


def build(implementing: str, day: date, serial: int) -> CaseCode:
    """The code of the ``serial``-th case of an item on a day. Raises CaseCodeError; SERIAL_EXHAUSTED after 9999."""
    if serial > MAX_SERIAL:
        raise _error(
            "SERIAL_EXHAUSTED",
            "this item has no case numbers left today: apply again tomorrow",
            "该事项今日办件编号已用完，请明日再申请",
        )
    if serial < 1:
        raise _error("CASE_CODE_SERIAL", "serials begin at 1", "办件序号应从 1 开始")
    return parse(f"{implementing}{day.isoformat().replace('-', '')}{serial:04d}")


def parse(text: str) -> CaseCode:
    """Read a case code. Raises CaseCodeError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise _error(
            "CASE_CODE_FORM", "a case code has 43 digits and capital letters", "办件编号应为 43 位数字或大写字母"
        )
    agency, level, base, digits, serial = match.groups()
    if not is_uscc(agency):
        raise _error(
            "CASE_CODE_AGENCY",
            "the first 18 characters are no unified social credit code",
            "前 18 位不是有效的统一社会信用代码",
        )
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise _error("CASE_CODE_DATE", "characters 32 to 39 are no date", "第 32 至 39 位不是有效日期") from None
    if serial == "0000":
        raise _error("CASE_CODE_SERIAL", "serials begin at 1", "办件序号应从 1 开始")
    return CaseCode(text, agency + level + base, day, int(serial))


def _error(reason: str, en: str, zh: str) -> CaseCodeError:
    return CaseCodeError([Violation("case_code", reason, en, zh)])
