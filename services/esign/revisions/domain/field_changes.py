"""Checks what may be different in a document's form: new fields for signatures, fields signed since, fields filled in.

Two readers agree about a field only where it is plain; whatever is more than that is a change (ChangedError).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import PdfSignature, inherited
from services.esign.domain.pdf.syntax import Dict, Name, PdfError, Ref
from services.esign.revisions.domain import (
    additions,
    blending,
    button_looks,
    field_uses,
    filled_values,
    form_looks,
    standing_annotations,
)
from services.esign.revisions.domain.additions import (
    MOST_OF_PAGE,
    MOST_OF_PAGE_FILLED,
    MOST_OF_PAGE_NEW,
    Ink,
    Patch,
    Why,
)
from services.esign.revisions.domain.content_stream import drawn_by_itself
from services.esign.revisions.domain.field_locks import Locks, full_name, permitted
from services.esign.revisions.domain.page.ink import Look, ink_of, is_certain, is_followed_alike, shown_by
from services.esign.revisions.domain.places import Rectangle
from services.esign.revisions.domain.plain_look import is_plain_look
from services.esign.revisions.domain.sound_page import is_sound
from services.esign.revisions.domain.two_versions import ChangedError, TwoVersions
from services.esign.revisions.domain.widget_pages import WidgetPages, widgets_apart

# Keys of a new field for a signature, and of its widget, which may be one dictionary; others would show something, do
# something, or be part of another field.
_FIELD = frozenset({"FT", "T", "TU", "TM", "V", "Ff", "Lock", "SV", "DA", "DR", "Q"})
_WIDGET = frozenset({"Type", "Subtype", "Rect", "P", "F", "AP", "M", "NM", "MK", "H", "Parent"})
# Of a widget without extent these say nothing.
_INVISIBLE_WIDGET = frozenset({"AS", "Border", "BS"})
_SIGNING = frozenset({"V", "AP", "M", "F"})
_FILLING = frozenset({"V", "AP", "AS", "M", "I"})
_FILLED_TYPES = frozenset({"Tx", "Ch", "Btn"})
# Flag of a field (ISO 32000-1, table 221).
_READ_ONLY = 1
# Points.
_DEEPEST = 32


class FieldChanges:
    """The fields of two versions. `signed`: the signatures that came; `locks`: those of the signatures before."""

    def __init__(self, two: TwoVersions, signed: Sequence[PdfSignature], locks: Sequence[Locks]) -> None:
        self._two = two
        self._signed = {signature.number: signature for signature in signed}
        self._locks = locks
        # Nothing but validation data and document timestamps, and when they came (Info, XMP).
        self.forbidding = any(lock.everything for lock in locks)
        self._permitted = 0 if self.forbidding else permitted(locks)
        # A first signature that the catalog does not name may be meant as the certification.
        first = locks[0].permission if locks else None
        self._meant_to_permit = 0 if self.forbidding or first is None else first
        self._is_certified = any(lock.permission is not None for lock in locks)
        # Somebody approved what was filled in, and what was not.
        self._is_approved = sum(lock.signs for lock in locks) > 1
        self._on = WidgetPages(two.after)
        # Fields and widgets in which something is different.
        self._different: set[int] = set()
        self._placed: set[int] = set()
        # Forms that were looked at.
        self._drawn: set[int] = set()

    @property
    def may_be_filled_in(self) -> bool:
        return self._permitted >= 2

    def form(self, old: Dict, new: Dict) -> frozenset[str]:
        """Finds what may be different in the form beside its fields: the keys."""
        one, other = (self._two.before.resolve(old.get("SigFlags", 0)), self._two.after.resolve(new.get("SigFlags", 0)))
        if type(other) is not int or other not in range(4) or (type(one) is int and one & ~other):
            raise ChangedError("/SigFlags was changed")
        # A look for fields that have none of their own: some readers would show one where they showed nothing.
        if old.get("DA") is not None or not isinstance(new.get("DA"), bytes) or not self.looks_are_settled:
            return frozenset()
        return frozenset() if form_looks.are_of_the_form(self._two.before) else frozenset({"DA"})

    @cached_property
    def looks_are_settled(self) -> bool:
        return form_looks.are_settled(self._two.before) and form_looks.are_complete(self._two.before)

    @property
    def may_annotate(self) -> bool:
        """Tells whether the certification lets people write notes, change them and take them away (table 257, P =
        3).
        """
        return self._permitted == 3 or self._meant_to_permit == 3

    @cached_property
    def known(self) -> frozenset[int]:
        """Numbers of the fields and widgets that the earlier version had."""
        found = {ref[0] for ref, _, _ in signatures.fields(self._two.before)}
        for _, page in self._two.before.pages():
            listed = self._two.before.resolve(page.get("Annots"))
            found.update(each[0] for each in listed if isinstance(each, Ref)) if isinstance(listed, list) else None
        return frozenset(found)

    def placed(self, ref: Ref) -> None:
        """A new annotation on a page: the widget of a new field, once. Raises ChangedError."""
        if ref[0] in self._placed:
            raise ChangedError(f"the new widget {ref[0]} stands in two places")
        self._placed.add(ref[0])
        if ref[0] not in self._new_widgets:
            text = f"object {ref[0]}, a new annotation, is no field of a signature"
            raise ChangedError(text, is_note=self.may_annotate)

    @cached_property
    def _new_widgets(self) -> frozenset[int]:
        """Widgets of the form's new fields: the field itself, or the one that it has apart."""
        after = self._two.after
        form = after.resolve(after.catalog().get("AcroForm"))
        listed = after.resolve(form.get("Fields")) if isinstance(form, Dict) else None
        found: set[int] = set()
        for ref in listed if isinstance(listed, list) else []:
            if isinstance(ref, Ref) and self._two.is_new(ref[0]):
                value = after.value(ref[0])
                kids = after.resolve(value.get("Kids")) if isinstance(value, Dict) else None
                found.add(ref[0]) if kids is None else None
                found.update(each[0] for each in kids if isinstance(each, Ref)) if isinstance(kids, list) else None
        return frozenset(found)

    def added(self, ref: Ref) -> None:
        """A field that came, with its widget. Raises ChangedError."""
        after = self._two.after
        value = after.value(ref[0])
        if not isinstance(value, Dict) or value.get("FT") != "Sig" or "Parent" in value:
            raise ChangedError(f"object {ref[0]}, a new field, is no plain field of a signature")
        where, widget = (ref, value) if "Kids" not in value else self._only_widget(ref, value)
        unseen = additions.invisible(after, widget)
        keys = _WIDGET | (_INVISIBLE_WIDGET if unseen else frozenset())
        own = _FIELD | (keys if widget is value else frozenset({"Kids"}))
        if (
            not value.keys() <= own
            or not widget.keys() <= keys | _FIELD
            or after.resolve(widget.get("MK")) not in ({}, None)
        ):
            raise ChangedError(f"the new field {ref[0]} has more than a field of a signature has", unclear=True)
        if widget.get("Type", "Annot") != "Annot" or widget.get("Subtype", "Widget") != "Widget":
            raise ChangedError(f"the new field {ref[0]} is no annotation of a field")
        name = _named(_name_in(after, value), ref[0])
        if name in self._names:
            raise ChangedError("a new field has the name of another")
        self._names.add(name)
        signature = self._signature(value)
        if self.forbidding and (signature is None or not signature.is_timestamp):
            raise ChangedError("a field was added, which the certification forbids")
        if not (signature is not None and signature.is_timestamp):
            self._refuse_locked(name)
        if unseen:
            self._refuse_resources(ref[0], widget)
        else:
            self._visible(where, widget, signature)
        self._two.explained |= {ref[0], where[0]}
        self._two.explain(value)

    def _only_widget(self, ref: Ref, value: Dict) -> tuple[Ref, Dict]:
        """The one widget of a new field that has it apart."""
        kids = self._two.after.resolve(value.get("Kids"))
        kid = kids[0] if isinstance(kids, list) and len(kids) == 1 else None
        widget = self._two.after.resolve(kid)
        if (
            not isinstance(kid, Ref)
            or not self._two.is_new(kid[0])
            or not isinstance(widget, Dict)
            or not widget.keys().isdisjoint({"V", "FT", "T", "Kids"})
            or widget.get("Parent", ref) != ref
        ):
            raise ChangedError(f"the new field {ref[0]} is not shown by one plain widget")
        return kid, widget

    def _visible(self, ref: Ref, value: Dict, signature: PdfSignature | None) -> None:
        if signature is None and self._two.is_interim and not additions.shows(self._two.after, value):
            self._refuse_resources(ref[0], value)
            return
        if signature is None or signature.is_timestamp:
            raise ChangedError(f"the new field {ref[0]} shows something that nobody signed")
        number, page = self._on.page_of(ref, value)
        why = additions.misfit(self._two.after, value, page, most=MOST_OF_PAGE_NEW)
        box = additions.rectangle(self._two.after.resolve(value.get("Rect")))
        is_awkward = why in additions.AWKWARD
        if not why and (box is None or additions.outside(self._two.after, box, page)):
            why, is_awkward = "it is not on its page", True
        apart = standing_annotations.APART
        if not why and box is not None and additions.is_by_a_cut(self._two.after, box, page, apart):
            raise ChangedError(f"the new field {ref[0]} stands where its page is cut", unclear=True)
        if why or box is None:
            raise ChangedError(f"the new field {ref[0]}: {why}", unclear=is_awkward)
        self._refuse_neighbours(ref[0], box, page, Why.NEW)
        self._refuse_effects(ref[0], value, page)
        self._patch(ref[0], number, box, Why.NEW, value)

    def _patch(self, number: int, page: int, box: Rectangle, why: Why, value: Mapping[str, Any]) -> None:
        """The place may look different. Raises ChangedError where not all of it is on the page."""
        after = self._two.after
        if additions.outside(after, box, self._on.listed[page]):
            raise ChangedError("a field is not on its page", unclear=why is not Why.NEW)
        on = self._on.listed[page]
        resources = additions.resources_of(after, on)
        apart = standing_annotations.APART if why is Why.NEW else 0

        def beside() -> list[Look]:
            return standing_annotations.looks_near(after, number, box, on)

        is_alike = additions.is_upright(after, on) and is_sound(after, on, resources)
        ink = ink_of(after, on, resources, box, apart, beside) if is_alike else None
        if ink is None:
            raise ChangedError(f"page {page + 1} is drawn by what readers draw differently", unclear=True)
        looks = additions.looks_of(after, value)
        plain = all(is_plain_look(after, look, box) and is_followed_alike(after, look) for look in looks)
        certain = plain or all(is_certain(after, look) for look in looks)
        shown = Ink() if plain or not certain else self._shown(value, box)
        if why in {Why.FILLED, Why.TICKED} and (not certain or shown is None):
            raise ChangedError(
                f"what was filled in on page {page + 1} is drawn as readers draw differently", unclear=True
            )
        draws, certain = additions.shows(after, value), certain and shown is not None
        is_mark = why is Why.TICKED and button_looks.are_usual(after, value)
        self._two.patches.append(Patch(page, box, why, draws, plain, certain, ink, shown or Ink(), is_mark))

    def _shown(self, value: Mapping[str, Any], box: Rectangle) -> Ink | None:
        """Finds what its look has in a place, which the renderer must show: else others show something else. None where
        that is not known.
        """
        holder = additions.stream_of(self._two.after, additions.look_of(self._two.after, value))
        if holder is None:
            return Ink()
        matrix = standing_annotations.fitted(self._two.after, holder, box)
        return None if matrix is None else shown_by(self._two.after, (holder, matrix, box))

    def _refuse_resources(self, number: int, value: Mapping[str, Any]) -> None:
        """A look that draws nothing brings nothing by which readers paint the page in another way."""
        after = self._two.after
        if not all(blending.is_idle(after, look) for look in additions.looks_of(after, value)):
            raise ChangedError(f"the look of field {number} draws nothing and has resources", unclear=True)

    def _refuse_effects(self, number: int, value: Mapping[str, Any], page: Mapping[str, Any]) -> None:
        """An appearance undoes what it does to the reader's state, so that it ends where its box does, and changes no
        colours beside it.
        """
        after = self._two.after
        form = additions.look_of(self._two.after, value)
        if any(blending.mixes(after, look) for look in additions.looks_of(after, value)) and blending.depends(
            after, page, additions.resources_of(after, page)
        ):
            raise ChangedError(f"the look of field {number} may change the colours of its page", unclear=True)
        holder = after.object(form[0]) if isinstance(form, Ref) else None
        if (
            holder is not None
            and holder.stream is not None
            and not drawn_by_itself(after, holder, self._drawn, self._two.is_new)
        ):
            raise ChangedError(f"the look of field {number} may be drawn otherwise by other readers", unclear=True)

    def _refuse_neighbours(self, number: int, box: Rectangle, page: Mapping[str, Any], why: Why) -> None:
        """A place is nobody else's: neither another field's, unless it is new there, nor an annotation's."""
        after = self._two.after
        if not standing_annotations.are_in_their_places(after, page, box):
            raise ChangedError(f"the field {number} is beside an annotation that some draw elsewhere", unclear=True)
        if why is not Why.NEW and standing_annotations.shares_a_place(after, number, box, page):
            raise ChangedError(f"the field {number} shares its place with another", unclear=True)
        if standing_annotations.is_over_another(after, number, box, page, why):
            raise ChangedError(f"the field {number} stands over an annotation, or beside one", unclear=True)

    def _signature(self, value: Mapping[str, Any]) -> PdfSignature | None:
        """The signature that came with this version into the field; None when it is empty."""
        ref = value.get("V")
        if ref is None:
            return None
        found = self._signed.get(ref[0]) if isinstance(ref, Ref) else None
        if found is None or not self._two.is_new(found.number):
            raise ChangedError("a field holds what is no signature of this version")
        return found

    def _holder_of_value(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        node: Any = value
        for _ in range(_DEEPEST):
            if not isinstance(node, Dict) or "V" in node:
                break
            node = self._two.after.resolve(node.get("Parent"))
        return node if isinstance(node, Dict) else value

    def rewritten(self, old: Dict, new: Dict, number: int) -> frozenset[str]:
        """Finds what may be different in a field or its widget: the keys. Raises ChangedError."""
        free = self._free(old, new, number)
        if free:
            self._different.add(number)
            for version, value in ((self._two.before, old), (self._two.after, new)):
                if odd := field_uses.odd_entry(version, value, free):
                    raise ChangedError(f"the field {number} has a /{odd} that is none", unclear=True)
                if additions.is_stream(version, Ref((number, 0))):
                    raise ChangedError(f"the field {number} is a stream", unclear=True)
        return free

    def refuse_other_uses(self) -> None:
        """Refuses a changed field that something in the document uses as more than a field. Raises ChangedError."""
        found = field_uses.used_otherwise(self._two.before, self._different) if self._different else None
        if found is not None:
            raise ChangedError(f"the field {found} is something else, too", unclear=True)

    def _free(self, old: Dict, new: Dict, number: int) -> frozenset[str]:
        changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        if any(self._two.touched(each) for each in self.appearances(new)):
            # Drawn anew under its old number.
            changed.add("AP")
        free = frozenset({"Ff"}) if self._made_read_only(old, new) else frozenset()
        was, now = inherited(self._two.before, old, "V"), inherited(self._two.after, new, "V")
        kind = inherited(self._two.before, old, "FT")
        if kind == "Sig" and was is None and now is not None:
            free |= self._signing(old, new, changed, number)
            if more := changed - free:
                raise ChangedError(f"the field {number} was signed, and /{min(more)} changed", unclear=True)
            return free
        if kind in _FILLED_TYPES and (changed & _FILLING or was != now):
            if was != now:
                changed.add("V")
            if field_uses.is_closed(self._two.before, old):
                raise ChangedError(f"the form field {number} was closed, and was filled in", unclear=True)
            free |= self._filling_in(new, changed, number, str(kind))
            if more := changed - free:
                # Programs that fill in forms write their own type, flags and places of scrolling.
                raise ChangedError(f"the form field {number} was filled in, and /{min(more)} changed", unclear=True)
            return free
        return free

    def appearances(self, value: Mapping[str, Any]) -> set[int]:
        """Numbers of the objects that a widget's look is: what /AP is and, where that is one stream, the stream."""
        states = value.get("AP")
        found = {states[0]} if isinstance(states, Ref) else set()
        listed = self._two.after.resolve(states)
        normal = listed.get("N") if isinstance(listed, Dict) else None
        return found | {normal[0]} if isinstance(normal, Ref) else found

    def _refuse_halves(self, new: Mapping[str, Any]) -> None:
        """A field that changes is a node without a look or a plain widget: of anything between, readers show more."""
        kind = new.get("Subtype")
        plain = isinstance(kind, Name) and kind == "Widget" and "Rect" in new
        if not plain and not new.keys().isdisjoint({"Subtype", "Rect", "AP", "AS", "F", "MK"}):
            raise ChangedError("a field that is no plain widget was changed")
        if not isinstance(new.get("AS"), Name | None):
            raise ChangedError("a field's state is no name")

    def _signing(self, old: Dict, new: Dict, changed: set[str], number: int) -> frozenset[str]:
        self._refuse_halves(new)
        name = self._name_of(number, new)
        # The widget may be a kid of what holds the signature.
        signature = self._signature(self._holder_of_value(new))
        if self.forbidding:
            raise ChangedError("a field was signed, which the certification forbids")
        if signature is not None and signature.is_timestamp and additions.has_place(self._two.before, old):
            # Where a signer's name belongs an outsider's timestamp would stand.
            raise ChangedError(f"a document timestamp stands in the field {name}, which is a signer's", unclear=True)
        self._refuse_locked(name)
        if new.get("Subtype") == "Widget" and not additions.invisible(self._two.after, new):
            ref = Ref((number, 0))
            page, value = self._on.page_of(ref, new)
            why = additions.misfit(self._two.after, new, value, most=MOST_OF_PAGE)
            box = additions.rectangle(self._two.after.resolve(new.get("Rect")))
            if why or box is None:
                raise ChangedError(f"the signed field {number}: {why}")
            if standing_annotations.is_drawn_by_reader(self._two.before, old):
                raise ChangedError(f"the field {number} had a ground or a border that some draw", unclear=True)
            if "AP" in changed and additions.shows(self._two.before, old):
                raise ChangedError(
                    f"the field {number} showed something before it was signed, and shows it no more", unclear=True
                )
            if "F" in changed and additions.shows(self._two.before, old) and not additions.is_shown_alike(old, new):
                raise ChangedError(f"the field {number} is shown otherwise than before", unclear=True)
            if additions.is_by_a_cut(self._two.after, box, value, standing_annotations.APART):
                raise ChangedError(f"the field {number} stands where its page is cut", unclear=True)
            # Where the earlier signer could not see the field, it must not cover what he saw.
            self._refuse_effects(number, new, value)
            hidden = additions.is_hidden(self._two.before, old)
            if hidden and standing_annotations.shares_a_place(self._two.after, number, box, value):
                raise ChangedError(f"the field {number} shares its place with another", unclear=True)
            self._refuse_neighbours(number, box, value, Why.NEW if hidden else Why.SIGNED)
            self._patch(number, page, box, Why.NEW if hidden else Why.SIGNED, new)
        elif new.get("Subtype") == "Widget":
            self._refuse_resources(number, new)
        elif "AP" in changed:
            raise ChangedError("an appearance came to what is no widget")
        return _SIGNING

    def _filling_in(self, new: Dict, changed: set[str], number: int, kind: str) -> frozenset[str]:
        self._refuse_halves(new)
        name = self._name_of(number, new)
        self._refuse_locked(name)
        if self._permitted < 2:
            # ISO 32000-2, 12.8.2.2, allows filling in a form that nobody certified: it is no forgery.
            is_note = not self._is_certified and not self.forbidding
            raise ChangedError(
                f"the form field {name} was changed", unclear=self._meant_to_permit >= 2, is_note=is_note
            )
        if self._is_approved:
            # A later signer approved the field as it was, empty or not.
            raise ChangedError(f"the form field {name} was changed after a signer had approved it", unclear=True)
        if new.get("Subtype") == "Widget":
            page, value = self._on.page_of(Ref((number, 0)), new)
            box = additions.rectangle(self._two.after.resolve(new.get("Rect")))
            shown = additions.look_of(self._two.after, new)
            why = filled_values.misfit(self._two.after, new, value, shown, kind)
            if why or box is None:
                raise ChangedError(f"the form field {name}: {why}", unclear=True)
            self._patch(number, page, box, Why.TICKED if kind == "Btn" else Why.FILLED, new)
            self._refuse_neighbours(number, box, value, Why.FILLED)
            self._refuse_effects(number, new, value)
            if "RV" in changed:
                raise ChangedError(f"the form field {name} has a rich text, which some readers show", unclear=True)
            if filled_values.says_two_things(self._two.after, new, shown, changed, kind):
                # Programs that fill in forms draw looks anew, or leave them to the reader.
                raise ChangedError(f"the form field {name} shows what is not its own", unclear=True)
        elif "AP" in changed:
            raise ChangedError("an appearance came to what is no widget")
        if name not in self._two.filled:
            self._two.filled.append(name)
        return _FILLING

    def _made_read_only(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Tells whether a signer made a field that could be filled in read-only, as a lock does: it shows the same."""
        one, other = (inherited(at, value, "Ff") for at, value in ((self._two.before, old), (self._two.after, new)))
        flags = one or 0
        signers = any(not signature.is_timestamp for signature in self._signed.values())
        return signers and type(flags) is int and type(other) is int and other == flags | _READ_ONLY

    def _refuse_locked(self, name: str) -> None:
        locking = [lock for lock in self._locks if lock.lock(name)]
        if locking:
            # Anybody may sign later. Only a lock of the first signer makes the change INVALID.
            by_the_first = locking[0] is next((lock for lock in self._locks if lock.signs), None)
            raise ChangedError(f"the field {name} was locked", locked=by_the_first, unclear=not by_the_first)

    def places(self) -> Iterator[Patch]:
        """Places of all widgets that may lawfully show something else: of signatures, and of what is filled in."""
        try:
            apart = widgets_apart(self._two.after)
            for number, page in enumerate(self._on.listed):
                listed = self._two.after.resolve(page.get("Annots"))
                for ref in listed if isinstance(listed, list) else []:
                    value = self._two.after.resolve(ref)
                    if not isinstance(value, Dict):
                        continue
                    kind = inherited(self._two.after, value, "FT")
                    filled = self.may_be_filled_in and kind in _FILLED_TYPES
                    if filled and additions.misplaced(self._two.after, value, page, most=MOST_OF_PAGE_FILLED):
                        continue
                    # pyHanko leaves /Parent out of the widget that a field has apart.
                    is_apart = kind is None and isinstance(ref, Ref) and ref[0] in apart
                    if kind == "Sig" or filled or is_apart:
                        box = additions.rectangle(self._two.after.resolve(value.get("Rect")))
                        if box is not None:
                            yield Patch(number, box, Why.SIGNED)
        except PdfError:
            return

    def _name_of(self, number: int, value: Mapping[str, Any]) -> str:
        """Full name of a field. Locks go by names, so it has to be the same by its parents and by its parents' kids."""
        name = _name_in(self._two.after, value)
        if self._named.get(number, name) != name:
            raise ChangedError(f"the field {number} has two names", unclear=True)
        return _named(name, number)

    @cached_property
    def _named(self) -> dict[int, str]:
        return {ref[0]: name for ref, _, name in signatures.fields(self._two.before)}

    @cached_property
    def _names(self) -> set[str]:
        """The form's fields by full name: two of one name are one field to some readers. Grows with what is added."""
        return {name for _, value, name in signatures.fields(self._two.before) if "T" in value}


def _named(name: str, number: int) -> str:
    """The name of a field that changes: readers pass over fields that have none, or one that they take for none."""
    if not name.strip(". ") or any(ord(sign) < 0x20 or sign == "\ufffd" for sign in name):
        raise ChangedError(f"the field {number} has no name", unclear=True)
    return name


def _name_in(document: Document, value: Mapping[str, Any]) -> str:
    return full_name(value, document.resolve)
