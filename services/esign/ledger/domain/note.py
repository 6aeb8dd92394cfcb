"""Signed notes (C2SP signed-note): text signed by one or more keys, Ed25519 (type 0x01)."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.esign.domain.errors import NoteMalformedError, NoteUntrustedError
from services.esign.domain.malformed import parser
from services.esign.domain.negative import holds

_ED25519 = b"\x01"
# The specification demands that 16 are accepted; more serve nobody but an attacker.
MAX_SIGNATURES = 64
MAX_NOTE = 1 << 20
_NAME = re.compile(r"[^\s+\x00-\x20]{1,255}")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]{1,255}) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key that may sign notes under `name`."""

    name: str
    key_id: bytes
    public: bytes

    @property
    def vkey(self) -> str:
        """The key as text: name+id+key."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Signs notes under `name`."""

    key: Ed25519PrivateKey
    verifier: VerifierKey

    @classmethod
    def prepare(cls, name: str, key: Ed25519PrivateKey) -> "NoteSigner":
        """Raises NoteMalformedError when `name` is not a key name (no spaces, no plus)."""
        if not _NAME.fullmatch(name):
            raise _malformed("NOTE_KEY_NAME", "key names hold neither spaces nor plus")
        public = key.public_key().public_bytes_raw()
        return cls(key, VerifierKey(name, key_id(name, _ED25519 + public), public))

    def sign(self, text: str) -> str:
        """The note: text (ending in a newline), blank line, signature line."""
        if not text.endswith("\n"):
            raise _malformed("NOTE_TEXT", "note text ends with a newline")
        signature = base64.b64encode(self.verifier.key_id + self.key.sign(text.encode())).decode()
        return f"{text}\n— {self.verifier.name} {signature}\n"


def parse_vkey(text: str) -> VerifierKey:
    """A log's verifier key from its text. Raises NoteMalformedError."""
    name, typed = split_vkey(text)
    if typed[:1] != _ED25519 or len(typed) != 33:
        raise _malformed("VKEY", "not an Ed25519 verifier key")
    return VerifierKey(name, key_id(name, typed), typed[1:])


@parser(lambda _: _malformed("NOTE_TEXT", "not text"), NoteMalformedError, NoteUntrustedError)
def open_note(note: str, keys: Iterable[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
    """The text and the known keys that signed it; signatures of unknown keys are passed over.

    Raises NoteMalformedError; NoteUntrustedError when no known key signed or one of them signed something else.
    """
    text, signatures = split(note)
    known = {(key.name, key.key_id): key for key in keys}
    signers: list[VerifierKey] = []
    for name, key_id, signature in signatures:
        key = known.get((name, key_id))
        if key is None or key in signers:
            continue
        if not signed_by(key.public, signature, text.encode()):
            raise NoteUntrustedError("NOTE_SIGNATURE", f"signature of {name} is wrong", f"{name} 的签名无效")
        signers.append(key)
    if not signers:
        raise NoteUntrustedError("NOTE_UNSIGNED", "signed by no key known here", "没有受信密钥的签名")
    return text, tuple(signers)


def signed_by(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tells whether this Ed25519 key, 32 bytes, signed the message."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return holds(lambda: key.verify(signature, message))


def split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Text and signatures (key name, key id, signature), unchecked. Raises NoteMalformedError."""
    if len(note) > MAX_NOTE or any(ord(c) < 0x20 and c != "\n" for c in note) or not note.endswith("\n"):
        raise _malformed("NOTE_TEXT", "too long, control characters, or no newline at the end")
    at = note.rfind("\n\n")
    if at < 0:
        raise _malformed("NOTE_TEXT", "no blank line before the signatures")
    lines = note[at + 2 :].split("\n")[:-1]
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise _malformed("NOTE_SIGNATURES", f"1 to {MAX_SIGNATURES} signatures")
    signatures: list[tuple[str, bytes, bytes]] = []
    for line in lines:
        match = _SIGNATURE_LINE.fullmatch(line)
        raw = _base64(match[2]) if match else b""
        if match is None or len(raw) < 5:
            raise _malformed("NOTE_SIGNATURES", "malformed signature line")
        signatures.append((match[1], raw[:4], raw[4:]))
    return note[: at + 1], signatures


def key_id(name: str, typed_key: bytes) -> bytes:
    """Key id of signed-note: of the name and the key with its type byte."""
    return sha256(name.encode() + b"\n" + typed_key).digest()[:4]


@parser(lambda _: _malformed("VKEY", "not a verifier key"), NoteMalformedError)
def split_vkey(text: str) -> tuple[str, bytes]:
    """Name and typed key of a verifier key of any type. Raises NoteMalformedError."""
    name, _, rest = text.strip().partition("+")
    stated, _, encoded = rest.partition("+")
    typed = _base64(encoded)
    if not _NAME.fullmatch(name) or not typed:
        raise _malformed("VKEY", "not a verifier key")
    if stated != key_id(name, typed).hex():
        raise _malformed("VKEY", "key id does not belong to name and key")
    return name, typed


@parser(lambda _: _malformed("BASE64", "malformed base64"), NoteMalformedError)
def _base64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise _malformed("BASE64", "base64 with loose bits")
    return raw


def _malformed(reason: str, en: str) -> NoteMalformedError:
    return NoteMalformedError(reason, en, "签名文本格式错误")
