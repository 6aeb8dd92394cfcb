"""DER (X.690): encoding by concatenation and a reader that takes nothing but DER.

Non-minimal lengths, indefinite lengths and trailing bytes are refused: a document must have one reading only.
"""

from typing import NamedTuple

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06

# Depth and members that no structure we read comes near; bounds against hostile ones.
_MAX_DEPTH = 32
_MOST_MEMBERS = 4096


class DerError(ValueError):
    """The bytes are not DER, or not the structure expected."""


class DerLimitError(DerError):
    """There is more in the bytes than is read here."""


_OCTETS = tuple(bytes((n,)) for n in range(256))


def length(n: int) -> bytes:
    """Length octets for a content of n bytes, in the shortest form."""
    if n < 0x80:
        return _OCTETS[n]
    if 0x100 <= n < 0x10000:
        return b"\x82" + n.to_bytes(2, "big")
    raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(raw),)) + raw


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element: tag, length and the parts joined."""
    content = parts[0] if len(parts) == 1 else b"".join(parts)
    size = len(content)
    if size < 0x80:
        return _OCTETS[tag] + _OCTETS[size] + content
    return b"".join((_OCTETS[tag], length(size), content))


def integer(value: int) -> bytes:
    """INTEGER of a non-negative value."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return tlv(OBJECT_IDENTIFIER, bytes(out))


def set_of(*members: bytes) -> bytes:
    """SET OF in DER order (X.690 11.6)."""
    return tlv(SET, *sorted(members))


class Node(NamedTuple):
    """One element inside `data`: header at `start`, content from `content` to `end`."""

    data: bytes
    tag: int
    start: int
    content: int
    end: int
    depth: int = 0

    @property
    def body(self) -> bytes:
        return self.data[self.content : self.end]

    @property
    def raw(self) -> bytes:
        return self.data[self.start : self.end]

    def children(self) -> "list[Node]":
        """Elements of a constructed node. Raises DerError when it is primitive or they do not fill it."""
        if not self.tag & 0x20:
            raise DerError("constructed element expected")
        found: list[Node] = []
        data, at, end, depth = self.data, self.content, self.end, self.depth + 1
        while at < end:
            node = _read(data, at, end, depth)
            found.append(node)
            at = node.end
        if len(found) > _MOST_MEMBERS:
            raise DerLimitError("more members than are read here")
        return found

    def expect(self, tag: int) -> "Node":
        if self.tag != tag:
            raise DerError(f"tag {tag:#04x} expected, {self.tag:#04x} found")
        return self

    def integer(self) -> int:
        """Value of an INTEGER in its shortest form."""
        body = self.expect(INTEGER).body
        if not body or (len(body) > 1 and (body[0], body[1] >> 7) in {(0, 0), (0xFF, 1)}):
            raise DerError("INTEGER is not in its shortest form")
        return int.from_bytes(body, "big", signed=True)


# Nodes are made by the dozen for each signature; this skips the named fields' own constructor.
_node = tuple.__new__


def _read(data: bytes, at: int, limit: int, depth: int) -> Node:
    if depth > _MAX_DEPTH:
        raise DerError("nested too deeply")
    if at + 2 > limit:
        raise DerError("element cut short")
    tag, first = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise DerError("long tags are not used here")
    content, size = at + 2, first
    if first >= 0x80:
        count = first & 0x7F
        content += count
        if not 1 <= count <= 4 or content > limit:
            raise DerError("length is indefinite or too long")
        size = int.from_bytes(data[at + 2 : content], "big")
        if size < 0x80 or data[at + 2] == 0:
            raise DerError("length is not in its shortest form")
    if content + size > limit:
        raise DerError("element cut short")
    return _node(Node, (data, tag, at, content, content + size, depth))


def parse(data: bytes) -> Node:
    """The one element that fills `data` exactly. Raises DerError."""
    node = _read(data, 0, len(data), 0)
    if node.end != len(data):
        raise DerError("bytes after the element")
    return node


def parse_prefix(data: bytes) -> Node:
    """The element at the start of `data`, whatever follows it. Raises DerError."""
    return _read(data, 0, len(data), 0)
