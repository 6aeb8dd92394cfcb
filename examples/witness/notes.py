"""The things that a witness must read and check: signed notes, checkpoints, and that one tree continues another.

Written from the public formats alone (C2SP signed-note, tlog-checkpoint, tlog-cosignature; RFC 6962, section 2.1.2), so
that a witness shares no code with the log it watches.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LOG_KEY, COSIGNER_KEY = b"\x01", b"\x04"
EMPTY_ROOT = hashlib.sha256(b"").digest()
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_LINE = re.compile(r"— ([^\s+]{1,255}) ([A-Za-z0-9+/]+={0,2})")
_MAX_SIGNATURES = 64


class MalformedError(ValueError):
    """The bytes break their format."""


def unbase64(text: str) -> bytes:
    """Strict base64. Raises MalformedError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise MalformedError("malformed base64") from cause
    if base64.b64encode(raw).decode() != text:
        raise MalformedError("base64 with loose bits")
    return raw


def decimal(text: str) -> int:
    """A number without leading zeros. Raises MalformedError."""
    if not _DECIMAL.fullmatch(text):
        raise MalformedError("not a number")
    return int(text)


def key_id(name: str, typed_key: bytes) -> bytes:
    """Key id of signed-note."""
    return hashlib.sha256(name.encode() + b"\n" + typed_key).digest()[:4]


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log's name (its origin) and public key."""

    name: str
    id: bytes
    public: bytes


def parse_log_key(vkey: str) -> LogKey:
    """From `name+id+key`. Raises MalformedError."""
    name, _, rest = vkey.strip().partition("+")
    stated, _, encoded = rest.partition("+")
    typed = unbase64(encoded)
    if not name or typed[:1] != LOG_KEY or len(typed) != 33 or stated != key_id(name, typed).hex():
        raise MalformedError(f"not a log's verifier key: {vkey}")
    return LogKey(name, key_id(name, typed), typed[1:])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head as it was signed. `body` is the signed text, `lines` the signature lines."""

    origin: str
    size: int
    root: bytes
    body: str
    lines: tuple[str, ...]

    def log_line(self, keys: Sequence[LogKey]) -> str | None:
        """The line by which one of the log's keys signed; None when there is none, or one of them is wrong."""
        found: str | None = None
        for line in self.lines:
            match = _LINE.fullmatch(line)
            assert match is not None
            raw = unbase64(match[2])
            for key in keys:
                if (match[1], raw[:4]) == (key.name, key.id):
                    try:
                        Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], self.body.encode())
                    except InvalidSignature:
                        return None
                    found = found or line
        return found


def parse_checkpoint(note: str) -> Checkpoint:
    """Reads a checkpoint note without judging its signatures. Raises MalformedError."""
    at = note.rfind("\n\n")
    if at < 0 or not note.endswith("\n") or any(ord(c) < 0x20 and c != "\n" for c in note):
        raise MalformedError("not a signed note")
    body, lines = note[: at + 1], note[at + 2 :].split("\n")[:-1]
    if not 1 <= len(lines) <= _MAX_SIGNATURES:
        raise MalformedError("1 to 64 signatures")
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or len(unbase64(match[2])) < 5:
            raise MalformedError("malformed signature line")
    head = body.split("\n")
    if len(head) < 4 or not all(head[:-1]):
        raise MalformedError("not a checkpoint")
    root = unbase64(head[2])
    if len(root) != 32:
        raise MalformedError("not a SHA-256")
    return Checkpoint(head[0], decimal(head[1]), root, body, tuple(lines))


def continues(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tells whether the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162, section 2.1.4.2)."""
    if old in {0, new}:
        return not proof and (old != new or old_root == new_root)
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    if not steps:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = _node(after, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's own key."""

    name: str
    key: Ed25519PrivateKey

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\s+]{1,255}", self.name):
            raise MalformedError("a witness's name holds neither spaces nor plus")

    @property
    def vkey(self) -> str:
        """The key as verifiers are given it."""
        typed = COSIGNER_KEY + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{key_id(self.name, typed).hex()}+{base64.b64encode(typed).decode()}"

    def line(self, body: str, time_s: int) -> str:
        """The cosignature of a checkpoint's text at a POSIX time, as a signature line."""
        typed = COSIGNER_KEY + self.key.public_key().public_bytes_raw()
        signature = self.key.sign(f"cosignature/v1\ntime {time_s}\n{body}".encode())
        raw = key_id(self.name, typed) + time_s.to_bytes(8, "big") + signature
        return f"— {self.name} {base64.b64encode(raw).decode()}\n"
