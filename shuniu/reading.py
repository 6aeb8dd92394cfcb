"""Texts that people read and sign for: marks that may not stand in it, and one form of a person's number. Pure: domains
may import this module.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from shuniu.rules import Violation

# Control characters but for line ends and tabs, halves of a character, and the marks that turn the direction of what
# follows (Unicode Bidi_Class LRE to PDF and LRI to PDI): with them a text reads otherwise than it is stored.
_UNREADABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_readable(text: str) -> bool:
    """Tells whether everybody reads the text as it is stored."""
    return _UNREADABLE.search(text) is None


def unreadable(field: str) -> Violation:
    """The fault of a field whose text is not readable."""
    return Violation(
        field,
        "TEXT_CONTROL",
        "remove control characters and marks that turn the direction of text",
        "请去掉控制字符和改变文字方向的不可见字符",
    )


def same_person(number: str) -> str:
    """One form for all spellings of a person's number or name at a platform: width, case, blanks and hyphens aside.

    Two persons are needed where one must not do both steps, so what might be one counts as one.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).casefold())
    return "".join(mark for mark in folded if mark.isalnum()) or folded
