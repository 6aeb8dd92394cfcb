"""Finds what came into a document between two of its signed versions, and whether the earlier signatures let it.

Two readers disagree about what a later version may do; shadow and certification attacks live in that gap. So both
versions are walked side by side from the trailer, and everything has to be equal but what signing itself needs: a
signature in a field that the earlier signer saw, a new field for a signature (invisible, or where the page was blank),
a document timestamp, validation data (DSS), when and by what the file was written (Info, XMP), and form fields that a
certification lets be filled in. What was added and belongs to none of these is a change as well, also when nothing
points at it. A certification that forbids every change (DocMDP, P = 1) still lets validation data and document
timestamps come: they are no changes (ISO 32000-2, table 257).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise
from typing import Any

from services.esign.domain.pdf.document import Document, PdfObject
from services.esign.domain.pdf.signatures import PdfSignature, inherited
from services.esign.domain.pdf.syntax import Dict, Name, PdfError, Ref
from services.esign.domain.pdf.update import Revision
from services.esign.domain.pdf.walk import walk
from services.esign.revisions.domain import bookkeeping, data_changes
from services.esign.revisions.domain.additions import Patch
from services.esign.revisions.domain.field_changes import FieldChanges
from services.esign.revisions.domain.field_locks import Locks
from services.esign.revisions.domain.leftovers import refuse_what_belongs_to_nothing
from services.esign.revisions.domain.two_versions import Change, ChangedError, TwoVersions

# What a trailer says of the file and not of the document; and what a cross-reference stream has as a stream.
_OF_THE_FILE = frozenset(
    {"Size", "Prev", "ID", "XRefStm", "Type", "W", "Index", "Filter", "DecodeParms", "Length", "DocChecksum"}
)
# Nodes of the tree of pages, which some makers write again as they were.
_OF_PAGES = ("Page", "Pages")
# Keys of pages and annotations that some makers add when they sign, and no reader draws.
_SHOWN_NOWHERE = frozenset({"Tabs", "StructParents", "StructParent", "PieceInfo", "LastModified", "Lang", "NM", "M"})
# Keys of forms and fields that some makers write when a form is filled in.
_OF_FILLERS = frozenset({"NeedAppearances", "MK", "TU", "DA", "Q"})
# Keys that a page inherits, and some makers repeat on it.
_INHERITED = frozenset({"MediaBox", "CropBox", "Rotate", "Resources"})
# Key of what a signature is of (ISO 32000-1, table 253): the catalog, mostly.
_DATA = "Data"
# Lists of coordinates, which every reader takes as real numbers, and which some makers write as such.
_BOXES = frozenset({"Rect", "MediaBox", "CropBox", "BleedBox", "TrimBox", "ArtBox", "BBox", "Matrix", "QuadPoints"})
# Whole numbers that every reader holds (ISO 32000-1, table C.1).
_MOST_ALIKE = 32767
_VERSION = re.compile(r"[12]\.\d")
_MOST_PAIRS = 400_000
# Each is compared with what was signed.
_MOST_SAVES = 16

SAVED_AGAIN = "the file was saved again with nothing, which the certification forbids"
"""The words that say that nothing is different, where not even that may be."""


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
    # Numbers of the objects that the later version's trailer leads to, as far as it was read.
    reached: frozenset[int] = frozenset()


def history(document: Document, signed: Sequence[PdfSignature]) -> tuple[Passage, ...]:
    """From the version of the first signature to that of the next, and so on to the document as it is; empty when the
    first one covers all of it. `signed`: all signatures, in the order of their coverage, each part of the version it
    covers. Raises PdfError when it is more than can be judged.
    """
    # White space behind the last version draws nothing and says nothing.
    earlier = sorted({signature.covered_to for signature in signed if not signature.covers_whole(document)})
    versions = [*(document.until(end) for end in earlier), document]
    locks = [Locks.of(document, signature) for signature in signed]
    return tuple(
        _passage(
            before,
            after,
            [s for s in signed if before.end < s.covered_to <= after.end],
            [lock for lock, s in zip(locks, signed, strict=True) if s.covered_to <= before.end],
        )
        for before, after in pairwise(versions)
    )


def _passage(before: Document, after: Document, signed: Sequence[PdfSignature], locks: Sequence[Locks]) -> Passage:
    """Checks that what every save between them brought has to be lawful by itself: readers that rebuild the file may
    show it though a later save took it back.
    """
    comparison = _Comparison(TwoVersions(before, after), signed, locks)
    found = comparison.passage()
    saves = found.ends[:-1] if found.change is None else ()
    if len(saves) > _MOST_SAVES:
        raise PdfError("TOO_MANY_REVISIONS", f"more than {_MOST_SAVES} saves between two signatures", limit=True)
    for count, end in enumerate(saves, 1):
        two = TwoVersions(before, before.until(end), is_interim=True)
        change = _Comparison(two, (), locks, comparison.revisions[:count]).passage().change
        if change is not None:
            return replace(found, change=change)
    return found


class _Role(Enum):
    """The role of a value in a document, where that decides what may be different. All but PLAIN ones may come to stand
    in an object of their own, or under another number.
    """

    PLAIN = auto()
    TRAILER = auto()
    CATALOG = auto()
    FORM = auto()
    RESOURCES = auto()
    CATEGORY = auto()
    FIELDS = auto()
    ANNOTATIONS = auto()
    VALIDATION = auto()
    EXTENSIONS = auto()
    VERSION = auto()
    METADATA = auto()
    INFO = auto()
    FREE = auto()


_ROLES: Mapping[_Role, Mapping[str, _Role]] = {
    _Role.TRAILER: {"Root": _Role.CATALOG, "Info": _Role.INFO, **dict.fromkeys(_OF_THE_FILE, _Role.FREE)},
    _Role.CATALOG: {
        "AcroForm": _Role.FORM,
        "DSS": _Role.VALIDATION,
        "Extensions": _Role.EXTENSIONS,
        "Version": _Role.VERSION,
        "Metadata": _Role.METADATA,
    },
    _Role.FORM: {"Fields": _Role.FIELDS, "DR": _Role.RESOURCES, "SigFlags": _Role.FREE},
}


class _Comparison:
    """Two versions of one file, side by side."""

    def __init__(
        self,
        two: TwoVersions,
        signed: Sequence[PdfSignature],
        locks: Sequence[Locks],
        revisions: Sequence[Revision] | None = None,
    ) -> None:
        """`revisions`: what lies between the two, when it was walked already."""
        self._two = two
        self._signed = signed
        self._fields = FieldChanges(two, signed, locks)
        self.revisions: Sequence[Revision] = revisions or ()
        self._waiting: list[tuple[Any, Any, _Role]] = []
        self._seen: set[tuple[int, int, _Role]] = set()
        self._natures: dict[tuple[int, int], _Role] = {}
        self._of_a_kind: frozenset[int] = frozenset()

    def passage(self) -> Passage:
        two = self._two
        change: Change | None = None
        try:
            self._judge()
        except ChangedError as cause:
            change = cause.change
            # It was not read to its end: whatever else changed, fields may show what is signed or filled in.
            two.patches += self._fields.places()
        return Passage(
            two.before.end,
            two.after.end,
            tuple(self._signed),
            tuple(revision.end for revision in self.revisions),
            tuple(two.patches),
            tuple(two.filled),
            two.validation,
            change,
            frozenset(two.explained),
        )

    def _judge(self) -> None:
        two = self._two
        try:
            self.revisions = self.revisions or walk(two.after, two.before.end)
        except PdfError as cause:
            if cause.limit:
                raise
            raise ChangedError(f"what was added has no single reading: {cause}") from cause
        bookkeeping.refuse_other(two)
        self._natures = _known_dictionaries(two)
        self._of_a_kind = frozenset(old for old, _ in self._natures)
        self._waiting.append((two.before.trailer, two.after.trailer, _Role.TRAILER))
        while self._waiting:
            self._pair(*self._waiting.pop())
        self._fields.refuse_other_uses()
        for revision in self.revisions:
            refuse_what_belongs_to_nothing(two, revision)
        bookkeeping.refuse_freeing(two, self.revisions)
        bookkeeping.refuse_shrinking(two)
        if self._fields.forbidding and not self._signed and not two.validation and not two.is_interim:
            raise ChangedError(SAVED_AGAIN)

    def _pair(self, old: Any, new: Any, role: _Role) -> None:
        two = self._two
        if role is _Role.FREE:
            two.explain(new)
            return
        old_ref = old if isinstance(old, Ref) else None
        new_ref = new if isinstance(new, Ref) else None
        if old_ref is not None and not two.before.is_of_its_generation(old_ref):
            raise ChangedError(f"a reference to object {old_ref[0]} has another generation than it", unclear=True)
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
            if role is not _Role.PLAIN and old_ref != new_ref and two.had_another_use(new_ref[0]):
                raise ChangedError(f"object {new_ref[0]} was something else", unclear=True)
            two.explained.add(new_ref[0])
        if role is _Role.PLAIN and old_ref != new_ref:
            raise ChangedError("a value was put in another's place")
        number = -1 if new_ref is None else new_ref[0]
        if old_ref is None or new_ref is None:
            added = two.after.object(number) if role is _Role.METADATA and old is None else None
            if added is not None and added.stream is not None:
                data_changes.new_metadata(two, added)
            elif _is_stream(two.before, old) or _is_stream(two.after, new):
                raise ChangedError("a stream came or went")
        elif old_ref[0] == number and not two.touched(number):
            value = two.was(number)
            for ref in two.before.references(value) if role is _Role.PLAIN else ():
                if ref[0] in self._of_a_kind and not _is_only_data(value, ref[0]):
                    raise _used_otherwise(ref[0])
            if isinstance(value, Ref):
                raise ChangedError(f"object {number} is but a reference, which readers follow or not", unclear=True)
            if role is _Role.PLAIN and number not in self._fields.known and not _is_page(value):
                # The same in both versions, but for what it leads to.
                self._waiting += ((ref, ref, _Role.PLAIN) for ref in two.before.references(value))
            else:
                self._values(value, value, role, number)
            return
        else:
            _same_streams(two, old_ref[0], number, role)
            if role is _Role.PLAIN and number not in self._fields.known and _is_the_same(two, number):
                # Nobody has to; and who could not find the signed one would find this.
                raise ChangedError(f"object {number} was written again", unclear=True)
        self._values(two.before.resolve(old), two.after.resolve(new), role, number)

    def _values(self, old: Any, new: Any, role: _Role, number: int) -> None:
        """Two values that stand in each other's place. `number`: of the object, if they are one."""
        match role:
            case _Role.VALIDATION:
                data_changes.validation(self._two, old, new)
            case _Role.EXTENSIONS:
                data_changes.extensions(self._two, old, new)
            case _Role.INFO:
                self._members(data_changes.information(self._two, old, new))
            case _Role.METADATA:
                # What the stream says was compared before.
                pass
            case _Role.VERSION:
                if new != old and not (isinstance(new, Name) and _VERSION.fullmatch(new)):
                    raise ChangedError("the version is none")
            case _Role.FIELDS:
                self._grown(old, new, self._fields.added)
            case _Role.ANNOTATIONS:
                self._grown(old, new, self._fields.placed)
            case _Role.RESOURCES | _Role.CATEGORY:
                self._resources(old, new, role)
            case _:
                self._equal(old, new, role, number)

    def _equal(self, old: Any, new: Any, role: _Role, number: int) -> None:
        if isinstance(old, Dict) and isinstance(new, Dict):
            self._dictionaries(old, new, role, number)
        elif isinstance(old, list) and isinstance(new, list):
            if len(old) != len(new):
                raise ChangedError("a list has another length")
            self._members(zip(old, new, strict=True))
        elif not _alike(old, new):
            raise ChangedError("a value was changed" if number < 0 else f"object {number} was changed")

    def _members(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Members of a list: numbers and names are compared at once."""
        for old, new in pairs:
            if isinstance(old, Ref) and old[0] in self._of_a_kind:
                raise _used_otherwise(old[0])
            if isinstance(old, (Ref, dict, list)) or isinstance(new, (Ref, dict, list)):
                self._waiting.append((old, new, _Role.PLAIN))
            elif not _alike(old, new):
                raise ChangedError("a value was changed")

    def _dictionaries(self, old: Dict, new: Dict, role: _Role, number: int) -> None:
        roles: Mapping[str, _Role] = _ROLES.get(role, {})
        free: frozenset[str] = frozenset()
        if role is _Role.FORM:
            free = self._fields.form(old, new)
        elif role is _Role.PLAIN and old.get("Type") == "Page" and new.get("Type") == "Page":
            roles = {"Annots": _Role.ANNOTATIONS}
            if "Annots" not in old and inherited(self._two.before, old, "Annots") is not None:
                # Some readers take those of the tree of pages, until the page has its own.
                raise ChangedError("annotations of all pages are put out of sight by those of one", unclear=True)
        elif role is _Role.PLAIN and number in self._fields.known:
            if self._fields.may_annotate and not self._is_widget(old) and old != new:
                raise ChangedError(f"the annotation {number} was changed", is_note=True)
            free = self._fields.rewritten(old, new, number)
        for key in dict.fromkeys((*old, *new)):
            if key in free:
                self._two.explain(new.get(key))
                if key == "AP" and old.get(key) is not None:
                    self._two.explained |= self._fields.appearances(new)
                continue
            one, other = old.get(key), new.get(key)
            child = roles.get(key, _Role.PLAIN)
            if child is _Role.PLAIN and key != _DATA and isinstance(one, Ref) and one[0] in self._of_a_kind:
                raise _used_otherwise(one[0])
            if (key in old) != (key in new) and (child is _Role.PLAIN or (one is None and other is None)):
                # To some readers /Key null is not the same as no key.
                is_idle = key in _SHOWN_NOWHERE | _INHERITED and key not in old
                # Programs that fill in forms write these, too.
                is_filler = self._fields.may_be_filled_in and key in _OF_FILLERS
                raise ChangedError(f"/{key} came or went", unclear=is_idle or is_filler)
            if key in _BOXES and isinstance(one, list) and isinstance(other, list):
                one, other = ([_as_real(each) for each in box] for box in (one, other))
            if child is not _Role.PLAIN or isinstance(one, (Ref, dict, list)) or isinstance(other, (Ref, dict, list)):
                if one is not other or one is not None:
                    self._waiting.append((one, other, child))
            elif not _alike(one, other):
                raise ChangedError(f"/{key} was changed")

    def _grown(self, old: Any, new: Any, judge: Callable[[Ref], None]) -> None:
        """A list of fields or annotations as before, but for new ones, of which each is judged."""
        if not isinstance(old or [], list) or not isinstance(new or [], list):
            raise ChangedError("a list of fields or annotations is none")
        kept: list[Any] = []
        for ref in new or []:
            if isinstance(ref, Ref) and self._two.is_new(ref[0]):
                judge(ref)
            else:
                kept.append(ref)
        if len(kept) != len(old or []):
            gone = [each for each in old or [] if each not in kept]
            is_note = self._fields.may_annotate and not any(map(self._is_widget, gone))
            raise ChangedError("a field or an annotation came or went", is_note=is_note)
        self._members(zip(old or [], kept, strict=True))

    def _is_widget(self, value: Any) -> bool:
        held = self._two.before.resolve(value)
        return not isinstance(held, Dict) or held.get("Subtype") in {None, "Widget"}

    def _resources(self, old: Any, new: Any, role: _Role) -> None:
        """Resources for what is filled in, or those of a category: more of them, and the old ones as they were."""
        two = self._two
        if role is _Role.RESOURCES and old is None and isinstance(new, Dict) and self._fields.looks_are_settled:
            two.explain(new)
            return
        if not isinstance(old, Dict) or not isinstance(new, Dict):
            self._waiting.append((old, new, _Role.PLAIN))
            return
        for key, value in old.items():
            other = new.get(key)
            is_category = role is _Role.RESOURCES and isinstance(value, (Ref, Dict)) and isinstance(other, (Ref, Dict))
            self._waiting.append((value, other, _Role.CATEGORY if is_category else _Role.PLAIN))
        more = new.keys() - old.keys()
        if more and not self._fields.looks_are_settled:
            raise ChangedError("the form has more resources, and fields that may be shown with them")
        for key in more:
            two.explain(new[key])


def _known_dictionaries(two: TwoVersions) -> dict[tuple[int, int], _Role]:
    """Catalog, form and document information, which others point at too: a signature at the catalog it is of."""
    found: dict[tuple[int, int], _Role] = {}
    trailers = (two.before.trailer, two.after.trailer)
    catalogs = (two.before.catalog(), two.after.catalog())
    for holders, key, role in (
        (trailers, "Root", _Role.CATALOG),
        (trailers, "Info", _Role.INFO),
        (catalogs, "AcroForm", _Role.FORM),
    ):
        old, new = (holder.get(key) for holder in holders)
        if isinstance(old, Ref) and isinstance(new, Ref):
            found[old[0], new[0]] = role
    return found


def _same_streams(two: TwoVersions, old: int, new: int, role: _Role) -> None:
    one, other = two.before.object(old), two.after.object(new)
    before, after = _raw(two.before, one), _raw(two.after, other)
    if role is _Role.METADATA and one is not None and other is not None and before is not None and after is not None:
        data_changes.metadata(two, one, other)
    elif before != after or (other is not None and other.loose):
        raise ChangedError(f"the stream {new} was changed")


def _is_only_data(value: Any, number: int) -> bool:
    """Tells whether a value points at that object only as what a signature is of."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Ref) and each[0] == number:
            return False
        if isinstance(each, dict):
            waiting += (member for key, member in each.items() if key != _DATA or not isinstance(member, Ref))
        elif isinstance(each, list):
            waiting += each
    return True


def _used_otherwise(number: int) -> ChangedError:
    return ChangedError(
        f"object {number} is the catalog, the form or the description, and something else", unclear=True
    )


def _as_real(number: Any) -> Any:
    """A whole number as a real one, where it is the same to every reader."""
    return float(number) if type(number) is int and abs(number) <= _MOST_ALIKE else number


def _is_page(value: Any) -> bool:
    return isinstance(value, Dict) and value.get("Type") == "Page"


def _is_the_same(two: TwoVersions, number: int) -> bool:
    """Tells whether an object was written again as it was. Some makers write the tree of pages again."""
    value = two.was(number)
    if isinstance(value, Dict) and value.get("Type") in _OF_PAGES:
        return False
    return bool(value == two.after.value(number))


def _is_stream(document: Document, value: Any) -> bool:
    holder = document.object(value[0]) if isinstance(value, Ref) else None
    return holder is not None and holder.stream is not None


def _raw(document: Document, holder: PdfObject | None) -> bytes | None:
    if holder is None or holder.stream is None:
        return None
    return document.data[holder.stream[0] : holder.stream[1]]


def _alike(old: Any, new: Any) -> bool:
    """Tells whether two plain values are the same: to some readers 1.0 is not 1."""
    return bool(old == new) and type(old) is type(new)
