"""What later revisions of a signed document change, and whether a signature lets them.

Two readers disagree about what a later revision may do; shadow and certification attacks live in that gap. So nothing
is allowed here but what signing itself needs: a signature put into a field that the earlier signer saw, an invisible
signature or document timestamp, validation data (DSS), and the description of the file (Info, XMP). Everything else
counts as a change of the document. A certification that forbids every change (DocMDP, P = 1) still lets validation
data and document timestamps come: they are no changes (ISO 32000-2, table 257).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain as joined
from math import inf
from typing import Any

from services.esign.domain.pdf import Document, PdfObject, Revision
from services.esign.domain.pdf_syntax import Dict, PdfError, Ref
from services.esign.domain.pdf_writer import text_of
from services.esign.domain.signatures import PdfSignature

# Keys that signing may change, by kind of object.
_CATALOG = frozenset({"AcroForm", "DSS", "Extensions", "Metadata", "Version"})
_CATALOG_OF_VALIDATION = frozenset({"AcroForm", "DSS", "Extensions"})
_VALIDATION = frozenset({"Certs", "OCSPs", "CRLs"})
_FORM = frozenset({"Fields", "SigFlags"})
# With these a field would show something, do something, or be part of another one.
_NOT_IN_FIELDS = frozenset({"Kids", "Parent", "Contents", "A", "AA"})
_FIELD = frozenset({"V", "AP", "M"})
# Later revisions that are looked at; each costs a walk through the whole document.
_MOST_LATER = 16
MOST_AREA = 595 * 842 / 4
"""What a later signature may draw must not cover a page: a quarter of A4, square points."""
_DEEPEST = 16
# When and by what metadata (XMP) were written: elements and attributes of plain text.
_WHEN_WRITTEN = re.compile(
    rb"<((?:xmp:(?:Modify|Metadata)Date)|pdf:Producer|xmpMM:InstanceID)>[^<>&]*</\1>"
    rb"|\s(?:(?:xmp:(?:Modify|Metadata)Date)|pdf:Producer|xmpMM:InstanceID)=\"[^\"<>&]*\""
)
_INFO = frozenset({"ModDate", "Producer"})


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a later revision that is no part of signing. `locked`: a signer had locked that field."""

    en: str
    locked: bool = False


def unlawful(document: Document, signed: Sequence[PdfSignature]) -> Change | None:
    """The first such thing in a revision after the first signature; None when there is none.

    `signed`: all signatures, in the order of their coverage.
    """
    ends = [revision.end for revision in document.revisions]
    first = ends.index(signed[0].covered_to)
    if len(ends) - 1 - first > _MOST_LATER:
        return Change(f"more than {_MOST_LATER} later revisions")
    locks = [_Locks.of(document, signature) for signature in signed]
    for at in range(first + 1, len(ends)):
        before = [lock for lock, signature in zip(locks, signed, strict=True) if signature.covered_to <= ends[at - 1]]
        found = _Revision(document, at, before).judge()
        if found:
            return found
    return None


def only_validation(document: Document, end: int) -> bool:
    """Whether from byte `end` on the document holds nothing but validation data and document timestamps."""
    ends = [revision.end for revision in document.revisions]
    if end not in ends:
        return False
    forbidding = (_Locks((), everything=True),)
    later = range(ends.index(end) + 1, len(ends))
    return len(later) <= _MOST_LATER and not any(_Revision(document, at, forbidding).judge() for at in later)


def locks_field(document: Document, signed: Sequence[PdfSignature], name: str) -> bool:
    """Whether one of the signatures locked the field of this full name."""
    return any(_Locks.of(document, signature).lock(name) for signature in signed)


class _Revision:
    """One later revision against all before it."""

    def __init__(self, document: Document, at: int, locks: Sequence["_Locks"]) -> None:
        self._document = document
        self._at = at
        self._locks = locks
        # Nothing but validation data and document timestamps, which are no changes (ISO 32000-2, table 257), and when
        # they came (Info).
        self._forbidding = any(lock.everything for lock in locks)
        self._new: Revision = document.revisions[at]
        self._violated = False

    def judge(self) -> Change | None:
        found = self._judge()
        return Change(found, locked=self._violated) if found else None

    def _judge(self) -> str:
        before = self._document.revisions[self._at - 1].trailer
        if self._new.freed or self._new.packed:
            return "objects were removed or packed away"
        if self._new.trailer.get("Root") != before.get("Root") or self._new.trailer.get("Info") != before.get("Info"):
            return "the document starts elsewhere"
        if any(self._referenced[number] for number in self._sections):
            return "a cross-reference section is something else as well"
        for number, found in self._new.objects.items():
            old = self._old(number)
            if old is None:
                if number in self._referenced or number in self._known:
                    return f"object {number} fills a place that was left open before signing"
            elif not (
                self._may_describe(number, old, found) if found.stream else self._may_replace(number, old, found)
            ):
                return f"object {number} was replaced"
        return self._more_than_validation() if self._forbidding else ""

    def _more_than_validation(self) -> str:
        """What is new and belongs neither to the validation data nor to a document timestamp."""
        catalog = self._is(self._new.trailer["Root"])
        waiting: list[Any] = [catalog.get("DSS"), *self._timestamps]
        reached: set[int] = set()
        while waiting:
            value = waiting.pop()
            if isinstance(value, Ref):
                if value[0] in self._new.objects and value[0] not in reached:
                    reached.add(value[0])
                    waiting.append(self._new.objects[value[0]].value)
            elif isinstance(value, dict):
                waiting += [member for key, member in value.items() if key != "P"]
            elif isinstance(value, list):
                waiting += value
        own = {n for n, found in self._new.objects.items() if found.start == self._new.xref_offset}
        new = self._new.objects.keys() - self._known - own
        if not new:
            return "a revision that adds nothing"
        return f"object {min(new - reached)} is no validation data" if new - reached else ""

    @cached_property
    def _known(self) -> frozenset[int]:
        """Numbers of all objects that earlier revisions knew, removed ones included."""
        return frozenset(
            joined.from_iterable((*r.objects, *r.packed, *r.freed) for r in self._document.revisions[: self._at])
        )

    @cached_property
    def _sections(self) -> frozenset[int]:
        """Numbers of the streams that are earlier revisions' cross-reference sections: their trailers."""
        return frozenset(
            found.number
            for revision in self._document.revisions[: self._at]
            for found in revision.objects.values()
            if found.start == revision.xref_offset
        )

    @cached_property
    def _referenced(self) -> Counter[int]:
        """How often the document before this revision points at each object, whether it exists or not."""
        waiting: list[Any] = [self._old(number) for number in self._known - self._sections]
        waiting.append(self._document.revisions[self._at - 1].trailer)
        found: Counter[int] = Counter()
        while waiting:
            value = waiting.pop()
            if isinstance(value, Ref):
                found[value[0]] += 1
            elif isinstance(value, dict):
                waiting += value.values()
            elif isinstance(value, list):
                waiting += value
        return found

    def _old(self, number: int) -> Any:
        return self._document.value_at(number, self._at - 1)

    def _was(self, value: Any) -> Any:
        return self._old(value[0]) if isinstance(value, Ref) else value

    def _is(self, value: Any) -> Any:
        return self._document.value_at(value[0], self._at) if isinstance(value, Ref) else value

    def _may_describe(self, number: int, old: Any, found: PdfObject) -> bool:
        """Metadata (XMP) are written anew by every save; they are shown nowhere on a page."""
        catalog = self._was(self._new.trailer["Root"])
        return (
            isinstance(old, Dict)
            and isinstance(catalog, Dict)
            and number == _number(catalog.get("Metadata"))
            and self._referenced[number] == 1
            and (old.get("Type"), old.get("Subtype")) == ("Metadata", "XML")
            and _same(old, found.value, {"Length", "Filter"})
            and (not self._forbidding or self._description(self._at - 1) == self._description(self._at))
        )

    def _description(self, at: int) -> bytes:
        """The metadata as they were after one save, but for when and by what they were written."""
        number = _number(self._was(self._new.trailer["Root"]).get("Metadata"))
        holders = (revision.objects.get(number) for revision in reversed(self._document.revisions[: at + 1]))
        holder = next((each for each in holders if each is not None), None)
        try:
            text = b"" if holder is None else self._document.stream_of(holder)
        except PdfError:
            return b"%d" % at
        return _WHEN_WRITTEN.sub(b"", text)

    def _may_replace(self, number: int, old: Any, found: PdfObject) -> bool:
        new = found.value
        catalog = self._was(self._new.trailer["Root"])
        # An object in two places could be a list of fields in the one and of pages in the other.
        single = self._referenced[number] == 1
        if isinstance(old, list) and isinstance(new, list):
            return single and (number in self._validation_lists or (number in self._lists and self._grown(old, new)))
        if not isinstance(old, Dict) or not isinstance(new, Dict) or not isinstance(catalog, Dict):
            return False
        if number == self._new.trailer["Root"][0]:
            return (
                _same(old, new, _CATALOG_OF_VALIDATION if self._forbidding else _CATALOG)
                and self._form(old.get("AcroForm"), new.get("AcroForm"))
                and _is_validation(self._is(new.get("DSS")))
            )
        if number == _number(catalog.get("AcroForm")):
            return single and self._form(old, new)
        if number == _number(catalog.get("DSS")):
            return single and _is_validation(new)
        if number == _number(self._new.trailer.get("Info")):
            return single and _same(old, new, _INFO)
        if old.get("Type") == "Page":
            return _same(old, new, {"Annots"}) and self._grown(
                self._was(old.get("Annots")), self._is(new.get("Annots"))
            )
        return not self._forbidding and old.get("FT") == "Sig" and self._signs(old, new)

    @cached_property
    def _validation_lists(self) -> set[int]:
        """Numbers of the objects that are lists of the validation data."""
        store = self._was(self._was(self._new.trailer["Root"]).get("DSS"))
        return {_number(store.get(key)) for key in _VALIDATION} - {-1} if isinstance(store, Dict) else set()

    @cached_property
    def _lists(self) -> set[int]:
        """Numbers of the objects that are a form's list of fields or a page's of annotations."""
        form = self._was(self._was(self._new.trailer["Root"]).get("AcroForm"))
        holders = [form.get("Fields")] if isinstance(form, Dict) else []
        for number in self._known:
            page = self._old(number)
            if isinstance(page, Dict) and page.get("Type") == "Page":
                holders.append(page.get("Annots"))
        return {_number(holder) for holder in holders} - {-1}

    def _form(self, old: Any, new: Any) -> bool:
        old, new = self._was(old), self._is(new)
        if old is None:
            old = Dict()
        if not isinstance(old, Dict) or not isinstance(new, Dict):
            return False
        return _same(old, new, _FORM) and self._grown(self._was(old.get("Fields")), self._is(new.get("Fields")))

    def _grown(self, old: Any, new: Any) -> bool:
        """Whether a list of fields or annotations is as before, but for invisible signature fields at its end."""
        old, new = old or [], new or []
        if not isinstance(old, list) or not isinstance(new, list) or new[: len(old)] != old:
            return False
        return all(self._adds(ref) for ref in new[len(old) :])

    def _adds(self, ref: Any) -> bool:
        if not isinstance(ref, Ref) or ref[0] in self._known:
            # A field that stood in the form already becomes no more visible by standing on its page too.
            return False
        field = self._is(ref)
        if not (
            isinstance(field, Dict)
            and field.get("FT") == "Sig"
            and field.get("Type", "Annot") == "Annot"
            and field.get("Subtype", "Widget") == "Widget"
            and not _NOT_IN_FIELDS & field.keys()
            and area(field.get("Rect")) == 0
            and self._names.get(full_name(field, self._was), ref) == ref
        ):
            return False
        self._names[full_name(field, self._was)] = ref
        if self._is_timestamp(field):
            self._timestamps.append(ref)
            return True
        return not self._forbidding and not self._locked(field)

    @cached_property
    def _names(self) -> dict[str, Ref]:
        """The form's fields by name: two of one name are one field to some readers. Grows with what is added."""
        form = self._was(self._was(self._new.trailer["Root"]).get("AcroForm"))
        listed = self._was(form.get("Fields")) if isinstance(form, Dict) else None
        found: dict[str, Ref] = {}
        for ref in listed if isinstance(listed, list) else []:
            field = self._was(ref)
            if isinstance(field, Dict):
                found[full_name(field, self._was)] = ref
        return found

    @cached_property
    def _timestamps(self) -> list[Ref]:
        """Fields of document timestamps that this revision adds, as far as it was judged."""
        return []

    def _is_timestamp(self, field: Dict) -> bool:
        ref = field.get("V")
        value = self._is(ref)
        return (
            isinstance(ref, Ref)
            and ref[0] in self._new.objects
            and ref[0] not in self._known
            and isinstance(value, Dict)
            and (value.get("Type"), value.get("SubFilter")) == ("DocTimeStamp", "ETSI.RFC3161")
            and "Reference" not in value
        )

    def _signs(self, old: Dict, new: Dict) -> bool:
        """A field that the earlier signer saw empty now holds a signature that came with this revision."""
        value = new.get("V")
        return (
            old.get("V") is None
            and isinstance(value, Ref)
            and value[0] in self._new.objects
            and value[0] not in self._known
            and _same(old, new, _FIELD)
            and area(old.get("Rect")) <= MOST_AREA
            and not self._locked(old)
        )

    def _locked(self, field: Dict) -> bool:
        name = full_name(field, self._was)
        if any(lock.lock(name) for lock in self._locks):
            self._violated = True
        return self._violated


@dataclass(frozen=True, slots=True)
class _Locks:
    """What one signature locks: FieldMDP parameters (action, full names), and whether it forbids everything."""

    fields: tuple[tuple[str, frozenset[str]], ...]
    everything: bool

    @classmethod
    def of(cls, document: Document, signature: PdfSignature) -> "_Locks":
        """From its FieldMDP transforms and from its field's lock (ISO 32000-2, tables 236 and 259): readers go by
        either.
        """
        holder = document.object(signature.number)
        references = document.resolve(holder.value.get("Reference")) if holder is not None else None
        found: list[Mapping[str, Any]] = []
        for each in references if isinstance(references, list) else []:
            transform = document.resolve(each)
            if isinstance(transform, Dict) and transform.get("TransformMethod") == "FieldMDP":
                parameters = document.resolve(transform.get("TransformParams"))
                found.append(parameters if isinstance(parameters, Dict) else {})
        field = document.resolve(Ref((signature.field, 0)))
        lock = document.resolve(field.get("Lock")) if isinstance(field, Dict) else None
        if isinstance(lock, Dict):
            found.append(lock)
        forbids = signature.permission == 1 or (isinstance(lock, Dict) and lock.get("P") == 1)
        return cls(tuple(_named(document, each) for each in found), forbids)

    def lock(self, name: str) -> bool:
        """Whether the field of this full name may not change any more."""
        for action, listed in self.fields:
            among = any(name == each or name.startswith(each + ".") for each in listed)
            # What is not understood locks everything.
            if action not in {"Include", "Exclude"} or among is (action == "Include"):
                return True
        return False


def _named(document: Document, parameters: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    listed = document.resolve(parameters.get("Fields"))
    names = [document.resolve(name) for name in listed] if isinstance(listed, list) else []
    if not all(isinstance(name, bytes) for name in names):
        return "All", frozenset()
    return str(parameters.get("Action")), frozenset(map(text_of, names))


def full_name(field: Mapping[str, Any], resolve: Callable[[Any], Any]) -> str:
    """A field's full name (ISO 32000-2, 12.7.4.2), its ancestors' before its own."""
    parts: list[str] = []
    node: Any = field
    for _ in range(_DEEPEST):
        if not isinstance(node, Dict):
            break
        if isinstance(node.get("T"), bytes):
            parts.append(text_of(node["T"]))
        node = resolve(node.get("Parent"))
    return ".".join(reversed(parts))


def _is_validation(store: Any) -> bool:
    """Whether a document security store (ISO 32000-2, 12.8.4.3), if there is one, holds what such a store holds."""
    return store is None or (isinstance(store, Dict) and store.keys() <= _VALIDATION | {"Type", "VRI"})


def _same(old: Mapping[str, Any], new: Mapping[str, Any], but: Iterable[str]) -> bool:
    return {k: v for k, v in old.items() if k not in but} == {k: v for k, v in new.items() if k not in but}


def _number(value: Any) -> int:
    return value[0] if isinstance(value, Ref) else -1


def area(rectangle: Any) -> float:
    """Area in square points; of what is no rectangle, infinite."""
    if not isinstance(rectangle, list) or len(rectangle) != 4 or not all(type(n) in {int, float} for n in rectangle):
        return inf
    return float(abs((rectangle[2] - rectangle[0]) * (rectangle[3] - rectangle[1])))
