"""What signatures lock: fields by name (FieldMDP), everything (DocMDP, P = 1), and what a certification lets come."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.esign.domain.pdf import Document
from services.esign.domain.pdf_syntax import Dict, Ref
from services.esign.domain.pdf_writer import text_of
from services.esign.domain.signatures import PdfSignature

# Parents above a field.
_DEEPEST = 16
_MOST_PARTS = 64


def locks_field(document: Document, signed: Sequence[PdfSignature], name: str) -> bool:
    """Whether one of the signatures locked the field of this full name."""
    return any(Locks.of(document, signature).lock(name) for signature in signed)


@dataclass(frozen=True, slots=True)
class Locks:
    """What one signature locks: FieldMDP parameters (action, full names), whether it forbids everything, and what it
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
        return cls(
            tuple(_named(document, each) for each in found),
            forbids,
            signature.permission,
            signature.certifies,
            signs=True,
        )

    def lock(self, name: str) -> bool:
        """Whether the field of this full name may not change any more."""
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
    """What the certification lets come, as DocMDP's P: 2 for filling in, 3 for notes, too; 0 without a certification.
    Only the first signature certifies; what others say restricts. `locks`: in the order of their coverage.
    """
    signers = [lock for lock in locks if lock.signs]
    if not signers or not signers[0].certifies:
        return 0
    return min(lock.permission for lock in signers if lock.permission is not None)


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
    for _ in range(_DEEPEST):
        if not isinstance(node, Dict):
            break
        part = resolve(node.get("T"))
        if isinstance(part, bytes):
            parts.append(text_of(part))
        node = resolve(node.get("Parent"))
    return ".".join(reversed(parts))
