"""Whether a field that was filled in shows its value (ISO 32000-2, 12.7.4.3 and 12.7.4.4).

Some readers show a field's look, and others draw its value anew: where the two differ, people read different things.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import inherited
from services.esign.domain.pdf.writer import text_of
from services.esign.revisions.domain.page.ink import words_of

# Flags of a text field whose look is not its value: a password, a file's name, rich text (table 231).
_OTHERWISE: Final = 1 << 13 | 1 << 20 | 1 << 25
_BLANKS: Final = " \t\n\r\xa0"


def shows_its_value(document: Document, field: Mapping[str, Any], look: Any) -> bool:
    """Whether the look of a text or choice field says its value, blanks aside. Without a look every reader draws the
    value in its own way: broken into lines, cut off. Raises PdfError where it is too much work.
    """
    flags = inherited(document, field, "Ff") or 0
    value = _shown(document, field, inherited(document, field, "V"))
    if value is None or type(flags) is not int or (flags & _OTHERWISE and inherited(document, field, "FT") == "Tx"):
        return False
    words = "" if document.resolve(look) is None else words_of(document, look)
    return words is not None and _letters(words) == _letters(text_of(value))


def _letters(text: str) -> str:
    """Without blanks: a look may break lines."""
    return "".join(each for each in text if each not in _BLANKS)


def _shown(document: Document, field: Mapping[str, Any], value: Any) -> bytes | None:
    """What readers show for a value: of a choice the text beside it (table 233)."""
    if value is None:
        return b""
    if not isinstance(value, bytes):
        return None
    options = document.resolve(inherited(document, field, "Opt")) or []
    for each in options if isinstance(options, list) else []:
        pair = document.resolve(each)
        if isinstance(pair, list) and len(pair) == 2 and document.resolve(pair[0]) == value:
            text = document.resolve(pair[1])
            return text if isinstance(text, bytes) else None
    return value
