"""Keys that never leave a device: the port that PKCS #11 tokens, GM/T 0018 devices and remote signers stand behind.

A key's file holds then no key but where it lies: a reference of one line (`pkcs11:…`, `sdf:…`, `csc:…`) and, under it,
the public key, so that everything which only verifies works while the device is away.
"""

import base64
import binascii
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from shuniu.kit.errors import Code, HubError

_BEGIN: Final = "-----BEGIN PUBLIC KEY-----"
_END: Final = "-----END PUBLIC KEY-----"
SCHEMES: Final = ("pkcs11:", "sdf:", "csc:")


class Algorithm(StrEnum):
    """Signature algorithm of a key: ECDSA on P-256 with SHA-256, on P-384 with SHA-384, Ed25519, SM2 with SM3."""

    P256 = "p-256"
    P384 = "p-384"
    ED25519 = "ed25519"
    SM2 = "sm2"


class KeyAwayError(HubError):
    """The device that holds a key does not answer, or does not hold the key now (another one was put in its place).
    Nothing was signed; the same call works again when the right one is back.

    `cause` is for logs: what the device said.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            "HSM_AWAY",
            "The device that holds the keys does not answer; try again.",
            "密码设备暂不可用，请稍后再试。",
        )
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.reason}: {self.cause}"


class KeyRefusedError(HubError):
    """A device does not do what was asked: its kind of key, an algorithm that it does not know, or a key that its
    administrator has withdrawn. Asking again does not help. `cause` is for logs, as above.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "KEY_REFUSED",
            "The device or system that holds the key refuses to use it; ask its administrator.",
            "密码设备或签章系统拒绝使用该密钥，请联系其管理员。",
        )
        self.cause = cause

    def __str__(self) -> str:
        return self.cause


class DeviceKey(Protocol):
    """A key by reference."""

    @property
    def algorithm(self) -> Algorithm: ...

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Signature over a message: DER for ECDSA and SM2 (default signer id), 64 bytes for Ed25519.

        May be called from several threads. Raises KeyAwayError, KeyRefusedError.
        """
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """ECDSA over a digest that the caller computed, SHA-256 on P-256 and SHA-384 on P-384; DER. As `sign`; other
        keys sign whole messages only. Raises KeyRefusedError for them.
        """
        ...


class Cipher(Protocol):
    """Authenticated encryption under one key, with the calls of `cryptography`'s AEAD classes."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Raises cryptography's InvalidTag."""
        ...


class Device(Protocol):
    """Device that makes and holds keys."""

    @property
    def scheme(self) -> str:
        """Prefix of its references, with the colon."""
        ...

    @property
    def about(self) -> str:
        """One line for logs: which device, from whom."""
        ...

    def algorithms(self) -> frozenset[Algorithm]:
        """Returns the kinds of keys that it can make. Raises KeyAwayError."""
        ...

    def generate(self, label: str, algorithm: Algorithm) -> "Reference":
        """A new key in the device, under a name that begins with `label`. Raises KeyAwayError, KeyRefusedError."""
        ...

    def key(self, reference: "Reference") -> DeviceKey:
        """The key behind a reference; the device is asked when it signs, not before. Raises KeyRefusedError."""
        ...

    def generate_cipher(self, label: str) -> "Reference":
        """A new key-encryption key. Raises KeyAwayError, KeyRefusedError."""
        ...

    def cipher(self, reference: "Reference") -> Cipher:
        """The key-encryption key behind a reference. Raises KeyRefusedError."""
        ...

    def check(self) -> None:
        """Raises KeyAwayError when the device does not answer."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference to a key of a device, as settings write it (`text`). `spki`: its public key (DER) where it signs."""

    text: str
    spki: bytes = b""

    @property
    def content(self) -> bytes:
        """Text of the key's file."""
        lines = [self.text]
        if self.spki:
            lines += [_BEGIN, *textwrap.wrap(base64.b64encode(self.spki).decode("ascii"), 64), _END]
        return ("\n".join(lines) + "\n").encode("ascii")

    @classmethod
    def read(cls, content: bytes) -> "Reference | None":
        """The reference in a key file; None when the file holds a key itself. Raises ValueError for a malformed one."""
        if not content.startswith(tuple(scheme.encode() for scheme in SCHEMES)):
            return None
        text, *lines = content.decode("ascii").split("\n")
        lines = [line for line in lines if line]
        if not lines:
            return cls(text)
        if (lines[0], lines[-1]) != (_BEGIN, _END):
            raise ValueError("not a reference to a key")
        try:
            return cls(text, base64.b64decode("".join(lines[1:-1]), validate=True))
        except binascii.Error as cause:
            raise ValueError("not a reference to a key") from cause
