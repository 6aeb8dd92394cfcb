"""Identity documents and organisation codes: reading a number strictly and telling everything that is wrong with it.

Full-width digits, digits of other scripts, spaces and hyphens are refused and not repaired: two spellings of one
number would become two persons in the vault's index. Only ASCII lower case is lifted (``x`` to ``X``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.identity.domain.document_types import TYPES, DocumentType, Form
from shuniu.ideographs import is_ideograph
from shuniu.national_numbers import (
    PROVINCES,
    RESIDENCE_PREFIXES,
    USCC_ALPHABET,
    birth_date,
    citizen_check,
    uscc_check,
)
from shuniu.rules import RuleError, Violation

# Longer input is refused before anything reads it.
_MAX_INPUT = 64
_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Sex(StrEnum):
    """GB/T 2261.1."""

    MALE = "1"
    FEMALE = "2"


class DocumentError(RuleError):
    """The number is not a valid number of that type."""


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A checked number and what it says by itself.

    ``division`` is the GB/T 2260 code inside (6 digits; 2 digits, the issuing province, on a new foreign resident
    card; empty where the number has none). ``nationality`` is ISO 3166: alpha-3 on an old foreign resident card and
    for Hong Kong, Macao and Taiwan residents, numeric on a new foreign resident card, else empty.
    """

    type: str
    normalised: str
    birth: date | None = None
    sex: Sex | None = None
    division: str = ""
    nationality: str = ""

    def __repr__(self) -> str:
        return f"Document(type={self.type!r}, number={mask(self.normalised)!r})"


def check(type_code: str, number: str, *, today: date | None = None) -> Document:
    """Read ``number`` as a document of the GA/T 2000.156 type ``type_code``.

    With ``today`` (a civil date in Asia/Shanghai) a birth in the future is refused too. A 15-digit citizen number is
    upgraded to 18. Raises DocumentError with every violation; its texts never hold the number.
    """
    kind = TYPES.get(type_code)
    if kind is None:
        raise DocumentError(
            [
                Violation(
                    "type",
                    "DOCUMENT_TYPE_UNKNOWN",
                    "use a certificate type code of GA/T 2000.156",
                    "请使用 GA/T 2000.156 规定的证件类型代码",
                ),
            ],
        )
    text = _ascii_upper(number)
    violations = _spelling(text, allow_han=kind.form is Form.PATTERN)
    if violations:
        raise DocumentError(violations)
    document, violations = _RULES[kind.form](kind, text)
    if document is not None and today is not None and document.birth is not None and document.birth > today:
        violations.append(_number("BIRTH_IN_FUTURE", "the date of birth is in the future", "出生日期晚于今天"))
    if violations or document is None:
        raise DocumentError(violations)
    return document


def upgrade(old: str) -> str:
    """18-digit form of a 15-digit citizen number: 19 is put before the year, a check character after the order.

    The 15 characters must be ASCII digits (GB 11643-1999 against GB 11643-1989). Raises DocumentError.
    """
    if len(old) != 15 or not set(old) <= _DIGITS:
        raise DocumentError([_number("NUMBER_LENGTH", "give the 15 digits of the old card", "请填写旧证的 15 位数字")])
    body = old[:6] + "19" + old[6:]
    return body + citizen_check(body)


def check_uscc(code: str) -> str:
    """Normalised unified social credit code (GB 32100), or DocumentError with every violation."""
    return check("811", code).normalised


def mask(number: str) -> str:
    """The number for display: first and last character, the rest stars; nothing at all of fewer than six characters."""
    if len(number) < 6:
        return "*" * len(number)
    return number[0] + "*" * (len(number) - 2) + number[-1]


def _ascii_upper(text: str) -> str:
    # str.upper would also turn ß into SS and the dotless ı into I.
    return "".join(mark.upper() if "a" <= mark <= "z" else mark for mark in text)


def _number(reason: str, en: str, zh: str) -> Violation:
    return Violation("number", reason, en, zh)


def _spelling(text: str, *, allow_han: bool) -> list[Violation]:
    if not text:
        return [_number("NUMBER_MISSING", "enter the number", "请填写证件号码")]
    found = []
    if len(text) > _MAX_INPUT:
        found.append(_number("NUMBER_LENGTH", "the number is too long", "证件号码过长"))
    if any(mark.isspace() for mark in text):
        found.append(_number("NUMBER_HAS_SPACE", "remove the spaces", "请去掉空格"))
    if any(not mark.isascii() and (mark.isdecimal() or _is_full_width(mark)) for mark in text):
        found.append(
            _number("NUMBER_NOT_HALF_WIDTH", "type digits and letters in half width", "请用半角数字和字母填写")
        )
    elif any(_is_foreign(mark, allow_han=allow_han) for mark in text):
        found.append(_number("NUMBER_CHARACTER", "only digits and letters may appear", "证件号码含有不允许的字符"))
    return found


def _is_full_width(mark: str) -> bool:
    return "\uff01" <= mark <= "\uff5e"


def _is_foreign(mark: str, *, allow_han: bool) -> bool:
    if mark in _DIGITS or mark in _LETTERS or mark.isspace():
        return False
    return not (allow_han and (mark in "()-/" or is_ideograph(mark)))


_Answer = tuple[Document | None, list[Violation]]


def _citizen(kind: DocumentType, text: str) -> _Answer:
    if text[:6] in RESIDENCE_PREFIXES and len(text) == 18:
        return None, [
            _number(
                "DOCUMENT_TYPE_WRONG",
                "this is the number of a Hong Kong, Macao or Taiwan resident's residence permit: choose type 154",
                "这是港澳台居民居住证号码，证件类型请选择居住证（154）",
            ),
        ]
    if len(text) == 15 and set(text) <= _DIGITS:
        text = upgrade(text)
    violations = _numeric_card_shape(text)
    if violations:
        return None, violations
    if text[:2] not in PROVINCES:
        violations.append(
            _number("DIVISION_UNKNOWN", "the first two digits name no province", "前两位不是有效的省级行政区划代码")
        )
    return _person(kind, text, violations, division=text[:6])


def _residence(kind: DocumentType, text: str) -> _Answer:
    nationality = RESIDENCE_PREFIXES.get(text[:6])
    if nationality is None:
        return _citizen(kind, text)
    violations = _numeric_card_shape(text)
    if violations:
        return None, violations
    return _person(kind, text, violations, division=text[:6], nationality=nationality)


def _foreign_resident(kind: DocumentType, text: str) -> _Answer:
    if len(text) == 15:
        if set(text[:3]) <= _LETTERS and set(text[3:]) <= _DIGITS:
            return Document(kind.code, text, nationality=text[:3]), []
        return None, [
            _number("NUMBER_FORM", "an old card has 3 letters and 12 digits", "旧版证件为 3 位字母加 12 位数字")
        ]
    violations = _numeric_card_shape(text, all_digits=True)
    if violations:
        return None, violations
    if text[0] != "9":
        violations.append(_number("NUMBER_FORM", "a new card begins with 9", "新版证件号码以 9 开头"))
    if text[1:3] not in PROVINCES:
        violations.append(
            _number("DIVISION_UNKNOWN", "digits 2 and 3 name no province", "第 2、3 位不是有效的省级行政区划代码")
        )
    if text[3:6] in {"000", "156"}:
        violations.append(
            _number(
                "NATIONALITY_UNKNOWN", "digits 4 to 6 name no foreign country", "第 4 至 6 位不是有效的外国国籍代码"
            )
        )
    return _person(kind, text, violations, division=text[1:3], nationality=text[3:6])


def _organisation(kind: DocumentType, text: str) -> _Answer:
    if len(text) != 18:
        return None, [
            _number("NUMBER_LENGTH", "a unified social credit code has 18 characters", "统一社会信用代码应为 18 位")
        ]
    if not set(text) <= set(USCC_ALPHABET):
        return None, [
            _number(
                "NUMBER_CHARACTER",
                "the letters I, O, S, V and Z are not used",
                "统一社会信用代码不使用字母 I、O、S、V、Z",
            )
        ]
    violations = []
    if not set(text[2:8]) <= _DIGITS:
        violations.append(
            _number(
                "DIVISION_UNKNOWN",
                "characters 3 to 8 must be a division code",
                "第 3 至 8 位应为登记管理机关行政区划码",
            )
        )
    if uscc_check(text[:17]) != text[17]:
        violations.append(_check_digit())
    return Document(kind.code, text, division=text[2:8]), violations


def _pattern(kind: DocumentType, text: str) -> _Answer:
    if kind.pattern is None or not kind.pattern.fullmatch(text):
        return None, [
            _number("NUMBER_FORM", f"expected: {kind.example_form_en}", f"{kind.zh}号码应为：{kind.example_form_zh}"),
        ]
    return Document(kind.code, text), []


def _numeric_card_shape(text: str, *, all_digits: bool = False) -> list[Violation]:
    if len(text) != 18:
        return [_number("NUMBER_LENGTH", "the number has 18 characters", "证件号码应为 18 位")]
    if not set(text[:17]) <= _DIGITS or text[17] not in ("0123456789" if all_digits else "0123456789X"):
        return [
            _number("NUMBER_CHARACTER", "17 digits and a check digit are expected", "应为 18 位数字")
            if all_digits
            else _number("NUMBER_CHARACTER", "17 digits and a digit or X are expected", "应为 17 位数字加一位数字或 X"),
        ]
    return []


def _person(
    kind: DocumentType, text: str, violations: list[Violation], *, division: str, nationality: str = ""
) -> _Answer:
    birth = birth_date(text[6:14])
    if birth is None:
        violations.append(
            _number("BIRTH_INVALID", "digits 7 to 14 are not a date of birth", "第 7 至 14 位不是有效的出生日期")
        )
    # A check of X cannot be printed on an all-digit card; such order numbers are not issued, so the digit never
    # matches.
    if citizen_check(text[:17]) != text[17]:
        violations.append(_check_digit())
    sex = Sex.MALE if int(text[16]) % 2 else Sex.FEMALE
    return Document(kind.code, text, birth, sex, division, nationality), violations


def _check_digit() -> Violation:
    return _number(
        "CHECK_DIGIT", "the check digit does not match: compare with the document", "校验码不符，请对照证件核对号码"
    )


_RULES: dict[Form, Callable[[DocumentType, str], _Answer]] = {
    Form.CITIZEN: _citizen,
    Form.RESIDENCE: _residence,
    Form.FOREIGN_RESIDENT: _foreign_resident,
    Form.ORGANISATION: _organisation,
    Form.PATTERN: _pattern,
}
