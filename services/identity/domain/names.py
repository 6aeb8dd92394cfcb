"""Names of persons: Chinese names with rare characters, names with the middle dot (间隔号), names in other scripts.

One spelling per name: NFC, the middle dot U+00B7 (GB/T 15834), no doubled or outer spaces. A name is never
transliterated or cut.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from shuniu.ideographs import is_ideograph
from shuniu.rules import RuleError, Violation

MIDDLE_DOT = "·"
# Dots that keyboards and older systems put in place of U+00B7, full stops of every width among them.
_DOT_VARIANTS = str.maketrans(
    dict.fromkeys("\u2022\u2027\u2219\u22c5\u30fb\uff65\u0387\u16eb\u2e31\ua78f.\uff0e\ufe52", MIDDLE_DOT)
)
# Characters, not bytes: 50 is the width of 姓名 in GA/T 543; passports give up to 39 to each of two name parts, and a
# few registers keep both with a separator.
MAX_CHINESE = 50
MAX_OTHER = 100
_SEPARATORS = frozenset(" -'’.,")


class Script(StrEnum):
    """Script of a name."""

    CHINESE = "chinese"
    OTHER = "other"


class PersonNameError(RuleError):
    """The text cannot be a person's name."""


@dataclass(frozen=True, slots=True, repr=False)
class PersonName:
    """A checked name in its one spelling."""

    text: str
    script: Script

    def __repr__(self) -> str:
        return f"PersonName({mask(self.text)!r}, {self.script.value})"


def check(name: str) -> PersonName:
    """The name in its one spelling. Raises PersonNameError with every violation; its texts never hold the name."""
    # Cut before anything that costs more than the length itself; NFC can lengthen a text threefold at most.
    if len(name) > 4 * MAX_OTHER:
        raise PersonNameError([_too_long(MAX_OTHER)])
    text = unicodedata.normalize("NFC", name)
    # Ideographic with a dot variant is a Chinese name; elsewhere a bullet is no letter and stays refused.
    if any(is_ideograph(mark) for mark in text):
        text = text.translate(_DOT_VARIANTS)
    violations = _spelling(text)
    if violations:
        raise PersonNameError(violations)
    script = Script.CHINESE if any(is_ideograph(mark) for mark in text) else Script.OTHER
    violations = _chinese(text) if script is Script.CHINESE else _other(text)
    if violations:
        raise PersonNameError(violations)
    return PersonName(text, script)


def mask(name: str) -> str:
    """The name for display to others: the last character only (``*明``), as on queue screens; nothing of a single
    character.
    """
    if len(name) < 2:
        return "*" * len(name)
    return "*" * (len(name) - 1) + name[-1]


def _name(reason: str, en: str, zh: str) -> Violation:
    return Violation("name", reason, en, zh)


def _too_long(limit: int) -> Violation:
    return _name("NAME_LENGTH", f"a name has at most {limit} characters", f"姓名不得超过 {limit} 个字符")


def _spelling(text: str) -> list[Violation]:
    if not text.strip():
        return [_name("NAME_MISSING", "enter the name", "请填写姓名")]
    found = []
    if any(unicodedata.category(mark) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for mark in text):
        found.append(
            _name(
                "NAME_CONTROL", "the name holds an invisible character: type it anew", "姓名含有不可见字符，请重新输入"
            )
        )
    if any(unicodedata.category(mark) == "Co" for mark in text):
        found.append(
            _name(
                "NAME_PRIVATE_CHARACTER",
                "the name holds a character that only one system knows: use the Unicode character (GB 18030-2022)",
                "姓名含有自造字，请使用 GB 18030-2022 收录的字符",
            ),
        )
    if any(mark.isspace() and mark != " " for mark in text) or text != text.strip() or "  " in text:
        found.append(_name("NAME_SPACE", "remove the extra spaces", "请去掉多余的空格"))
    if any(_is_width_form(mark) for mark in text):
        found.append(_name("NAME_NOT_HALF_WIDTH", "type letters in half width", "请用半角字母填写"))
    return found


def _is_width_form(mark: str) -> bool:
    return "\uff01" <= mark <= "\uff5e"


def _chinese(text: str) -> list[Violation]:
    found = []
    if len(text) > MAX_CHINESE:
        found.append(_too_long(MAX_CHINESE))
    if len(text) < 2:
        found.append(_name("NAME_LENGTH", "give the family name and the given name", "请填写完整的姓和名"))
    if " " in text:
        found.append(_name("NAME_SPACE", "a Chinese name has no spaces", "中文姓名中不应有空格"))
    if any(not is_ideograph(mark) and mark not in {MIDDLE_DOT, " "} for mark in text):
        found.append(
            _name(
                "NAME_CHARACTER",
                "a Chinese name holds ideographs and the middle dot · only",
                "中文姓名只能包含汉字和间隔号“·”",
            ),
        )
    if _misplaced_dot(text):
        found.append(
            _name(
                "NAME_DOT",
                "the middle dot stands between two parts of the name",
                "间隔号“·”应在姓名的两部分之间，且不能连用",
            )
        )
    return found


def _misplaced_dot(text: str) -> bool:
    return text.startswith(MIDDLE_DOT) or text.endswith(MIDDLE_DOT) or MIDDLE_DOT * 2 in text


def _other(text: str) -> list[Violation]:
    found = []
    if len(text) > MAX_OTHER:
        found.append(_too_long(MAX_OTHER))
    if any(not _may_stand_in_other(mark) for mark in text):
        found.append(
            _name(
                "NAME_CHARACTER",
                "a name holds letters, spaces, hyphens, apostrophes, commas and full stops only",
                "姓名只能包含字母、空格、连字符、撇号、逗号和句点",
            ),
        )
    if not any(unicodedata.category(mark).startswith("L") for mark in text):
        found.append(_name("NAME_MISSING", "the name holds no letter", "姓名中没有字母"))
    if re.search(r"[-'’.,·]{3,}", text):
        found.append(_name("NAME_CHARACTER", "too many marks in a row", "标点连用过多"))
    return found


def _may_stand_in_other(mark: str) -> bool:
    return mark in _SEPARATORS or mark == MIDDLE_DOT or unicodedata.category(mark)[0] in {"L", "M"}
