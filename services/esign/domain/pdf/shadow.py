"""Finds what a document may hide before it is sealed (shadow attacks: hide, replace, hide-and-replace).

A seal vouches for what its holder saw. Content that lies in the file but on no page, places left open for later,
layers, overlays and everything that makes a page look different elsewhere are refused before sealing; whoever sends the
document saves it anew without them.
"""

import re
from collections.abc import Sequence
from typing import Any

from services.esign.domain.ofd.archive import is_package_too
from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref
from services.esign.domain.pdf.update import Revision
from services.esign.domain.pdf.walk import walk

# Names that make a document do something or show something else than its pages.
ACTIVE = frozenset(
    {
        *("JS", "JavaScript", "XFA", "Launch", "ImportData", "SubmitForm", "RichMedia", "Rendition", "GoToE"),
        # What a field shows, whether it is seen, which layers are, and which of the files inside opens.
        *("ResetForm", "Hide", "SetOCGState", "Collection"),
    }
)
OPENING = "OpenAction"
"""The catalog's key for what a document does when it is opened."""
# To PDFium they are white space, which ends a name.
_ENDS_A_NAME = re.compile("[\x80\xff]")
# Names by which a page looks different in print, in another reader, or with another file beside it: layers, alternate
# images, content of other files.
VARYING = frozenset({"OCProperties", "OCG", "OCMD", "Alternates", "OPI", "Movie", "Sound", "3D"})
# Annotations that draw nothing over the page's own content.
_HARMLESS_ANNOTATIONS = frozenset({"Link"})
# Streams that are the file's own bookkeeping.
_BOOKKEEPING = frozenset({"XRef", "ObjStm"})


def refuse(document: Document) -> None:
    """Raises PdfError naming what the document hides: SHADOW_* or ACTIVE_CONTENT."""
    if is_package_too(document.data):
        raise PdfError("SHADOW_ELSEWHERE", "the file is a package, too; save the document anew")
    if document.data.count(b"/ByteRange", 0, document.end) > len(signatures.find(document)):
        # The gap of the seal could be put there, and the file would be another.
        raise PdfError("SHADOW_ELSEWHERE", "the file holds what could be part of a signature; save the document anew")
    revisions = walk(document)
    values = _values(document, revisions)
    if active := acting(document.census.names):
        raise PdfError("ACTIVE_CONTENT", f"active content: {', '.join(active)}")
    if acts_on_opening(document):
        raise PdfError("ACTIVE_CONTENT", "active content: it acts when it is opened")
    if varying := sorted(VARYING & (document.census.names | cut(document.census.names))):
        raise PdfError("SHADOW_VARYING", f"content that is not shown everywhere alike: {', '.join(varying)}")
    _refuse_superseded(revisions)
    _refuse_unshown(document, values, _lengths(revisions))
    for value in values.values():
        if isinstance(value, Dict):
            _refuse_overlay(document, value)


def cut(names: set[str]) -> set[str]:
    """Returns those of the names that a reader ends early."""
    return {_ENDS_A_NAME.split(each, 1)[0] for each in names if not each.isascii() and _ENDS_A_NAME.search(each)}


def acting(names: set[str]) -> list[str]:
    """Those by which a document acts, as every reader reads them."""
    ended = cut(names)
    return sorted(ACTIVE & (names | ended) | (ended & {OPENING}))


def acts_on_opening(document: Document) -> bool:
    """Tells whether a document does more when it is opened than go to a page of its own, or may."""
    try:
        action = document.resolve(document.catalog().get(OPENING))
    except PdfError as cause:
        if cause.limit:
            raise
        return True
    if not isinstance(action, Dict):
        return False
    is_more = "Next" in action or any(_ENDS_A_NAME.search(key) for key in action)
    return is_more or document.resolve(action.get("S")) != "GoTo"


def _refuse_superseded(revisions: Sequence[Revision]) -> None:
    """Earlier versions of objects are content that a later cross-reference could bring back."""
    seen: set[int] = set()
    for revision in revisions:
        present = (revision.objects.keys() | revision.packed.keys()) - revision.bookkeeping
        if again := sorted(present & seen | revision.freed & seen):
            raise PdfError("SHADOW_SUPERSEDED", f"object {again[0]} has several versions; save the document anew")
        seen |= present


def _values(document: Document, revisions: Sequence[Revision]) -> dict[int, Any]:
    """Every object of the document but its bookkeeping."""
    numbers = {n for r in revisions for n in (*r.objects, *r.packed)}
    found = {number: document.value(number) for number in numbers}
    return {n: v for n, v in found.items() if not (isinstance(v, Dict) and v.get("Type") in _BOOKKEEPING)}


def _refuse_unshown(document: Document, values: dict[int, Any], lengths: set[int]) -> None:
    """From the trailer every object is reached, and nothing is pointed at that is not there."""
    waiting: list[Any] = [{k: v for k, v in document.trailer.items() if k != "Prev"}]
    reached: set[int] = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Ref):
            if value[0] in reached:
                continue
            reached.add(value[0])
            if value[0] not in values:
                raise PdfError("SHADOW_OPEN_PLACE", f"object {value[0]} is pointed at and not there")
            waiting.append(values[value[0]])
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    if hidden := sorted(values.keys() - reached - lengths):
        raise PdfError("SHADOW_HIDDEN", f"object {hidden[0]} lies in the file and belongs to nothing")


def _lengths(revisions: Sequence[Revision]) -> set[int]:
    """Lengths of bookkeeping streams, where these are objects of their own."""
    return {
        value[0]
        for revision in revisions
        for found in revision.objects.values()
        if isinstance(found.value, Dict) and isinstance(value := found.value.get("Length"), Ref)
    }


def _refuse_overlay(document: Document, value: Dict) -> None:
    if value.get("Type") == "Page" or "Annots" in value:
        listed = document.resolve(value.get("Annots"))
        for each in listed if isinstance(listed, list) else []:
            annotation = document.resolve(each)
            if not isinstance(annotation, Dict) or not (
                annotation.get("Subtype") in _HARMLESS_ANNOTATIONS or _waits_for_signature(document, annotation)
            ):
                raise PdfError("SHADOW_OVERLAY", "annotations or form fields lie over a page")
    if "FFilter" in value or ("Length" in value and "F" in value):
        raise PdfError("SHADOW_ELSEWHERE", "a stream's content lies in another file")
    if value.get("Subtype") == "Form" and "Ref" in value:
        raise PdfError("SHADOW_ELSEWHERE", "a picture comes from another document")


def _waits_for_signature(document: Document, annotation: Dict) -> bool:
    """Tells whether it is an empty signature field that draws nothing."""
    return (
        annotation.get("Subtype") == "Widget"
        and annotation.get("FT") == "Sig"
        and annotation.get("V") is None
        and not {"A", "AA", "Parent", "Kids", "MK"} & annotation.keys()
        and _draws_nothing(document, document.resolve(annotation.get("AP")))
    )


def _draws_nothing(document: Document, states: Any) -> bool:
    if states is None:
        return True
    normal = states.get("N") if isinstance(states, Dict) and states.keys() == {"N"} else None
    form = document.object(normal[0]) if isinstance(normal, Ref) else None
    return form is not None and form.stream is not None and not document.data[slice(*form.stream)].strip()
