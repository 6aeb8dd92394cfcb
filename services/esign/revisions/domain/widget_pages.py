"""Finds which page a widget is on, by the pages' lists of annotations or by what it says itself (ISO 32000-1, table
164).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, Ref
from services.esign.revisions.domain.two_versions import ChangedError


class WidgetPages:
    def __init__(self, document: Document) -> None:
        self._document = document

    def page_of(self, ref: Ref, value: Mapping[str, Any]) -> tuple[int, Dict]:
        """Number (from 0) and dictionary of the page that a widget is on. Raises ChangedError."""
        places = self._widgets.get(ref[0], ())
        if len(places) > 1:
            raise ChangedError(f"the field {ref[0]} shows something on several pages", unclear=True)
        number = places[0] if places else None
        if number is None:
            page = value.get("P")
            number = self._numbers.get(page[0]) if isinstance(page, Ref) else None
        if number is None:
            raise ChangedError(f"the field {ref[0]} shows something and is on no page")
        return number, self.listed[number]

    @cached_property
    def listed(self) -> list[Dict]:
        return [value for _, value in self._document.pages()]

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {ref[0]: at for at, (ref, _) in enumerate(self._document.pages())}

    @cached_property
    def _widgets(self) -> dict[int, list[int]]:
        """Pages by the numbers of their annotations."""
        found: dict[int, list[int]] = {}
        for at, page in enumerate(self.listed):
            listed = self._document.resolve(page.get("Annots"))
            for each in listed if isinstance(listed, list) else []:
                if isinstance(each, Ref):
                    found.setdefault(each[0], []).append(at)
        return found


def widgets_apart(document: Document) -> frozenset[int]:
    """Numbers of the widgets that fields for signatures have apart. Raises PdfError."""
    found = set[int]()
    for _, value, _ in signatures.fields(document):
        kids = document.resolve(value.get("Kids")) if value.get("FT") == "Sig" else None
        found.update(each[0] for each in kids if isinstance(each, Ref)) if isinstance(kids, list) else None
    return frozenset(found)
