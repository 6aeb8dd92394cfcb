"""Reads what signatures lock: fields by name (FieldMDP), everything (DocMDP, P = 1), and what a certification lets
come.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.pdf.syntax import Dict, Ref
from services.esign.domain.pdf.writer import text_of

# Parents above a field.
_DEEPEST = 16
_MOST_PARTS = 64
# Methods by which a signature says nothing of single fields (ISO 32000-2, table 255).
_OF_NO_FIELD = frozenset({"DocMDP", "UR", "Identity"})


def locks_field(document: Document, signed: Sequence[PdfSignature], name: str) -> bool:
    """Tells whether one of the signatures locked the field of this full name."""
    return any(Locks.of(document, signature).lock(name) for signature in signed)


@dataclass(frozen=True, slots=True)
class Locks:
    """The lock of one signature: FieldMDP parameters (action, full names), whether it forbids everything, and what it
    lets come where it is the document's certification (DocMDP's P). `signs`: it is no document timestamp.
    """

    fields: tuple[tuple[str, frozenset[str]], ...]
    everything: bool
    permission: int | None
    certifies: bool
    signs: bool

    @classmethod
    def of(cls, document: Document, signature: PdfSignature) -> "Locks":
        """From its FieldMDP transforms and from its field's lock (ISO 32000-2, tables 236 and 259): readers go by
        either. A document timestamp, which anybody may have made, locks nothing (12.8.5).
        """
        if signature.is_timestamp:
            return cls((), everything=False, permission=None, certifies=False, signs=False)
        holder = document.object(signature.number)
        references = document.resolve(holder.value.get("Reference")) if holder is not None else None
        found: list[Mapping[str, Any]] = []
        for each in references if isinstance(references, list) else [] if references is None else [references]:
            transform = document.resolve(each)
            method = document.resolve(transform.get("TransformMethod")) if isinstance(transform, Dict) else None
            if method not in _OF_NO_FIELD:
                parameters = document.resolve(transform.get("TransformParams")) if method == "FieldMDP" else None
                # What is not understood locks everything.
                found.append(parameters if isinstance(parameters, Dict) else {})
        value = document.resolve(Ref((signature.field, 0)))
        lock = document.resolve(value.get("Lock")) if isinstance(value, Dict) else None
        if lock is not None:
            found.append(lock if isinstance(lock, Dict) else {})
        forbids = signature.permission == 1 or (isinstance(lock, Dict) and document.resolve(lock.get("P")) == 1)
        return cls(
            tuple(_named(document, each) for each in found),
            forbids,
            signature.permission,
            signature.certifies,
            signs=True,
        )

    def lock(self, name: str) -> bool:
        """Tells whether the field of this full name may not change any more."""
        parts = name.split(".")
        if len(parts) > _MOST_PARTS:
            return bool(self.fields)
        above = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        for action, listed in self.fields:
            among = not listed.isdisjoint(above)
            # What is not understood locks everything.
            if action not in {"Include", "Exclude"} or among is (action == "Include"):
                return True
        return False


def permitted(locks: Sequence[Locks]) -> int:
    """Tells what the certification lets come, as DocMDP's P: 2 for filling in, 3 for notes, too; 0 without a
    certification. Only the first signature certifies; what others say restricts. `locks`: in the order of their
    coverage.
    """
    signers = [lock for lock in locks if lock.signs]
    if not signers or not signers[0].certifies:
        return 0
    return min(lock.permission for lock in signers if lock.permission is not None)


def _named(document: Document, parameters: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    listed, action = (document.resolve(parameters.get(key)) for key in ("Fields", "Action"))
    names = [document.resolve(name) for name in listed] if isinstance(listed, list) else [listed]
    if not all(isinstance(name, bytes) for name in names):
        return "All", frozenset()
    return str(action), frozenset(map(text_of, names))


def full_name(value: Mapping[str, Any], resolve: Callable[[Any], Any]) -> str:
    """A field's full name (ISO 32000-2, 12.7.4.2), its ancestors' before its own."""
    parts: list[str] = []
    node: Any = value
    for _ in range(_DEEPEST):
        if not isinstance(node, Dict):
            break
        part = resolve(node.get("T"))
        if isinstance(part, bytes):
            parts.append(text_of(part))
        node = resolve(node.get("Parent"))
    return ".".join(reversed(parts))
