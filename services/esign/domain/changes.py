"""What came into a document between two of its signed versions, and whether the earlier signatures let it.

Two readers disagree about what a later version may do; shadow and certification attacks live in that gap. So both
versions are walked side by side from the trailer, and everything has to be equal but what signing itself needs: a
signature in a field that the earlier signer saw, a new field for a signature (invisible, or where the page was blank),
a document timestamp, validation data (DSS), when and by what the file was written (Info, XMP), and form fields that a
certification lets be filled in. What was added and belongs to none of these is a change as well, also when nothing
points at it. A certification that forbids every change (DocMDP, P = 1) still lets validation data and document
timestamps come: they are no changes (ISO 32000-2, table 257).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from itertools import pairwise
from typing import Any

from services.esign.domain import additions, signatures, xmp
from services.esign.domain.additions import MOST_OF_PAGE, MOST_OF_PAGE_NEW, Patch, Why
from services.esign.domain.pdf import FREE, Document, PdfObject, Place
from services.esign.domain.pdf_syntax import Dict, Name, PdfError, Ref
from services.esign.domain.pdf_walk import Revision, walk
from services.esign.domain.pdf_writer import text_of
from services.esign.domain.shadow import ACTIVE, VARYING
from services.esign.domain.signatures import PdfSignature, inherited
from services.esign.domain.xmp import XmpError

# Keys of a new field for a signature; others would show something, do something, or be part of another field.
_NEW_FIELD = frozenset(
    {
        "Type",
        "Subtype",
        "FT",
        "T",
        "TU",
        "TM",
        "V",
        "F",
        "Ff",
        "Rect",
        "P",
        "AP",
        "M",
        "NM",
        "DA",
        "Q",
        "Lock",
        "SV",
        "MK",
        "H",
        "DR",
    }
)
_SIGNING = frozenset({"V", "AP", "M", "F"})
_FILLING = frozenset({"V", "AP", "AS", "M", "I"})
_FILLED_TYPES = frozenset({"Tx", "Ch", "Btn"})
# What a trailer says of the file and not of the document; and what a cross-reference stream has as a stream.
_OF_THE_FILE = frozenset(
    {"Size", "Prev", "ID", "XRefStm", "Type", "W", "Index", "Filter", "DecodeParms", "Length", "DocChecksum"}
)
_VALIDATION = frozenset({"Type", "VRI", "Certs", "OCSPs", "CRLs"})
_VALIDATION_OF_ONE = frozenset({"Type", "Cert", "OCSP", "CRL", "TU", "TS"})
_DATA_STREAM = frozenset({"Length", "Filter", "DecodeParms", "Type", "Subtype"})
_EXTENSION = frozenset({"Type", "BaseVersion", "ExtensionLevel", "ExtensionRevision", "URL"})
_VERSION = re.compile(r"[12]\.\d")
_INFO = frozenset({"ModDate", "Producer"})
# Flag of a field (ISO 32000-1, table 221).
_READ_ONLY = 1
_MOST_PAIRS = 400_000


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a later version that is no part of signing. `locked`: a signer had locked that field. `unclear`: it
    cannot be said what it is for, so it breaks no certification that lets anything come.
    """

    en: str
    locked: bool = False
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """From one version of a document to the next: what came, and the first thing that should not have.

    `before` and `after` are where the versions end in the file, `ends` where each save between them does. `patches`:
    places that may look different. `filled`: names of form fields filled in.
    """

    before: int
    after: int
    signed: tuple[PdfSignature, ...] = ()
    ends: tuple[int, ...] = ()
    patches: tuple[Patch, ...] = ()
    filled: tuple[str, ...] = ()
    validation: bool = False
    change: Change | None = None


def history(document: Document, signed: Sequence[PdfSignature]) -> tuple[Passage, ...]:
    """From the version of the first signature to that of the next, and so on to the document as it is; empty when the
    first one covers all of it. `signed`: all signatures, in the order of their coverage, each part of the version it
    covers. Raises PdfError when it is more than can be judged.
    """
    # White space behind the last version draws nothing and says nothing.
    earlier = sorted({signature.covered_to for signature in signed if not signature.covers_whole(document)})
    versions = [*(document.until(end) for end in earlier), document]
    locks = [_Locks.of(document, signature) for signature in signed]
    return tuple(
        _Comparison(
            before,
            after,
            [s for s in signed if before.end < s.covered_to <= after.end],
            [lock for lock, s in zip(locks, signed, strict=True) if s.covered_to <= before.end],
        ).passage()
        for before, after in pairwise(versions)
    )


def locks_field(document: Document, signed: Sequence[PdfSignature], name: str) -> bool:
    """Whether one of the signatures locked the field of this full name."""
    return any(_Locks.of(document, signature).lock(name) for signature in signed)


class _Role(Enum):
    """What a value is in a document, where that decides what may be different."""

    PLAIN = auto()
    TRAILER = auto()
    CATALOG = auto()
    FORM = auto()
    RESOURCES = auto()
    # A list of fields or of a page's annotations.
    GROWING = auto()
    VALIDATION = auto()
    EXTENSIONS = auto()
    VERSION = auto()
    METADATA = auto()
    INFO = auto()
    FREE = auto()


# Values that may come to stand in an object of their own, or under another number.
_MAY_MOVE = frozenset(_Role) - {_Role.PLAIN}
_ROLES: Mapping[_Role, Mapping[str, _Role]] = {
    _Role.TRAILER: {"Root": _Role.CATALOG, "Info": _Role.INFO, **dict.fromkeys(_OF_THE_FILE, _Role.FREE)},
    _Role.CATALOG: {
        "AcroForm": _Role.FORM,
        "DSS": _Role.VALIDATION,
        "Extensions": _Role.EXTENSIONS,
        "Version": _Role.VERSION,
        "Metadata": _Role.METADATA,
    },
    _Role.FORM: {"Fields": _Role.GROWING, "DR": _Role.RESOURCES, "SigFlags": _Role.FREE},
}


class _ChangedError(Exception):
    def __init__(self, en: str, *, locked: bool = False, unclear: bool = False) -> None:
        super().__init__(en)
        self.change = Change(en, locked, unclear)


@dataclass(slots=True)
class _Found:
    patches: list[Patch] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    validation: bool = False
    # Numbers of the streams that validation data are.
    data: set[int] = field(default_factory=set)
    # Numbers of new or rewritten objects that belong to something.
    explained: set[int] = field(default_factory=set)


class _Comparison:
    """Two versions of one file, side by side."""

    def __init__(
        self, before: Document, after: Document, signed: Sequence[PdfSignature], locks: Sequence["_Locks"]
    ) -> None:
        self._before = before
        self._after = after
        self._signed = {signature.number: signature for signature in signed}
        self._locks = locks
        # Nothing but validation data and document timestamps, and when they came (Info, XMP).
        self._forbidding = any(lock.everything for lock in locks)
        self._filling = not self._forbidding and any(lock.filling for lock in locks)
        self._found = _Found()
        self._revisions: list[Revision] = []
        self._waiting: list[tuple[Any, Any, _Role]] = []
        self._seen: set[tuple[int, int, _Role]] = set()
        self._natures: dict[tuple[int, int], _Role] = {}

    def passage(self) -> Passage:
        change: Change | None = None
        try:
            self._judge()
        except _ChangedError as cause:
            change = cause.change
            # It was not read to its end: whatever else changed, signatures may show in their fields.
            self._found.patches += self._fields_of_signatures()
        found = self._found
        return Passage(
            self._before.end,
            self._after.end,
            tuple(self._signed.values()),
            tuple(revision.end for revision in self._revisions),
            tuple(found.patches),
            tuple(found.filled),
            found.validation,
            change,
        )

    def _judge(self) -> None:
        try:
            self._revisions = walk(self._after, self._before.end)
        except PdfError as cause:
            if cause.limit:
                raise
            raise _ChangedError(f"what was added has no single reading: {cause}") from cause
        self._natures = self._known_dictionaries()
        self._waiting.append((self._before.trailer, self._after.trailer, _Role.TRAILER))
        while self._waiting:
            self._pair(*self._waiting.pop())
        self._nothing_else()
        if self._forbidding and not self._signed and not self._found.validation:
            raise _ChangedError("the file was saved again with nothing that the certification lets come")

    def _known_dictionaries(self) -> dict[tuple[int, int], _Role]:
        """Catalog, form and document information, which others point at too: a signature at the catalog it is of."""
        found: dict[tuple[int, int], _Role] = {}
        trailers, catalogs = (
            (self._before.trailer, self._after.trailer),
            (self._before.catalog(), self._after.catalog()),
        )
        for holders, key, role in (
            (trailers, "Root", _Role.CATALOG),
            (trailers, "Info", _Role.INFO),
            (catalogs, "AcroForm", _Role.FORM),
        ):
            old, new = (holder.get(key) for holder in holders)
            if isinstance(old, Ref) and isinstance(new, Ref):
                found[old[0], new[0]] = role
        return found

    def _nothing_else(self) -> None:
        """What was added belongs to something, and nothing of it acts or varies."""
        for revision in self._revisions:
            containers = set(revision.packed.values())
            own = (revision.objects.keys() | revision.packed.keys()) - revision.bookkeeping - containers
            if left := sorted(n for n in own - self._found.explained if not self._leftover(n, revision)):
                raise _ChangedError(f"object {left[0]} was added or rewritten and belongs to nothing", unclear=True)
            for number in own:
                names = _names(self._after.value(number)) - _names(self._was(number))
                if bad := sorted(names & (ACTIVE | VARYING)):
                    raise _ChangedError(f"object {number} brings /{bad[0]}")

    def _leftover(self, number: int, revision: Revision) -> bool:
        """Whether an object that nothing points at is one of those that widespread libraries leave behind when they
        sign: a font without a name, a form without an operator, a widget without extent, a list of validation data, a
        second copy of the cross-reference section. They show nothing, whoever pointed at them.
        """
        value = self._after.value(number)
        if self._before.entries.get(number, FREE).place != Place.FREE:
            return False
        if isinstance(value, list):
            return all(isinstance(each, Ref) and each[0] in self._found.data for each in value)
        if not isinstance(value, Dict):
            return False
        holder = self._after.object(number)
        if holder is not None and holder.stream is not None:
            if value.get("Type") == "XRef":
                listed = self._after.stream_section(holder).entries
                return all(number == n or revision.section.entries.get(n) == entry for n, entry in listed.items())
            plain = (
                value.keys() <= additions.FORM_KEYS and value.get("Subtype") == "Form" and not value.get("Resources")
            )
            return plain and not holder.loose and additions.draws_nothing(self._after, holder)
        if value == {"Type": "Font"} or (value.get("Type") == "VRI" and value.keys() <= _VALIDATION_OF_ONE):
            return True
        return (
            value.keys() <= {"Type", "Subtype", "AP", "F", "Rect"}
            and value.get("Subtype") == "Widget"
            and additions.invisible(self._after, value)
        )

    # Pairs of values.

    def _pair(self, old: Any, new: Any, role: _Role) -> None:
        if role is _Role.FREE:
            self._explain(new)
            return
        old_ref = old if isinstance(old, Ref) else None
        new_ref = new if isinstance(new, Ref) else None
        if old_ref is not None and new_ref is not None:
            # What they are is known, from wherever they are pointed at.
            role = self._natures.get((old_ref[0], new_ref[0]), role) if role is _Role.PLAIN else role
            key = (old_ref[0], new_ref[0], role)
            if key in self._seen:
                return
            self._seen.add(key)
            if len(self._seen) > _MOST_PAIRS:
                raise PdfError("TOO_MANY_OBJECTS", "too many objects to compare", limit=True)
        if new_ref is not None:
            self._found.explained.add(new_ref[0])
        if role is _Role.PLAIN and (
            (old_ref is None) != (new_ref is None)
            or (old_ref is not None and new_ref is not None and old_ref[0] != new_ref[0])
        ):
            raise _ChangedError("a value was put in another's place")
        if old_ref is not None and new_ref is not None and old_ref[0] == new_ref[0]:
            number = new_ref[0]
            if not self._touched(number):
                value = self._was(number)
                self._values(value, value, role, number)
                return
            self._same_streams(old_ref[0], new_ref[0], role)
        elif old_ref is not None and new_ref is not None:
            self._same_streams(old_ref[0], new_ref[0], role)
        elif role is not _Role.PLAIN and (self._stream(self._before, old) or self._stream(self._after, new)):
            raise _ChangedError("a stream came or went")
        self._values(self._before.resolve(old), self._after.resolve(new), role, -1 if new_ref is None else new_ref[0])

    def _values(self, old: Any, new: Any, role: _Role, number: int) -> None:
        """Two values that stand in each other's place. `number`: of the object, if they are one."""
        match role:
            case _Role.VALIDATION:
                self._validation(old, new)
                return
            case _Role.EXTENSIONS:
                self._extensions(new)
                return
            case _Role.VERSION:
                if new != old and not (isinstance(new, Name) and _VERSION.fullmatch(new)):
                    raise _ChangedError("the version is none")
                return
            case _Role.METADATA:
                # The stream's text was compared before.
                return
            case _Role.INFO:
                self._info(old, new)
                return
            case _Role.GROWING:
                self._grown(old, new)
                return
            case _:
                pass
        if role is _Role.RESOURCES:
            self._resources(old, new)
        elif isinstance(old, Dict) and isinstance(new, Dict):
            self._dictionaries(old, new, role, number)
        elif isinstance(old, list) and isinstance(new, list):
            if len(old) != len(new):
                raise _ChangedError("a list has another length")
            self._members(zip(old, new, strict=True))
        elif not _alike(old, new):
            raise _ChangedError("a value was changed" if number < 0 else f"object {number} was changed")

    def _members(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Members of a list: numbers and names are compared at once."""
        for old, new in pairs:
            if isinstance(old, (Ref, dict, list)) or isinstance(new, (Ref, dict, list)):
                self._waiting.append((old, new, _Role.PLAIN))
            elif not _alike(old, new):
                raise _ChangedError("a value was changed")

    def _dictionaries(self, old: Dict, new: Dict, role: _Role, number: int) -> None:
        roles: Mapping[str, _Role] = _ROLES.get(role, {})
        free: frozenset[str] = frozenset()
        if role is _Role.PLAIN:
            if old.get("Type") == "Page" and new.get("Type") == "Page":
                roles = {"Annots": _Role.GROWING}
            elif _is_field(old) and _is_field(new):
                free = self._field(old, new, number)
        elif role is _Role.FORM:
            free = self._form(old, new)
        if self._made_read_only(old, new):
            free |= {"Ff"}
        for key in old.keys() | new.keys():
            if key in free:
                self._explain(new.get(key))
                if key == "AP" and old.get(key) is not None:
                    self._found.explained |= self._appearances(new)
                continue
            one, other = old.get(key), new.get(key)
            child = roles.get(key, _Role.PLAIN)
            if child is not _Role.PLAIN or isinstance(one, (Ref, dict, list)) or isinstance(other, (Ref, dict, list)):
                if one is not other or one is not None:
                    self._waiting.append((one, other, child))
            elif not _alike(one, other):
                raise _ChangedError(f"/{key} was changed")

    def _made_read_only(self, old: Dict, new: Dict) -> bool:
        """Whether a field that could be filled in is read-only now, as signing with a lock makes it: it shows the
        same.
        """
        one, other = old.get("Ff", 0), new.get("Ff", 0)
        return (
            type(one) is int and type(other) is int and other == one | _READ_ONLY and _is_field(old) and _is_field(new)
        )

    def _same_streams(self, old: int, new: int, role: _Role) -> None:
        one, other = self._before.object(old), self._after.object(new)
        before, after = _raw(self._before, one), _raw(self._after, other)
        if (
            role is _Role.METADATA
            and one is not None
            and other is not None
            and before is not None
            and after is not None
        ):
            for each in (one, other):
                if (each.value.get("Type"), each.value.get("Subtype")) != ("Metadata", "XML"):
                    raise _ChangedError("the metadata are none")
            if not self._says_the_same(one, other):
                raise _ChangedError("the metadata say something else")
            self._explain(other.value)
            return
        if before != after or (other is not None and other.loose):
            raise _ChangedError(f"the stream {new} was changed")

    def _says_the_same(self, old: PdfObject, new: PdfObject) -> bool:
        """Whether metadata are as before, but for when and by what they were written."""
        one, other = self._before.stream_of(old), self._after.stream_of(new)
        try:
            return one == other or xmp.properties(one) == xmp.properties(other)
        except XmpError:
            return False

    def _stream(self, document: Document, value: Any) -> bool:
        holder = document.object(value[0]) if isinstance(value, Ref) else None
        return holder is not None and holder.stream is not None

    def _touched(self, number: int) -> bool:
        """Whether the later version says something of the object that the earlier did not."""
        one = self._before.entries.get(number, FREE)
        other = self._after.entries.get(number, FREE)
        if one != other:
            return True
        return one.place == Place.IN_STREAM and self._touched(one.a)

    def _was(self, number: int) -> Any:
        """The earlier value. What cannot be read is the same in both versions, and nothing to any reader."""
        try:
            return self._before.value(number)
        except PdfError as cause:
            if cause.limit:
                raise
            return None

    # What may be different.

    def _info(self, old: Any, new: Any) -> None:
        if old is None and new is None:
            return
        if not isinstance(old, Dict) or not isinstance(new, Dict):
            raise _ChangedError("the document information came or went")
        for key in old.keys() | new.keys():
            if key in _INFO:
                if not isinstance(self._after.resolve(new.get(key)), (bytes, type(None))):
                    raise _ChangedError(f"/{key} is no text")
                self._explain(new.get(key))
            elif self._before.resolve(old.get(key)) != self._after.resolve(new.get(key)):
                raise _ChangedError(f"/{key} of the document information was changed")
            else:
                self._explain(new.get(key))

    def _form(self, old: Dict, new: Dict) -> frozenset[str]:
        """What may be different in the form beside its fields: the keys."""
        one, other = (self._before.resolve(old.get("SigFlags", 0)), self._after.resolve(new.get("SigFlags", 0)))
        if type(other) is not int or other not in range(4) or (type(one) is int and one & ~other):
            raise _ChangedError("/SigFlags was changed")
        # A default look for fields that have none of their own: they are written anew only when somebody fills them in.
        came = old.get("DA") is None and isinstance(new.get("DA"), bytes)
        return frozenset({"DA"}) if came else frozenset()

    def _resources(self, old: Any, new: Any, depth: int = 0) -> None:
        """Resources for what is filled in: more of them, and the old ones as they were."""
        if old is None and isinstance(new, Dict):
            self._explain(new)
            return
        if not isinstance(old, Dict) or not isinstance(new, Dict):
            self._waiting.append((old, new, _Role.PLAIN))
            return
        for key, value in old.items():
            other = new.get(key)
            if depth == 0 and isinstance(value, (Ref, Dict)) and isinstance(other, (Ref, Dict)):
                if isinstance(other, Ref):
                    self._found.explained.add(other[0])
                self._resources(self._before.resolve(value), self._after.resolve(other), 1)
            else:
                self._waiting.append((value, other, _Role.PLAIN))
        for key in new.keys() - old.keys():
            self._explain(new[key])

    def _extensions(self, new: Any) -> None:
        """Developers' extensions (ISO 32000-1, 7.12): names of versions."""
        listed = new.items() if isinstance(new, Dict) else ()
        for key, value in listed:
            extension = self._after.resolve(value)
            if key == "Type":
                continue
            each = extension if isinstance(extension, list) else [extension]
            for one in map(self._after.resolve, each):
                if not isinstance(one, Dict) or not one.keys() <= _EXTENSION:
                    raise _ChangedError("/Extensions has what is no extension")
        if new is not None and not isinstance(new, Dict):
            raise _ChangedError("/Extensions is no dictionary")
        self._explain(new)

    def _validation(self, old: Any, new: Any) -> None:
        """A document security store (ISO 32000-2, 12.8.4.3): streams of data that nobody draws."""
        if new is None and old is None:
            return
        if not isinstance(new, Dict) or not new.keys() <= _VALIDATION:
            raise _ChangedError("/DSS is no store of validation data")
        lists = [new.get(key) for key in ("Certs", "OCSPs", "CRLs")]
        one_by_one = self._after.resolve(new.get("VRI")) or {}
        if not isinstance(one_by_one, dict):
            raise _ChangedError("/DSS is no store of validation data")
        for each in one_by_one.values():
            store = self._after.resolve(each)
            if isinstance(store, Name) and store == "VRI":
                continue
            if not isinstance(store, Dict) or not store.keys() <= _VALIDATION_OF_ONE:
                raise _ChangedError("/DSS is no store of validation data")
            lists += [store.get(key) for key in ("Cert", "OCSP", "CRL")]
            lists.append([store["TS"]] if "TS" in store else None)
        for each in lists:
            self._data_streams(each)
        self._found.validation = self._found.validation or old != new
        self._explain(new, through_known=True)

    def _data_streams(self, listed: Any) -> None:
        found = self._after.resolve(listed)
        for ref in found if isinstance(found, list) else []:
            holder = self._after.object(ref[0]) if isinstance(ref, Ref) else None
            if holder is None or holder.stream is None or not holder.value.keys() <= _DATA_STREAM:
                raise _ChangedError("/DSS lists what is no validation data")
            self._found.data.add(ref[0])

    def _grown(self, old: Any, new: Any) -> None:
        """A list of fields or annotations as before, but for new fields of signatures."""
        if not isinstance(old or [], list) or not isinstance(new or [], list):
            raise _ChangedError("a list of fields or annotations is none")
        kept: list[Any] = []
        for ref in new or []:
            if isinstance(ref, Ref) and self._before.entries.get(ref[0], FREE).place == Place.FREE:
                self._new_field(ref)
            else:
                kept.append(ref)
        if len(kept) != len(old or []):
            raise _ChangedError("a field or an annotation came or went")
        self._members(zip(old or [], kept, strict=True))

    def _new_field(self, ref: Ref) -> None:
        if ref[0] in self._found.explained:
            return
        value = self._after.value(ref[0])
        above = value.get("Parent") if isinstance(value, Dict) else None
        if isinstance(above, Ref) and self._before.entries.get(above[0], FREE).place == Place.FREE:
            # The widget of a field that came with it: judged with that.
            self._new_field(above)
            if ref[0] in self._found.explained:
                return
        if not isinstance(value, Dict) or value.get("FT") != "Sig" or not value.keys() <= _NEW_FIELD | {"Kids"}:
            raise _ChangedError(f"object {ref[0]}, a new annotation or field, is no plain field of a signature")
        if value.get("Type", "Annot") != "Annot" or value.get("Subtype", "Widget") != "Widget":
            raise _ChangedError(f"the new field {ref[0]} is no annotation of a field")
        if self._after.resolve(value.get("MK")) not in (None, {}):
            raise _ChangedError(f"the new field {ref[0]} has a look of its own")
        name = signatures_name(self._after, value)
        if name in self._names:
            raise _ChangedError("a new field has the name of another")
        self._names.add(name)
        signature = self._signature(value)
        if self._forbidding and (signature is None or not signature.is_timestamp):
            raise _ChangedError("a field was added, which the certification forbids")
        if not (signature is not None and signature.is_timestamp):
            self._refuse_locked(name)
        if "Kids" in value:
            ref, widget = self._only_widget(ref, value)
        else:
            widget = value
        if not additions.invisible(self._after, widget):
            self._visible(ref, widget, signature)
        self._found.explained.add(ref[0])
        self._explain(value)

    def _only_widget(self, ref: Ref, value: Dict) -> tuple[Ref, Dict]:
        """The one widget of a new field that has it apart."""
        self._found.explained.add(ref[0])
        kids = self._after.resolve(value.get("Kids"))
        kid = kids[0] if isinstance(kids, list) and len(kids) == 1 else None
        widget = self._after.resolve(kid)
        if (
            not isinstance(kid, Ref)
            or self._before.entries.get(kid[0], FREE).place != Place.FREE
            or not isinstance(widget, Dict)
            or not widget.keys() <= (_NEW_FIELD - {"V", "FT", "T"}) | {"Parent"}
            or widget.get("Parent") != ref
            or widget.get("Subtype") != "Widget"
            or self._after.resolve(widget.get("MK")) not in (None, {})
        ):
            raise _ChangedError(f"the new field {ref[0]} is not shown by one plain widget")
        self._found.explained.add(kid[0])
        return kid, widget

    def _visible(self, ref: Ref, value: Dict, signature: PdfSignature | None) -> None:
        if signature is None or signature.is_timestamp:
            raise _ChangedError(f"the new field {ref[0]} shows something that nobody signed")
        number, page = self._page_of(ref, value)
        why = additions.misfit(self._after, value, page, most=MOST_OF_PAGE_NEW)
        box = additions.rectangle(self._after.resolve(value.get("Rect")))
        if not why and (box is None or additions.outside(self._after, box, page)):
            why = "it is not on its page"
        if why or box is None:
            raise _ChangedError(f"the new field {ref[0]}: {why}")
        self._found.patches.append(Patch(number, box, Why.NEW))

    def _signature(self, value: Mapping[str, Any]) -> PdfSignature | None:
        """The signature that came with this version into the field; None when it is empty."""
        ref = value.get("V")
        if ref is None:
            return None
        found = self._signed.get(ref[0]) if isinstance(ref, Ref) else None
        if found is None or self._before.entries.get(found.number, FREE).place != Place.FREE:
            raise _ChangedError("a field holds what is no signature of this version")
        return found

    def _field(self, old: Dict, new: Dict, number: int) -> frozenset[str]:
        """What may be different in a field or its widget: the keys."""
        changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        if any(self._touched(each) for each in self._appearances(new)):
            # Drawn anew under its old number.
            changed.add("AP")
        held = inherited(self._before, old, "V"), inherited(self._after, new, "V")
        if not changed & (_SIGNING | _FILLING) and not (held[0] is None and held[1] is not None):
            return frozenset()
        kind = inherited(self._before, old, "FT")
        if kind == "Sig":
            return self._signing(old, new, changed, number) if held[0] is None and held[1] is not None else frozenset()
        return self._filling_in(new, changed, number, str(kind)) if kind in _FILLED_TYPES else frozenset()

    def _appearances(self, value: Mapping[str, Any]) -> set[int]:
        """Numbers of the objects that a widget's look is: what /AP is and, where that is one stream, the stream."""
        states = value.get("AP")
        found = {states[0]} if isinstance(states, Ref) else set()
        listed = self._after.resolve(states)
        normal = listed.get("N") if isinstance(listed, Dict) else None
        return found | {normal[0]} if isinstance(normal, Ref) else found

    def _signing(self, old: Dict, new: Dict, changed: set[str], number: int) -> frozenset[str]:
        name = signatures_name(self._after, new)
        if "V" in changed:
            self._signature(new)
        if self._forbidding:
            raise _ChangedError("a field was signed, which the certification forbids")
        self._refuse_locked(name)
        if new.get("Subtype") == "Widget" and not additions.invisible(self._after, new):
            ref = Ref((number, 0))
            page, value = self._page_of(ref, new)
            why = additions.misfit(self._after, new, value, most=MOST_OF_PAGE)
            box = additions.rectangle(self._after.resolve(new.get("Rect")))
            if why or box is None:
                raise _ChangedError(f"the signed field {number}: {why}")
            self._found.patches.append(Patch(page, box, Why.SIGNED))
        elif "AP" in changed and new.get("Subtype") != "Widget":
            raise _ChangedError("an appearance came to what is no widget")
        return _SIGNING

    def _filling_in(self, new: Dict, changed: set[str], number: int, kind: str) -> frozenset[str]:
        name = signatures_name(self._after, new)
        if not self._filling:
            raise _ChangedError(f"the form field {name} was changed")
        self._refuse_locked(name)
        if new.get("Subtype") == "Widget":
            page, value = self._page_of(Ref((number, 0)), new)
            box = additions.rectangle(self._after.resolve(new.get("Rect")))
            why = additions.misfit(self._after, new, value, most=1.0) if "AP" in changed else ""
            if why or box is None or (kind == "Btn" and "AP" in changed):
                # A button shows one of its standing looks; which one is /AS.
                raise _ChangedError(f"the form field {name} shows what is not its own: {why}")
            self._found.patches.append(Patch(page, box, Why.FILLED))
        elif "AP" in changed:
            raise _ChangedError("an appearance came to what is no widget")
        if name not in self._found.filled:
            self._found.filled.append(name)
        return _FILLING

    def _refuse_locked(self, name: str) -> None:
        if any(lock.lock(name) for lock in self._locks):
            raise _ChangedError(f"the field {name} was locked", locked=True)

    def _page_of(self, ref: Ref, value: Mapping[str, Any]) -> tuple[int, Dict]:
        """Number (from 0) and dictionary of the page that a widget is on."""
        number = self._widgets.get(ref[0])
        if number is None:
            page = value.get("P")
            number = self._pages.get(page[0], (None, None))[0] if isinstance(page, Ref) else None
        if number is None:
            raise _ChangedError(f"the field {ref[0]} shows something and is on no page")
        return number, self._listed_pages[number]

    @cached_property
    def _listed_pages(self) -> list[Dict]:
        return [value for _, value in self._after.pages()]

    @cached_property
    def _pages(self) -> dict[int, tuple[int, Dict]]:
        return {ref[0]: (at, value) for at, (ref, value) in enumerate(self._after.pages())}

    @cached_property
    def _widgets(self) -> dict[int, int]:
        """Pages by the numbers of their annotations."""
        found: dict[int, int] = {}
        for at, page in enumerate(self._listed_pages):
            listed = self._after.resolve(page.get("Annots"))
            for each in listed if isinstance(listed, list) else []:
                if isinstance(each, Ref):
                    found.setdefault(each[0], at)
        return found

    def _fields_of_signatures(self) -> Iterator[Patch]:
        try:
            for number, page in enumerate(self._listed_pages):
                listed = self._after.resolve(page.get("Annots"))
                for ref in listed if isinstance(listed, list) else []:
                    value = self._after.resolve(ref)
                    if isinstance(value, Dict) and inherited(self._after, value, "FT") == "Sig":
                        box = additions.rectangle(self._after.resolve(value.get("Rect")))
                        if box is not None:
                            yield Patch(number, box, Why.SIGNED)
        except PdfError:
            return

    @cached_property
    def _names(self) -> set[str]:
        """The form's fields by full name: two of one name are one field to some readers. Grows with what is added."""
        return {name for _, value, name in signatures.fields(self._before) if "T" in value}

    def _explain(self, value: Any, *, through_known: bool = False) -> None:
        """All that belongs to something new. What was there before is compared where it stands; `through_known`: it
        may be rewritten here, because nobody draws it.
        """
        waiting = [value]
        seen: set[int] = set()
        while waiting:
            each = waiting.pop()
            if isinstance(each, Ref):
                number = each[0]
                known = self._before.entries.get(number, FREE).place != Place.FREE
                if number in seen or (known and not through_known):
                    continue
                seen.add(number)
                self._found.explained.add(number)
                waiting.append(self._after.value(number))
            elif isinstance(each, dict):
                waiting += each.values()
            elif isinstance(each, list):
                waiting += each


def signatures_name(document: Document, value: Mapping[str, Any]) -> str:
    """A field's full name (ISO 32000-2, 12.7.4.2), its ancestors' before its own."""
    return full_name(value, document.resolve)


def _alike(old: Any, new: Any) -> bool:
    """Whether two plain values are the same; a whole number may be written as a real one."""
    return bool(old == new) and (type(old) is type(new) or {type(old), type(new)} == {int, float})


def _is_field(value: Mapping[str, Any]) -> bool:
    if "Subtype" in value:
        return bool(value["Subtype"] == "Widget")
    return "FT" in value or ("T" in value and ("Kids" in value or "Parent" in value))


def _raw(document: Document, holder: PdfObject | None) -> bytes | None:
    if holder is None or holder.stream is None:
        return None
    return document.data[holder.stream[0] : holder.stream[1]]


def _names(value: Any) -> set[str]:
    found: set[str] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found |= each.keys()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, Name):
            found.add(each)
    return found


@dataclass(frozen=True, slots=True)
class _Locks:
    """What one signature locks: FieldMDP parameters (action, full names), whether it forbids everything, and whether
    it lets forms be filled in.
    """

    fields: tuple[tuple[str, frozenset[str]], ...]
    everything: bool
    filling: bool

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
        value = document.resolve(Ref((signature.field, 0)))
        lock = document.resolve(value.get("Lock")) if isinstance(value, Dict) else None
        if isinstance(lock, Dict):
            found.append(lock)
        forbids = signature.permission == 1 or (isinstance(lock, Dict) and lock.get("P") == 1)
        return cls(tuple(_named(document, each) for each in found), forbids, signature.permission in {2, 3})

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


def full_name(value: Mapping[str, Any], resolve: Callable[[Any], Any]) -> str:
    """A field's full name (ISO 32000-2, 12.7.4.2), its ancestors' before its own."""
    parts: list[str] = []
    node: Any = value
    for _ in range(16):
        if not isinstance(node, Dict):
            break
        part = resolve(node.get("T"))
        if isinstance(part, bytes):
            parts.append(text_of(part))
        node = resolve(node.get("Parent"))
    return ".".join(reversed(parts))
