"""Reads numbers and hashes of documents as people type or paste them. An input method writes full-width digits; a
copied number comes with blanks and with the label that stands before it.
"""

import re
import unicodedata
from typing import Final

_INVISIBLE: Final = re.compile("[\\s\u200b-\u200f\u2060\ufeff]+")
_LABEL: Final = re.compile(r"(?:(?:证明|证书|文书|证照)?(?:编号|号码):?|[Nn][Oo][.:])")
# Longer than anything that is asked for; the form is judged by who asks.
_MOST: Final = 200


def hexadecimal(text: str) -> str:
    """A hash or a part of one, in lower case."""
    return _plain(text).lower()


def number(text: str) -> str:
    """A document's number without what stands before it on paper."""
    found = _plain(text.replace("№", "No."))
    label = _LABEL.match(found)
    return found if label is None else found[label.end() :]


def _plain(text: str) -> str:
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text[:_MOST]))
