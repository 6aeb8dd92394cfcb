"""Checks that one tree continues another, as a reader of the log does."""

from collections.abc import Sequence

from services.esign.domain.errors import ProofWrongError
from services.esign.ledger.domain import tree


def _wrong(en: str) -> ProofWrongError:
    return ProofWrongError("PROOF_WRONG", en, "默克尔证明不成立")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """RFC 9162, 2.1.4.2; an empty old tree is consistent with everything. Raises ProofWrongError."""
    if not 0 <= old <= new:
        raise _wrong("the log has shrunk")
    if old in {0, new}:
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != tree.EMPTY_ROOT):
            raise _wrong("roots differ at the same size")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        raise _wrong("path is too short")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            raise _wrong("path is too long")
        if place & 1 or place == last:
            before, after = tree.node_hash(sibling, before), tree.node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = tree.node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last or before != old_root or after != new_root:
        raise _wrong("the new tree does not continue the old one")
