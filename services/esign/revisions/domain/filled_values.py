"""Tells whether a field that was filled in shows its value (ISO 32000-2, 12.7.4.3 and 12.7.4.4).

Some readers show a field's look, and others draw its value anew: where the two differ, people read different things.
"""

import re
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
# Flags of a text of several lines, and of one in cells (table 231), and of a choice that may be another (table 233).
_MULTILINE: Final = 1 << 12
_COMB: Final = 1 << 24
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_EDIT: Final = 1 << 18


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
    is_text = inherited(document, field, "FT") == "Tx"
    given = inherited(document, field, "V")
    if type(flags) is not int or (flags & _OTHERWISE and is_text) or not isinstance(given, bytes | None):
        return False
    value = (given or b"") if is_text else _chosen(document, field, given, may_be_other=bool(flags & _EDIT))
    if value is None or (is_text and not _fits(document, field, text_of(value))):
        return False
    words = "" if document.resolve(look) is None else words_of(document, look)
    if words is None:
        return False
    if is_text and flags & _COMB:
        # Each sign stands in a cell.
        words = words.replace(" ", "")
    return _has_plain_blanks(text_of(value), may_break=is_text and bool(flags & _MULTILINE)) and _says(
        words, text_of(value)
    )


def _has_plain_blanks(text: str, *, may_break: bool) -> bool:
    """Tells whether a text has single blanks between words, and ends of lines where its field has lines: of others some
    readers show nothing.
    """
    lines = _LINE_ENDS.split(text) if may_break else [text]
    return all(line == " ".join(line.split()) for line in lines)


def _says(words: str, text: str) -> bool:
    """Tells whether a look says a text: blanks are where the text has them; where a line ends, it may have one."""
    lines = (r"\ ".join(map(re.escape, line.split())) for line in words.split("\n") if line.strip())
    return re.fullmatch(r"\ ?".join(lines), " ".join(text.split())) is not None


def _fits(document: Document, field: Mapping[str, Any], text: str) -> bool:
    """Tells whether a text is no longer than its field takes (table 232): some readers cut it."""
    most = inherited(document, field, "MaxLen")
    return most is None or (type(most) is int and len(text) <= most)


def _chosen(document: Document, field: Mapping[str, Any], value: bytes | None, *, may_be_other: bool) -> bytes | None:
    """The text that readers show for a choice: the one beside it (table 233). None where they differ: some go by its
    number (/I), or by the first or the last of several that are alike.
    """
    options = document.resolve(inherited(document, field, "Opt")) or []
    numbers = document.resolve(inherited(document, field, "I"))
    pairs = []
    for each in options if isinstance(options, list) else []:
        pair = document.resolve(each)
        both = [document.resolve(part) for part in pair] if isinstance(pair, list) else [pair, pair]
        if len(both) != 2 or not all(isinstance(part, bytes) for part in both):
            return None
        pairs.append((both[0], both[1]))
    exports, texts = [one for one, _ in pairs], [other for _, other in pairs]
    if len(set(exports)) != len(exports) or len(set(texts)) != len(texts):
        return None
    if value in exports:
        number = exports.index(value)
        return texts[number] if numbers in (None, [number]) else None
    is_none = not value or may_be_other
    return (value or b"") if is_none and not numbers and value not in texts else None
