"""Tells whether a field that was filled in shows its value (ISO 32000-2, 12.7.4.3 and 12.7.4.4).

Some readers show a field's look, and others draw its value anew: where the two differ, people read different things.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import inherited
from services.esign.domain.pdf.syntax import Dict, Name
from services.esign.domain.pdf.writer import text_of
from services.esign.revisions.domain import additions, button_looks
from services.esign.revisions.domain.page.ink import words_of

# Flags of a text field whose look is not its value: a password, a file's name, rich text (table 231).
_OTHERWISE: Final = 1 << 13 | 1 << 20 | 1 << 25
# Points; a larger field is no box to tick.
_LARGEST_MARK: Final = 30.0
_BLANKS: Final = " \t\n\r\xa0"


def misfit(document: Document, field: Mapping[str, Any], page: Mapping[str, Any], look: Any, kind: str) -> str:
    """Says why a field cannot be filled in where it is, and as it looks; empty when it can. Raises PdfError."""
    if kind != "Btn":
        return additions.misfit(document, field, page, most=additions.MOST_OF_PAGE_FILLED)
    why = additions.misplaced(document, field, page, most=additions.MOST_OF_PAGE_FILLED)
    why = why or ("" if look is None else additions.form_misfit(document, look))
    box = additions.rectangle(document.resolve(field.get("Rect")))
    is_small = box is not None and max(additions.size(box)) <= _LARGEST_MARK
    return why or ("" if is_small and button_looks.are_marks(document, field) else "its looks are no marks")


def says_two_things(document: Document, field: Mapping[str, Any], look: Any, changed: set[str], kind: str) -> bool:
    """Tells whether readers that draw a field's value and readers that show its picture show different things.
    `changed`: its keys that came with the value. Raises PdfError.
    """
    if kind != "Btn":
        one_alone = "AP" in field and bool(changed & {"AP", "AS"}) != ("V" in changed)
        return one_alone or not shows_its_value(document, field, look)
    # A button shows one of its standing looks; which one is /AS, and it goes by the value.
    states = document.resolve(field.get("AP"))
    looks = document.resolve(states.get("N")) if isinstance(states, Dict) else None
    value = inherited(document, field, "V")
    wanted = value if isinstance(looks, Dict) and isinstance(value, Name) and value in looks else "Off"
    return "AP" in changed or document.resolve(field.get("AS", Name("Off"))) != wanted


def shows_its_value(document: Document, field: Mapping[str, Any], look: Any) -> bool:
    """Tells whether the look of a text or choice field says its value, blanks aside. Without a look every reader draws
    the value in its own way: broken into lines, cut off. Raises PdfError where it is too much work.
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
    """The text that readers show for a value: of a choice the text beside it (table 233)."""
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
