"""Codes of administrative divisions (行政区划, GB/T 2260; platforms use 9 or 12 digits below the county): forms, levels
and what lies above them.
"""

from __future__ import annotations

from enum import IntEnum

from shuniu.national_numbers import upwards
from shuniu.rules import RuleError, Violation


class DivisionLevel(IntEnum):
    """Level of a division code; the value is the number of digits that carry it."""

    PROVINCE = 2
    CITY = 4
    COUNTY = 6
    TOWN = 9
    VILLAGE = 12


class DivisionError(RuleError):
    """The text is no division code."""


def _error(reason: str, en: str, zh: str) -> DivisionError:
    return DivisionError([Violation("division", reason, en, zh)])


def normalise(text: str) -> str:
    """The shortest of the forms with 6, 9 and 12 digits that names the same place. Raises DivisionError."""
    if len(text) not in {6, 9, 12} or not set(text) <= set("0123456789"):
        raise _error("DIVISION_FORM", "a division code has 6, 9 or 12 digits", "行政区划代码应为 6、9 或 12 位数字")
    if text[:2] == "00" or (text[2:4] == "00" and text[4:].strip("0")):
        raise _error("DIVISION_FORM", "the code skips a level", "行政区划代码缺少上级代码")
    if text[6:9] == "000" and text[9:].strip("0"):
        raise _error("DIVISION_FORM", "the code skips a level", "行政区划代码缺少上级代码")
    for length in (6, 9):
        if not text[length:].strip("0"):
            return text[:length]
    return text


def level(code: str) -> DivisionLevel:
    """The level of a code. Raises DivisionError."""
    code = normalise(code)
    if len(code) > 6:
        return DivisionLevel(len(code))
    if code.endswith("0000"):
        return DivisionLevel.PROVINCE
    return DivisionLevel.CITY if code.endswith("00") else DivisionLevel.COUNTY


def ancestors(code: str) -> tuple[str, ...]:
    """Codes above ``code``, nearest first. Cities without counties (东莞) put towns directly under the city."""
    code = normalise(code)
    above = []
    if len(code) == 12:
        above.append(code[:9])
    above.extend(upwards(code[:6]))
    return tuple(dict.fromkeys(each for each in above if each != code))


def within(code: str, area: str) -> bool:
    """Tells whether ``code`` is ``area`` or lies in it."""
    return normalise(area) in {normalise(code), *ancestors(code)}
