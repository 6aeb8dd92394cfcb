"""Certificate types (常用证件代码, GA/T 2000.156) as data: adding or correcting one is a row here, not code.

``form`` names the rule that reads the number. Where a national standard fixes the number, the rule checks it in full;
for the others ``pattern`` is the form in present practice, wide enough for documents issued under older forms that
are still valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from shuniu.document_names import NAMES
from shuniu.ideographs import CHARACTER_CLASS


class Form(StrEnum):
    """Rule that reads a number."""

    CITIZEN = "citizen"  # GB 11643
    RESIDENCE = "residence"  # residence permits: GB 11643, also with the prefixes 810000, 820000, 830000
    FOREIGN_RESIDENT = "foreign-resident"  # old 3 letters + 12 digits, new 18 digits
    ORGANISATION = "organisation"  # GB 32100
    PATTERN = "pattern"


@dataclass(frozen=True, slots=True)
class DocumentType:
    """One row of the code list. ``example_form`` tells a person what the number looks like."""

    code: str
    form: Form
    pattern: re.Pattern[str] | None = None
    example_form_zh: str = ""
    example_form_en: str = ""

    @property
    def zh(self) -> str:
        return NAMES[self.code][0]

    @property
    def en(self) -> str:
        return NAMES[self.code][1]


def _by_pattern(code: str, pattern: str, form_zh: str, form_en: str) -> DocumentType:
    return DocumentType(code, Form.PATTERN, re.compile(pattern, re.ASCII), form_zh, form_en)


# ICAO Doc 9303-3, 4.2.2: a document number has at most nine characters A-Z 0-9.
_PASSPORT = (r"[A-Z0-9]{5,9}", "5 至 9 位字母或数字", "5 to 9 letters or digits")

_ROWS = (
    DocumentType("111", Form.CITIZEN),
    DocumentType("112", Form.CITIZEN),
    _by_pattern("113", r"[A-Z0-9]{6,18}", "6 至 18 位字母或数字", "6 to 18 letters or digits"),
    _by_pattern(
        "114",
        f"[A-Z0-9{CHARACTER_CLASS}]{{4,20}}",
        "如“军字第1234567号”，不含空格",
        "such as 军字第1234567号, without spaces",
    ),
    _by_pattern("123", r"[A-Z0-9]{4,18}", "4 至 18 位字母或数字", "4 to 18 letters or digits"),
    DocumentType("154", Form.RESIDENCE),
    _by_pattern("411", *_PASSPORT),
    _by_pattern("412", *_PASSPORT),
    _by_pattern("413", *_PASSPORT),
    _by_pattern("414", *_PASSPORT),
    _by_pattern(
        "511",
        r"\d{8}|\d{10}[A-Z]?",
        "8 位数字（旧版 10 位）",
        "8 digits (older ones 10)",
    ),
    _by_pattern(
        "512",
        r"\d{8}|\d{10}[A-Z]?",
        "8 位数字（旧版 10 位）",
        "8 digits (older ones 10)",
    ),
    _by_pattern(
        "513",
        r"[CW]\d{8}|C[A-Z]\d{7}",
        "C 加 8 位数字，或 C 加一个字母和 7 位数字",
        "C and 8 digits, or C, a letter and 7 digits",
    ),
    _by_pattern(
        "516",
        r"[HM](?:\d{8}|\d{10}|A\d{7})",
        "H 或 M 加 8 位数字（旧版 10 位），非中国籍为 HA 或 MA 加 7 位数字",
        "H or M and 8 digits (older ones 10), of those who are no Chinese citizens HA or MA and 7 digits",
    ),
    _by_pattern(
        "517",
        r"[LT]\d{8}",
        "L 加 8 位数字（旧版 T）",
        "L and 8 digits (older ones T)",
    ),
    _by_pattern(
        "552",
        r"[A-Z0-9]{6,18}",
        "6 至 18 位字母或数字",
        "6 to 18 letters or digits",
    ),
    DocumentType("553", Form.FOREIGN_RESIDENT),
    _by_pattern(
        "554",
        r"[A-Z0-9]{6,18}",
        "6 至 18 位字母或数字",
        "6 to 18 letters or digits",
    ),
    _by_pattern(
        "555",
        r"[A-Z0-9]{6,18}",
        "6 至 18 位字母或数字",
        "6 to 18 letters or digits",
    ),
    DocumentType("811", Form.ORGANISATION),
    DocumentType("821", Form.ORGANISATION),
    DocumentType("822", Form.ORGANISATION),
    _by_pattern(
        "990",
        rf"[A-Z0-9{CHARACTER_CLASS}()\-/]{{3,50}}",
        "3 至 50 位字母、数字或汉字，不含空格",
        "3 to 50 letters, digits or ideographs, without spaces",
    ),
)

TYPES: dict[str, DocumentType] = {row.code: row for row in _ROWS}
