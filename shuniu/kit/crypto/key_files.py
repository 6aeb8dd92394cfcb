"""Key files of a process: each holds a key, or says in which device it lies (`device`)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shuniu.kit.crypto import sm
from shuniu.kit.crypto.device import Algorithm, Cipher, Device, DeviceKey, KeyRefusedError, Reference
from shuniu.kit.crypto.device_keys import EcDeviceKey, Ed25519DeviceKey
from shuniu.kit.crypto.keyring import Keyring, add_key
from shuniu.kit.crypto.pkcs11_token import Pkcs11Token
from shuniu.kit.crypto.pkcs11_uri import TokenUri
from shuniu.kit.crypto.sdf_device import SdfDevice, SdfUri
from shuniu.kit.process.config import ConfigError, secret
from shuniu.kit.process.durable import write_secret

_Key = TypeVar("_Key")
FILE: Final = "file"
DEVELOPMENT: Final = "软件密钥仅供开发 / software keys are for development"
_CURVES: Final[dict[Algorithm, ec.EllipticCurve]] = {
    Algorithm.P256: ec.SECP256R1(),
    Algorithm.P384: ec.SECP384R1(),
}


class SmKey(Protocol):
    """An SM2 key, in this process or in a device."""

    @property
    def spki(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _SoftwareSm:
    key: sm.PrivateKey

    @property
    def spki(self) -> bytes:
        return self.key.public.spki

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


@dataclass(frozen=True, slots=True)
class KeyRoom:
    """Opens and makes key files. `device`: where new keys are made; None means in the file itself. What was made before
    a device was set stays a software key until it is rotated. `others`: devices that hold keys made before.
    """

    device: Device | None = field(default=None, repr=False)
    others: tuple[Device, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, *settings: str, beside: tuple[Device, ...] = ()) -> "tuple[KeyRoom, ...]":
        """One each from settings, `file` or the URI of a device; each opens the keys of all and of those `beside`.
        Raises ConfigError.
        """
        devices = [open_device(setting) for setting in settings]
        there = (*(device for device in devices if device is not None), *beside)
        return tuple(cls(device, there) for device in devices)

    @property
    def about(self) -> str:
        """One line that says where keys lie."""
        return DEVELOPMENT if self.device is None else self.device.about

    def ec(self, path: Path) -> ec.EllipticCurvePrivateKey:
        """An ECDSA key. Raises ConfigError."""
        content = secret(path)
        reference = _reference(path, content)
        if reference is not None:
            return _opened(path, lambda: EcDeviceKey(self._key(path, reference)))
        try:
            key = serialization.load_pem_private_key(content, None)
        except (ValueError, TypeError):
            raise ConfigError(f"{path}: not a key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{path}: not an EC key")
        return key

    def ed25519(self, path: Path) -> Ed25519PrivateKey:
        """An Ed25519 key, 32 bytes in its file. Raises ConfigError."""
        content = secret(path)
        reference = _reference(path, content)
        if reference is not None:
            return _opened(path, lambda: Ed25519DeviceKey(self._key(path, reference)))
        try:
            return Ed25519PrivateKey.from_private_bytes(content)
        except ValueError:
            raise ConfigError(f"{path}: not an Ed25519 key") from None

    def sm2(self, path: Path) -> SmKey:
        """An SM2 key. Raises ConfigError, SmUnavailableError."""
        content = secret(path)
        reference = _reference(path, content)
        if reference is not None:
            return _opened(path, lambda: self._key(path, reference))
        try:
            return _SoftwareSm(sm.PrivateKey.from_pem(content))
        except sm.SmKeyError as error:
            raise ConfigError(f"{path}: {error}") from None

    def key(self, reference: Reference) -> DeviceKey:
        """A key in a device. Raises ConfigError when there is no such device, KeyRefusedError."""
        return self._key(Path(reference.text.partition(":")[0]), reference)

    def keyring(self, directory: Path) -> Keyring:
        """The key-encryption keys of a directory. Raises ConfigError."""

        def held(reference: Reference) -> Cipher:
            device = self._device_of(directory, reference)
            return _opened(directory, lambda: device.cipher(reference))

        return Keyring.load(directory, held)

    def make(self, path: Path, algorithm: Algorithm) -> None:
        """A new key, durable before return; a file that is there is replaced. In the file itself where the device makes
        none of that kind. Raises KeyAwayError, ConfigError.
        """
        content = _opened(path, lambda: self._content(path.stem, algorithm))
        path.unlink(missing_ok=True)
        write_secret(path, content)

    def add_wrapping(self, directory: Path, size: int) -> int:
        """The next key-encryption key; `size` in bytes where there is no device. Its number. Raises KeyAwayError,
        ConfigError.
        """
        device = self.device
        if device is None:
            return add_key(directory, size)
        return add_key(directory, reference=_opened(directory, lambda: device.generate_cipher(directory.name)))

    def makes(self, algorithm: Algorithm) -> bool:
        """Tells whether new keys of that kind come to lie in the device. Raises KeyAwayError."""
        return self.device is not None and algorithm in self.device.algorithms()

    def close(self) -> None:
        if self.device is not None:
            self.device.close()

    def _content(self, label: str, algorithm: Algorithm) -> bytes:
        if self.device is not None and self.makes(algorithm):
            return self.device.generate(label, algorithm).content
        if algorithm is Algorithm.SM2:
            return sm.PrivateKey.generate().pem
        if algorithm is Algorithm.ED25519:
            return Ed25519PrivateKey.generate().private_bytes_raw()
        return ec.generate_private_key(_CURVES[algorithm]).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _key(self, path: Path, reference: Reference) -> DeviceKey:
        return self._device_of(path, reference).key(reference)

    def _device_of(self, path: Path, reference: Reference) -> Device:
        for device in self.others if self.device is None else (self.device, *self.others):
            if reference.text.startswith(device.scheme):
                return device
        raise ConfigError(f"{path}: lies in a device ({reference.text.partition(':')[0]}), and none such is set")


SOFTWARE: Final = KeyRoom()
"""Keys in files."""


def in_device(path: Path) -> bool:
    """Tells whether a key file says where its key lies, rather than holding it. Raises ConfigError."""
    return _reference(path, secret(path)) is not None


def open_device(setting: str) -> Device | None:
    """The device that a setting names; None for `file`. It need not answer yet. Raises ConfigError."""
    if setting == FILE:
        return None
    if setting.startswith("pkcs11:"):
        return Pkcs11Token(TokenUri.parse(setting))
    if setting.startswith("sdf:"):
        return SdfDevice(SdfUri.parse(setting))
    raise ConfigError(f"{setting.partition(':')[0]!r} is no place for keys: file, pkcs11:…, sdf:…")


def _reference(path: Path, content: bytes) -> Reference | None:
    try:
        return Reference.read(content)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _opened(path: Path, work: Callable[[], _Key]) -> _Key:
    try:
        return work()
    except KeyRefusedError as error:
        raise ConfigError(f"{path}: {error}") from None
