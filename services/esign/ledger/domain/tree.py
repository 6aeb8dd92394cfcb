"""Merkle tree of RFC 6962, section 2.1 (SHA-256): roots, inclusion proofs and their check,
consistency proofs.

`Nodes` answers for complete subtrees only: `nodes(level, index)` is the hash over leaves [index·2^level,
(index+1)·2^level). Proofs are made from those, so they cost O(log n) look-ups whatever keeps the nodes.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from services.esign.domain.errors import ProofWrongError

Nodes = Callable[[int, int], bytes]

EMPTY_ROOT = sha256(b"").digest()
HASH_SIZE = 32


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(size: int, nodes: Nodes) -> bytes:
    """Root of the tree's first `size` leaves."""
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Path from leaf `index` to the root at `size`, sibling of the leaf first. Raises ValueError out of range."""
    if not 0 <= index < size:
        raise ValueError("index outside the tree")
    low, high, path = 0, size, list[bytes]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, nodes))
            high = middle
        else:
            path.append(_range_hash(low, middle, nodes))
            low = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Proof that the tree at `new` continues the tree at `old` (0 < old <= new). Raises ValueError out of range."""
    if not 0 < old <= new:
        raise ValueError("0 < old <= new")
    low, high, whole, path = 0, new, True, list[bytes]()
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_hash(middle, high, nodes))
            high = middle
        else:
            path.append(_range_hash(low, middle, nodes))
            low, whole = middle, False
    if not whole:
        path.append(_range_hash(low, high, nodes))
    path.reverse()
    return path


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """RFC 9162, 2.1.3.2. Raises ProofWrongError."""
    if not 0 <= index < size:
        raise _wrong("index outside the tree")
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise _wrong("path is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last or found != expected:
        raise _wrong("path does not lead to the root")


def _range_hash(low: int, high: int, nodes: Nodes) -> bytes:
    """MTH of [low, high), where low is a multiple of the range's largest complete subtree."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes(level, low >> level)
    parts: list[bytes] = []
    while size:
        level = size.bit_length() - 1
        parts.append(nodes(level, low >> level))
        low += 1 << level
        size -= 1 << level
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def _split(size: int) -> int:
    """Largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _wrong(en: str) -> ProofWrongError:
    return ProofWrongError("PROOF_WRONG", en, "默克尔证明不成立")
