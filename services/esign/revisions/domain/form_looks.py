"""Tells whether what a form says of looks (ISO 32000-1, table 218: NeedAppearances, DR, DA) changes how a field is
shown.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import inherited
from services.esign.domain.pdf.syntax import Census, Cursor, Dict, Name, PdfError
from services.esign.revisions.domain import additions
from services.esign.revisions.domain.content_stream import pieces


def are_settled(document: Document) -> bool:
    """Tells whether every annotation but links and signatures has its look, so that what a form says of looks changes
    none. Raises PdfError.
    """
    form = document.resolve(document.catalog().get("AcroForm"))
    if isinstance(form, Dict) and document.resolve(form.get("NeedAppearances")) is True:
        return False
    listed = [document.resolve(page.get("Annots")) for _, page in document.pages()]
    shown = [document.resolve(each) for annotations in listed if isinstance(annotations, list) for each in annotations]
    shown += [value for _, value, _ in signatures.fields(document) if "Kids" not in value]
    return all(not isinstance(value, Dict) or _has_look(document, value) for value in shown)


def are_of_the_form(document: Document) -> bool:
    """Tells whether a field that is filled in says nothing of its type: readers that show its value, and not its look,
    take the form's. Raises PdfError.
    """
    ends = (value for _, value, _ in signatures.fields(document) if "Kids" not in value)
    return any(
        inherited(document, each, "FT") not in {None, "Sig"} and inherited(document, each, "DA") is None
        for each in ends
    )


def are_complete(document: Document) -> bool:
    """Tells whether every look of a widget brings the fonts that it names: some readers take others from the form's
    resources (table 218). Raises PdfError.
    """
    looks = [
        look
        for value in _widgets(document)
        for look in additions.looks_of(document, value)
        if additions.is_stream(document, look)
    ]
    return all(_brings_its_fonts(document, look) for look in looks)


def _widgets(document: Document) -> Iterator[Dict]:
    for _, page in document.pages():
        listed = document.resolve(page.get("Annots"))
        for each in listed if isinstance(listed, list) else []:
            value = document.resolve(each)
            if isinstance(value, Dict):
                yield value


def _brings_its_fonts(document: Document, look: Any) -> bool:
    holder = additions.stream_of(document, look)
    if holder is None:
        return True
    resources = document.resolve(holder.value.get("Resources"))
    fonts = document.resolve(resources.get("Font")) if isinstance(resources, Dict) else None
    own = fonts.keys() if isinstance(fonts, Dict) else set()
    try:
        named = [
            operands for operator, operands in pieces(document.stream_of(holder), document.census) if operator == b"Tf"
        ]
        return all(Cursor(operands, 0, Census()).value() in own for operands in named)
    except PdfError as cause:
        if cause.limit:
            raise
        return False


def _has_look(document: Document, value: Mapping[str, Any]) -> bool:
    kind = document.resolve(value.get("Subtype"))
    if kind == "Link" or (kind in {"Widget", None} and inherited(document, value, "FT") == "Sig"):
        return True
    states = document.resolve(value.get("AP"))
    normal = states.get("N") if isinstance(states, Dict) else None
    looks = document.resolve(normal)
    if isinstance(looks, Dict) and not additions.is_stream(document, normal):
        state = document.resolve(value.get("AS"))
        normal = looks.get(state) if isinstance(state, Name) else None
    return additions.is_stream(document, normal)
