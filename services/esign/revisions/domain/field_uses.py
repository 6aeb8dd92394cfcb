"""That a field in which something may be different is a field and nothing else.

Names are free in lists of resources, of looks and of glyphs: one that is listed as a field, too, would have what the
page draws exchanged as the field's value or date.
"""

from collections.abc import Collection, Mapping
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import inherited
from services.esign.domain.pdf.syntax import Array, Dict, Name, Ref

# Keys by which a field or a widget is come to: of the form, its parents and kids, its page and the structure (ISO
# 32000-1, 12.5, 12.7 and 14.7.4.3).
_WAYS = frozenset({"Fields", "Kids", "Parent", "Annots", "Obj", "CO"})


# Flags of a field that nobody may fill in (table 221), and of an annotation whose value nobody may change (table 165):
# ReadOnly, ReadOnly and LockedContents.
_READ_ONLY, _CLOSED = 1, 64 | 512


def is_closed(document: Document, field: Mapping[str, Any]) -> bool:
    """Tells whether a field was not left to be filled in. Raises PdfError."""
    flags, shown = inherited(document, field, "Ff") or 0, document.resolve(field.get("F", 0))
    are_numbers = type(flags) is int and type(shown) is int
    return not are_numbers or bool(flags & _READ_ONLY or shown & _CLOSED)


def used_otherwise(document: Document, numbers: Collection[int]) -> int | None:
    """Names which of some fields something in the document comes to by another way; None when none is. Raises
    PdfError.
    """
    waiting: list[tuple[Any, str]] = [(document.trailer, "")]
    seen: set[tuple[int, str]] = set()
    while waiting:
        value, key = waiting.pop()
        document.census.count(1)
        if isinstance(value, Ref):
            if value[0] in numbers and key not in _WAYS:
                return value[0]
            found = document.resolve(value)
            # What a list's members are is decided by who points at the list.
            mark = (value[0], key if isinstance(found, list) else "")
            if mark not in seen:
                seen.add(mark)
                waiting.append((found, key))
        elif isinstance(value, Dict):
            waiting += ((member, name) for name, member in value.items() if isinstance(member, (Ref, Dict, Array)))
        elif isinstance(value, list):
            waiting += ((member, key) for member in value if isinstance(member, (Ref, Dict, Array)))
    return None


def odd_entry(document: Document, value: Dict, keys: Collection[str]) -> str | None:
    """Names which of the entries that may be different is not of its type (ISO 32000-1, tables 164, 220, 228 and 230);
    None when each is. Raises PdfError.
    """
    kind = inherited(document, value, "FT")
    for key in sorted(keys & value.keys()):
        entry = value[key]
        found = document.resolve(entry)
        if isinstance(entry, Ref) and (holder := document.object(entry[0])) is not None and holder.stream is not None:
            return key
        if not _is_of_its_type(key, found, kind):
            return key
    return None


def _is_of_its_type(key: str, found: Any, kind: Any) -> bool:
    match key:
        case "V" if kind == "Sig":
            return isinstance(found, Dict)
        case "V" if kind == "Btn":
            return isinstance(found, Name | None)
        case "V":
            listed = found if isinstance(found, list) and kind == "Ch" else [found]
            return all(isinstance(each, bytes | None) for each in listed)
        case "M":
            return isinstance(found, bytes | None)
        case "AP":
            return isinstance(found, Dict | None)
        case "AS":
            return isinstance(found, Name | None)
        case "I":
            return found is None or (isinstance(found, list) and all(type(each) is int for each in found))
    return type(found) in {int, type(None)}
