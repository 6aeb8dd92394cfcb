"""Certificate types (常用证件代码, GA/T 2000.156) as data: adding or correcting one is a row here, not code.

``form`` names the rule that reads the number. Where a national standard fixes the number, the rule checks it in full;
for the others ``pattern`` is the form in present practice, wide enough for documents issued under older forms that
are still valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

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
    zh: str
    en: str
    form: Form
    pattern: re.Pattern[str] | None = None
    example_form_zh: str = ""
    example_form_en: str = ""


def _by_pattern(code: str, zh: str, en: str, *form: str) -> DocumentType:
    pattern, form_zh, form_en = form
    return DocumentType(code, zh, en, Form.PATTERN, re.compile(pattern, re.ASCII), form_zh, form_en)


# ICAO Doc 9303-3, 4.2.2: a document number has at most nine characters A-Z 0-9.
_PASSPORT = (r"[A-Z0-9]{5,9}", "5 至 9 位字母或数字", "5 to 9 letters or digits")

_ROWS = (
    DocumentType("111", "居民身份证", "resident identity card", Form.CITIZEN),
    DocumentType("112", "临时居民身份证", "temporary resident identity card", Form.CITIZEN),
    _by_pattern(
        "113", "户口簿", "household register", r"[A-Z0-9]{6,18}", "6 至 18 位字母或数字", "6 to 18 letters or digits"
    ),
    _by_pattern(
        "114",
        "中国人民解放军军官证",
        "military officer's card",
        f"[A-Z0-9{CHARACTER_CLASS}]{{4,20}}",
        "如“军字第1234567号”，不含空格",
        "such as 军字第1234567号, without spaces",
    ),
    _by_pattern(
        "123", "警官证", "police officer's card", r"[A-Z0-9]{4,18}", "4 至 18 位字母或数字", "4 to 18 letters or digits"
    ),
    DocumentType("154", "居住证", "residence permit (also of Hong Kong, Macao and Taiwan residents)", Form.RESIDENCE),
    _by_pattern("411", "外交护照", "diplomatic passport", *_PASSPORT),
    _by_pattern("412", "公务护照", "service passport", *_PASSPORT),
    _by_pattern("413", "公务普通护照", "passport for public affairs", *_PASSPORT),
    _by_pattern("414", "普通护照", "ordinary passport", *_PASSPORT),
    _by_pattern(
        "511",
        "台湾居民来往大陆通行证（多次有效）",
        "travel permit for Taiwan residents, multiple entries",
        r"\d{8}|\d{10}[A-Z]?",
        "8 位数字（旧版 10 位）",
        "8 digits (older ones 10)",
    ),
    _by_pattern(
        "512",
        "台湾居民来往大陆通行证（一次有效）",
        "travel permit for Taiwan residents, single entry",
        r"\d{8}|\d{10}[A-Z]?",
        "8 位数字（旧版 10 位）",
        "8 digits (older ones 10)",
    ),
    _by_pattern(
        "513",
        "往来港澳通行证",
        "permit to Hong Kong and Macao",
        r"[CW]\d{8}|C[A-Z]\d{7}",
        "C 加 8 位数字，或 C 加一个字母和 7 位数字",
        "C and 8 digits, or C, a letter and 7 digits",
    ),
    _by_pattern(
        "516",
        "港澳居民来往内地通行证",
        "mainland travel permit for Hong Kong and Macao residents",
        r"[HM](?:\d{8}|\d{10}|A\d{7})",
        "H 或 M 加 8 位数字（旧版 10 位），非中国籍为 HA 或 MA 加 7 位数字",
        "H or M and 8 digits (older ones 10), of those who are no Chinese citizens HA or MA and 7 digits",
    ),
    _by_pattern(
        "517",
        "大陆居民往来台湾通行证",
        "permit to Taiwan",
        r"[LT]\d{8}",
        "L 加 8 位数字（旧版 T）",
        "L and 8 digits (older ones T)",
    ),
    _by_pattern(
        "552",
        "台湾居民定居证",
        "settlement card of Taiwan residents",
        r"[A-Z0-9]{6,18}",
        "6 至 18 位字母或数字",
        "6 to 18 letters or digits",
    ),
    DocumentType("553", "外国人永久居留身份证", "foreign permanent resident ID card", Form.FOREIGN_RESIDENT),
    _by_pattern(
        "554",
        "外国人居留证",
        "foreigner's residence card",
        r"[A-Z0-9]{6,18}",
        "6 至 18 位字母或数字",
        "6 to 18 letters or digits",
    ),
    _by_pattern(
        "555",
        "外国人居留许可",
        "foreigner's residence permit",
        r"[A-Z0-9]{6,18}",
        "6 至 18 位字母或数字",
        "6 to 18 letters or digits",
    ),
    DocumentType("811", "组织机构代码证", "organisation code certificate", Form.ORGANISATION),
    DocumentType("821", "企业法人营业执照", "business licence of a company", Form.ORGANISATION),
    DocumentType("822", "企业营业执照", "business licence of an enterprise", Form.ORGANISATION),
    _by_pattern(
        "990",
        "其他",
        "other",
        rf"[A-Z0-9{CHARACTER_CLASS}()\-/]{{3,50}}",
        "3 至 50 位字母、数字或汉字，不含空格",
        "3 to 50 letters, digits or ideographs, without spaces",
    ),
)

TYPES: dict[str, DocumentType] = {row.code: row for row in _ROWS}
