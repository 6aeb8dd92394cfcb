"""The two national code schemes of items, side by side: an item holds a name in each, and either finds it.

Scheme A (GB/T 39046-2020): base code (基本编码) of 10, implementing code (实施编码) of 24 characters.
Scheme B (GB/T 39554.1-2020): base code of 12, implementing code of 31 = 18 USCC of the agency + 1 exercising level +
12 base code; the handling-item code (业务办理项编码) adds a suffix, 33 characters in practice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from shuniu.national_numbers import is_uscc
from shuniu.rules import RuleError, Violation


class Scheme(StrEnum):
    """Standard that a code follows."""

    A = "A"
    B = "B"


class Kind(StrEnum):
    """Kind of thing that a code names."""

    BASE = "base"
    IMPLEMENTING = "implementing"
    HANDLING = "handling"


class Level(StrEnum):
    """Exercising level (行使层级, n1)."""

    STATE = "1"
    PROVINCE = "2"
    CITY = "3"
    COUNTY = "4"
    TOWN = "5"
    VILLAGE = "6"
    GRADED = "7"


# Lengths tell the form: no two forms share one.
_FORMS = {
    10: (Scheme.A, Kind.BASE),
    24: (Scheme.A, Kind.IMPLEMENTING),
    12: (Scheme.B, Kind.BASE),
    31: (Scheme.B, Kind.IMPLEMENTING),
    33: (Scheme.B, Kind.HANDLING),
}
_CHARACTERS = re.compile(r"[0-9A-Z]+", re.ASCII)
# Local codes of older systems: anything printable that survives a URL path.
_LOCAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\-]{0,63}", re.ASCII)


class CodeError(RuleError):
    """The text is not an item code."""


@dataclass(frozen=True, slots=True)
class ItemCode:
    """One code and what it says by itself. ``agency``, ``level`` and ``base`` are empty where the scheme does not
    say.
    """

    text: str
    scheme: Scheme
    kind: Kind
    base: str = ""
    agency: str = ""
    level: Level | None = None
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Codes:
    """All names of one item. Empty means that this scheme has not named it yet; at least one national name is
    needed.
    """

    a: str = ""
    b: str = ""
    local: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        return tuple(code for code in (self.b, self.a, *self.local) if code)


def parse(text: str, field: str = "code") -> ItemCode:
    """Read a national code by its length; lower case is lifted. Raises CodeError with every violation under
    ``field``.
    """
    code = "".join(mark.upper() if "a" <= mark <= "z" else mark for mark in text)
    form = _FORMS.get(len(code))
    if form is None:
        raise CodeError(
            [
                Violation(
                    field,
                    "CODE_LENGTH",
                    "a code has 10, 12, 24, 31 or 33 characters",
                    "事项编码应为 10、12、24、31 或 33 位",
                ),
            ],
        )
    if not _CHARACTERS.fullmatch(code):
        raise CodeError(
            [Violation(field, "CODE_CHARACTER", "use digits and capital letters", "事项编码只能包含数字和大写字母")]
        )
    scheme, kind = form
    if kind is Kind.BASE:
        return ItemCode(code, scheme, kind, base=code)
    if scheme is Scheme.A:
        return ItemCode(code, scheme, kind)
    return _implementing_b(code, kind, field)


def _implementing_b(code: str, kind: Kind, field: str) -> ItemCode:
    violations = []
    if not is_uscc(code[:18]):
        violations.append(
            Violation(
                field,
                "CODE_AGENCY",
                "the first 18 characters are no unified social credit code",
                "前 18 位不是有效的统一社会信用代码",
            ),
        )
    if code[18] not in set(Level):
        violations.append(
            Violation(field, "CODE_LEVEL", "character 19 must be a level from 1 to 7", "第 19 位应为 1 至 7 的行使层级")
        )
    if violations:
        raise CodeError(violations)
    return ItemCode(code, Scheme.B, kind, code[19:31], code[:18], Level(code[18]), code[31:])


def check_codes(codes: Codes, kind: Kind, field: str = "codes") -> list[Violation]:
    """Every violation in the names of an item of this kind."""
    found = []
    if not codes.a and not codes.b:
        found.append(Violation(field, "CODE_MISSING", "give a code of scheme A or B", "请填写基本编码或实施编码"))
    for scheme, text in ((Scheme.A, codes.a), (Scheme.B, codes.b)):
        if text:
            found.extend(_check_one(text, scheme, kind, f"{field}.{scheme.value.lower()}"))
    for index, text in enumerate(codes.local):
        if not _LOCAL.fullmatch(text):
            found.append(
                Violation(
                    f"{field}.local[{index}]",
                    "CODE_CHARACTER",
                    "a local code has up to 64 letters, digits, dots, hyphens and underscores",
                    "地方编码最多 64 位，只能包含字母、数字、点、连字符和下划线",
                ),
            )
    if len(set(codes.all())) != len(codes.all()):
        found.append(Violation(field, "CODE_REPEATED", "a code is given twice", "编码重复"))
    return found


def _check_one(text: str, scheme: Scheme, kind: Kind, field: str) -> list[Violation]:
    try:
        code = parse(text, field)
    except CodeError as refusal:
        return list(refusal.violations)
    if code.text != text:
        return [Violation(field, "CODE_CHARACTER", "use capital letters", "请使用大写字母")]
    if (code.scheme, code.kind) != (scheme, kind):
        return [
            Violation(
                field,
                "CODE_KIND",
                "this code belongs to another scheme or kind of item",
                "该编码属于另一种编码方案或事项类别",
            )
        ]
    return []
