"""Encryption at rest under numbered keys. New values use the newest key.

A key of 32 bytes is for AES-256-GCM (NIST SP 800-38D), one of 16 for SM4-GCM (GB/T 32907, RFC 8998): both may lie in
one keyring while a hub changes its profile. A key may also lie in a device: its file then says where (`device`).
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shuniu.kit.crypto.device import Cipher, Reference
from shuniu.kit.crypto.sm import Sm4Gcm
from shuniu.kit.crypto.usage import Purpose, count
from shuniu.kit.process.config import ConfigError, secret
from shuniu.kit.process.durable import write_secret

_NONCE: Final = 12
_AES, _SM4 = 32, 16
_CIPHERS: Final[dict[int, type[AESGCM] | type[Sm4Gcm]]] = {_AES: AESGCM, _SM4: Sm4Gcm}
# Names for counting; a key in a device is of the algorithm that the device chose.
_ALGORITHMS: Final = {_AES: "aes-256-gcm", _SM4: "sm4-gcm"}
_IN_DEVICE: Final = "device"
_NAME: Final = re.compile(r"(\d{6})\.key")


class UnreadableError(Exception):
    """A stored value does not open: unknown key, other context or changed bytes."""


class Keyring:
    """Keys in a 0700 directory, one file each, named by number. Values are `number(4) | nonce(12) | ciphertext`."""

    def __init__(self, keys: Mapping[int, bytes | Cipher]) -> None:
        if not keys:
            raise ConfigError("keyring: holds no key")
        self._ciphers = {
            number: _CIPHERS[len(key)](key) if isinstance(key, bytes) else key for number, key in keys.items()
        }
        self._algorithms = {
            number: _ALGORITHMS[len(key)] if isinstance(key, bytes) else _IN_DEVICE for number, key in keys.items()
        }
        self.newest = max(keys)

    @classmethod
    def load(cls, directory: Path, held: Callable[[Reference], Cipher] | None = None) -> "Keyring":
        """`held`: opens keys that lie in a device. Raises ConfigError when there is no key, one is readable by others,
        or lies in a device that is not set.
        """
        keys: dict[int, bytes | Cipher] = {}
        for path in sorted(directory.glob("*.key")) if directory.is_dir() else []:
            match = _NAME.fullmatch(path.name)
            if match is None:
                raise ConfigError(f"{path}: not a key file name")
            keys[int(match[1])] = _read(path, held)
        if not keys:
            raise ConfigError(f"{directory}: holds no key; run `shuniu init`")
        return cls(keys)

    def number_of(self, value: bytes) -> int:
        """Returns the number of the key that a value is encrypted with."""
        return int.from_bytes(value[:4], "big")

    def encrypt(self, plain: bytes, context: bytes) -> bytes:
        """`context` binds the value to its place (table, row, column): moved elsewhere it does not open."""
        count(Purpose.STORAGE, self._algorithms[self.newest])
        nonce = os.urandom(_NONCE)
        return self.newest.to_bytes(4, "big") + nonce + self._ciphers[self.newest].encrypt(nonce, plain, context)

    def decrypt(self, value: bytes, context: bytes) -> bytes:
        number = self.number_of(value)
        cipher = self._ciphers.get(number)
        if cipher is None or len(value) < 4 + _NONCE + 16:
            raise UnreadableError("unknown key")
        count(Purpose.STORAGE, self._algorithms[number])
        try:
            return cipher.decrypt(value[4 : 4 + _NONCE], value[4 + _NONCE :], context)
        except InvalidTag:
            raise UnreadableError("changed or moved") from None


def _read(path: Path, held: Callable[[Reference], Cipher] | None) -> bytes | Cipher:
    key = secret(path)
    try:
        reference = None if len(key) in _CIPHERS else Reference.read(key)
    except ValueError:
        reference = None
    if reference is not None:
        if held is None:
            raise ConfigError(f"{path}: lies in a device, and none is set")
        return held(reference)
    if len(key) not in _CIPHERS:
        raise ConfigError(f"{path}: a key has {_AES} bytes, or {_SM4} for SM4")
    return key


def add_key(directory: Path, size: int = _AES, *, reference: Reference | None = None) -> int:
    """Makes the next key of 32 or 16 bytes, or takes one that lies in a device; durable before return. Its number."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    numbers = [int(match[1]) for path in directory.glob("*.key") if (match := _NAME.fullmatch(path.name))]
    number = max(numbers, default=0) + 1
    write_secret(directory / f"{number:06d}.key", os.urandom(size) if reference is None else reference.content)
    return number
