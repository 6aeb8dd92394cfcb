"""Structures in DER and texts that were well formed, changed in one place."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from services.esign.domain import der

HOSTILE = (
    *(b"", b"\x00", b"\xff" * 9, b"\x30\x00", b"\x02\x01", b"1" * 300, "𬭎\u202e\n".encode(), b"\xed\xa0\x80"),
    *(b"99991231235959Z", b"00000101000000Z", b"20260230000000Z", b"991231235959Z"),
)
TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x30, 0x31, 0x80, 0xA0, 0xA1)
LETTERS = ("", "\n", " ", "\0", "𬭎", "\ud800", "9", "-", "=", "—", "，", "é", "~", ".", "[", '"')


@dataclass(slots=True)
class Tree:
    """An element: `body` of a primitive one, else its members. `replaced`: what stands in its place."""

    tag: int
    body: bytes = b""
    members: list["Tree"] | None = None
    replaced: bytes | None = None

    @property
    def raw(self) -> bytes:
        if self.replaced is not None:
            return self.replaced
        if self.members is None:
            return der.tlv(self.tag, self.body)
        return der.tlv(self.tag, b"".join(each.raw for each in self.members))

    def everything(self) -> Iterator["Tree"]:
        yield self
        for each in self.members or ():
            yield from each.everything()


def tree(data: bytes) -> Tree:
    """What `data` holds, into octet strings that are DER themselves. Raises DerError."""
    return _tree(der.parse(data))


def _tree(node: der.Node) -> Tree:
    if node.tag & 0x20:
        return Tree(node.tag, b"", [_tree(each) for each in node.children()])
    if node.tag == der.OCTET_STRING and node.body[:1] == b"\x30":
        try:
            return Tree(node.tag, node.body, [tree(node.body)])
        except der.DerError:
            pass
    return Tree(node.tag, node.body)


def each_emptied(data: bytes) -> Iterator[bytes]:
    """`data` with one element emptied: each in its turn."""
    whole = tree(data)
    for each in whole.everything():
        each.replaced = der.tlv(each.tag, b"")
        yield whole.raw
        each.replaced = None


def der_at_random(data: bytes, random: Random) -> bytes:
    """`data` with one or two elements of another tag, body or order."""
    whole = tree(data)
    every = list(whole.everything())
    for each in random.sample(every, random.randint(1, 2)):
        match random.randrange(5):
            case 0:
                each.tag = random.choice(TAGS)
            case 1:
                each.replaced = der.tlv(each.tag, random.choice(HOSTILE))
            case 2 if each.members:
                random.shuffle(each.members)
            case 3 if each.members:
                each.members.insert(random.randrange(len(each.members) + 1), Tree(0, replaced=random.choice(every).raw))
            case _:
                body = bytearray(each.raw)
                body[random.randrange(len(body))] ^= 1 << random.randrange(8)
                each.replaced = bytes(body)
    return whole.raw


def text_at_random(text: str, random: Random) -> str:
    """`text` with one to three letters replaced, taken out or repeated."""
    letters = list(text)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(letters))
        letters[at] = random.choice(LETTERS) if random.random() < 0.8 else letters[at] * 3
    return "".join(letters)
