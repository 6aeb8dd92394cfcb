"""Case codes (办件编号): implementing code (31) + YYYYMMDD + serial of that item and day (4) = 43 characters, an..50.

Serials are the digits 0001 to 9999 and then, for the 10,000th case of a day and on, A000 to ZZZZ: a capital letter and
three digits or letters. So codes keep their length, and their order as text is the order of the cases.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import date

from shuniu.national_numbers import is_uscc
from shuniu.rules import RuleError, Violation

_FORM = re.compile(r"([0-9A-Z]{18})([1-7])([0-9A-Z]{12})([0-9]{8})([0-9]{4}|[A-Z][0-9A-Z]{3})", re.ASCII)
_DIGITS = 9999
_MARKS = string.digits + string.ascii_uppercase
# What three marks can say; a letter before them.
_LETTER = len(_MARKS) ** 3
MAX_SERIAL = _DIGITS + 26 * _LETTER


class CaseCodeError(RuleError):
    """The text is no case code, or none can be made."""


@dataclass(frozen=True, slots=True)
class CaseCode:
    """A case code and its parts. ``day``: civil date of application in Asia/Shanghai; ``serial``: 1 to MAX_SERIAL."""

    text: str
    implementing: str
    day: date
    serial: int

    @property
    def agency(self) -> str:
        return self.implementing[:18]


def build(implementing: str, day: date, serial: int) -> CaseCode:
    """The code of the ``serial``-th case of an item on a day. Raises CaseCodeError: SERIAL_EXHAUSTED at the end."""
    if serial > MAX_SERIAL:
        raise _error(
            "SERIAL_EXHAUSTED",
            "this item has no case numbers left today: apply again tomorrow",
            "该事项今日办件编号已用完，请明日再申请",
        )
    if serial < 1:
        raise _error("CASE_CODE_SERIAL", "serials begin at 1", "办件序号应从 1 开始")
    return parse(f"{implementing}{day.isoformat().replace('-', '')}{_written(serial)}")


def _written(serial: int) -> str:
    if serial <= _DIGITS:
        return f"{serial:04d}"
    letter, rest = divmod(serial - _DIGITS - 1, _LETTER)
    marks = (rest // len(_MARKS) ** place % len(_MARKS) for place in (2, 1, 0))
    return string.ascii_uppercase[letter] + "".join(_MARKS[mark] for mark in marks)


def _read(text: str) -> int:
    if text.isdecimal():
        return int(text)
    return _DIGITS + 1 + string.ascii_uppercase.index(text[0]) * _LETTER + int(text[1:], 36)


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
    return CaseCode(text, agency + level + base, day, _read(serial))


def _error(reason: str, en: str, zh: str) -> CaseCodeError:
    return CaseCodeError([Violation("case_code", reason, en, zh)])
