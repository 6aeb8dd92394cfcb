"""A GM/T 0018 device as a key provider: SM2 keys that sign in it, SM4 keys that wrap in it.

The interface makes no key pairs: they are generated with the device's own administration, at an index, and the setting
says which key lies at which. What wraps is a pair of SM4 keys (to encrypt, to authenticate) that the device makes under
its key-encryption key; their wrapped form lies in the key's file and nothing but the device opens it.
"""

import base64
import hmac
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from shuniu.kit.crypto import sm
from shuniu.kit.crypto.device import Algorithm, Cipher, DeviceKey, KeyAwayError, KeyRefusedError, Reference
from shuniu.kit.crypto.device_pool import Gate, Pool
from shuniu.kit.crypto.sdf import SdfLibrary
from shuniu.kit.process.config import ConfigError, secret

_KNOWN: Final = frozenset({"library", "pin-source", "key", "kek", "x-sessions", "x-sm4"})
_BLOCK: Final = 16
_TAG: Final = 16
# SM4 as GM/T 0006-2012 numbers it; some vendors' headers say 0x2000. Mode ECB is +1, CBC +2.
_SM4: Final = "0x400"
_ECB, _CBC = 1, 2
_PROBE: Final = b"shuniu: is this the key that it should be?"
# System parameters a, b, G of the SM2 curve (GB/T 32918.5).
_CURVE: Final = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)


@dataclass(frozen=True, slots=True)
class SdfUri:
    """`sdf:?library=FILE&pin-source=file:FILE&key=NAME:INDEX…&kek=INDEX[&x-sessions=N][&x-sm4=0x2000]`."""

    library: str
    pin_file: Path
    keys: dict[str, int]
    """Index of each key pair by the name of its key file."""
    kek: int
    """Index of the key-encryption key; 0: none, the device wraps nothing."""
    sessions: int
    sm4: int

    @classmethod
    def parse(cls, text: str) -> "SdfUri":
        """Raises ConfigError naming what is wrong."""
        scheme, _, query = text.partition(":?")
        if scheme != "sdf":
            raise ConfigError("sdf URI: sdf:?library=FILE&…")
        chosen: dict[str, str] = {}
        keys: dict[str, int] = {}
        for part in filter(None, query.split("&")):
            name, _, value = (unquote(piece) for piece in part.partition("="))
            if name not in _KNOWN or name in chosen:
                raise ConfigError(f"sdf URI: {name}: unknown or twice")
            if name == "key":
                label, _, index = value.partition(":")
                keys[label] = _index(name, index)
            else:
                chosen[name] = value
        for name in ("library", "pin-source"):
            if not chosen.get(name):
                raise ConfigError(f"sdf URI: {name} is missing")
        try:
            algorithm = int(chosen.get("x-sm4", _SM4), 16)
        except ValueError:
            raise ConfigError("sdf URI: x-sm4: a hexadecimal number") from None
        return cls(
            chosen["library"],
            Path(chosen["pin-source"].removeprefix("file:")),
            keys,
            _index("kek", chosen.get("kek", "0")),
            _index("x-sessions", chosen.get("x-sessions", "4")) or 1,
            algorithm,
        )


@dataclass(slots=True)
class SdfSession:
    """A session, and what was opened in it: rights to private keys, handles of imported keys."""

    library: SdfLibrary
    session: int
    generation: int
    _rights: set[int] = field(default_factory=set)
    _imported: dict[bytes, int] = field(default_factory=dict)

    def require_right(self, index: int, pin_file: Path) -> None:
        if index not in self._rights:
            self.library.access_right(self.session, index, secret(pin_file).strip())
            self._rights.add(index)

    def imported(self, algorithm: int, kek: int, wrapped: bytes) -> int:
        found = self._imported.get(wrapped)
        if found is None:
            found = self._imported[wrapped] = self.library.import_wrapped(self.session, algorithm, kek, wrapped)
        return found

    def close(self) -> None:
        self.library.close_session(self.session)


class SdfDevice:
    """One device."""

    scheme = "sdf:"

    def __init__(self, uri: SdfUri) -> None:
        self._uri = uri
        self._library = SdfLibrary(uri.library)
        self._device = 0
        self._opening = threading.Lock()
        self._gate = Gate()
        self._pool: Pool[SdfSession] = Pool(self._gate, self._begin, self._stop, uri.sessions)

    @property
    def about(self) -> str:
        return f"GM/T 0018 device of {self._uri.library}"

    @property
    def sessions_opened(self) -> int:
        """Number of sessions opened since start."""
        return self._pool.opened

    def algorithms(self) -> frozenset[Algorithm]:
        return frozenset({Algorithm.SM2})

    def generate(self, label: str, algorithm: Algorithm) -> Reference:
        """Takes the key pair that the setting names for `label`: the interface makes none."""
        index = self._uri.keys.get(label)
        if algorithm is not Algorithm.SM2 or index is None:
            raise KeyRefusedError(f"{self.about}: no key={label}:INDEX is set")
        point = self._pool.run(lambda held: held.library.public_key(held.session, index))
        return Reference(f"sdf:index={index}", sm.PublicKey.from_point(point).spki)

    def key(self, reference: Reference) -> DeviceKey:
        return _SdfKey(self._pool, self._uri.pin_file, _part(reference, "index"), reference.spki)

    def generate_cipher(self, label: str) -> Reference:
        if not self._uri.kek:
            raise KeyRefusedError(f"{self.about}: no kek=INDEX is set, for {label}")
        algorithm = self._uri.sm4 + _ECB

        def make(held: SdfSession) -> list[bytes]:
            return [held.library.generate_wrapped(held.session, algorithm, self._uri.kek) for _ in range(2)]

        encrypting, authenticating = (base64.urlsafe_b64encode(key).decode() for key in self._pool.run(make))
        return Reference(f"sdf:kek={self._uri.kek};encrypt={encrypting};authenticate={authenticating}")

    def cipher(self, reference: Reference) -> Cipher:
        parts = _parts(reference)
        try:
            wrapped = tuple(base64.urlsafe_b64decode(parts[name]) for name in ("encrypt", "authenticate"))
        except (KeyError, ValueError):
            raise KeyRefusedError(f"{reference.text}: not a wrapping key of a GM/T 0018 device") from None
        return _SdfCipher(self._pool, self._uri.sm4, _part(reference, "kek"), wrapped[0], wrapped[1])

    def check(self) -> None:
        self._pool.run(lambda held: held.library.random(held.session, 16))

    def close(self) -> None:
        self._pool.close()

    def _begin(self) -> SdfSession:
        with self._opening:
            if not self._device:
                self._device = self._library.open_device()
            device, generation = self._device, self._gate.generation
        return SdfSession(self._library, self._library.open_session(device), generation)

    def _stop(self) -> None:
        device, self._device = self._device, 0
        if device:
            self._library.close_device(device)


@dataclass(slots=True)
class _SdfKey:
    _pool: Pool[SdfSession]
    _pin_file: Path
    _index: int
    spki: bytes
    algorithm: Algorithm = Algorithm.SM2
    _proved: bool = False

    def sign(self, message: bytes) -> bytes:
        if not self._proved:
            # Once: what lies at this index is the key whose public half certificates bear.
            if not sm.PublicKey.from_spki(self.spki).verify(_PROBE, self._sign(_PROBE)):
                raise KeyAwayError(f"the device holds another key at {self._index}")
            self._proved = True
        return self._sign(message)

    def sign_digest(self, digest: bytes) -> bytes:
        # The digest would have to hold Z already; nobody here has such a one.
        raise KeyRefusedError(f"SM2 keys sign whole messages, not {len(digest)} bytes of a digest")

    def _sign(self, message: bytes) -> bytes:
        digest = sm.sm3(_identity(self.spki[-64:]), message)

        def work(held: SdfSession) -> tuple[int, int]:
            held.require_right(self._index, self._pin_file)
            return held.library.sign(held.session, self._index, digest)

        return encode_dss_signature(*self._pool.run(work))


@dataclass(frozen=True, slots=True)
class _SdfCipher:
    """SM4-CBC, then CBC-MAC under a key of its own over everything with its lengths before it (ISO/IEC 9797-1, 6.3.2:
    lengths first, so that no message is the beginning of another). GM/T 0018-2012 has no authenticated mode.
    """

    _pool: Pool[SdfSession]
    _sm4: int
    _kek: int
    _encrypting: bytes
    _authenticating: bytes

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        fill = _BLOCK - len(data) % _BLOCK

        def work(held: SdfSession) -> bytes:
            key = held.imported(self._sm4 + _ECB, self._kek, self._encrypting)
            made = held.library.encrypt(held.session, key, self._sm4 + _CBC, _iv(nonce), data + bytes([fill]) * fill)
            return made + self._tag(held, nonce, made, associated_data or b"")

        return self._pool.run(work)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        sealed, tag = data[:-_TAG], data[-_TAG:]
        if len(sealed) % _BLOCK or not sealed:
            raise InvalidTag

        def work(held: SdfSession) -> bytes | None:
            if not hmac.compare_digest(self._tag(held, nonce, sealed, associated_data or b""), tag):
                return None
            key = held.imported(self._sm4 + _ECB, self._kek, self._encrypting)
            return held.library.decrypt(held.session, key, self._sm4 + _CBC, _iv(nonce), sealed)

        opened = self._pool.run(work)
        if opened is None:
            raise InvalidTag
        return opened[: -opened[-1]]

    def _tag(self, held: SdfSession, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
        lengths = b"".join(len(part).to_bytes(5, "big") for part in (nonce, context, sealed))
        message = bytes(1) + lengths + nonce + context + sealed
        key = held.imported(self._sm4 + _ECB, self._kek, self._authenticating)
        padded = message + bytes(-len(message) % _BLOCK)
        return held.library.encrypt(held.session, key, self._sm4 + _CBC, bytes(_BLOCK), padded)[-_TAG:]


def _iv(nonce: bytes) -> bytes:
    """Random as CBC needs it: the nonce is."""
    return nonce.ljust(_BLOCK, b"\0")


def _identity(point: bytes) -> bytes:
    """Z of the default signer id (GB/T 32918.2, 5.5)."""
    return sm.sm3((8 * len(sm.SIGNER_ID)).to_bytes(2, "big"), sm.SIGNER_ID, _CURVE, point)


def _parts(reference: Reference) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in reference.text.removeprefix("sdf:").split(";"))


def _part(reference: Reference, name: str) -> int:
    value = _parts(reference).get(name, "")
    if not value.isdecimal():
        raise KeyRefusedError(f"{reference.text}: names no {name}")
    return int(value)


def _index(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"sdf URI: {name}: an index is a number")
    return int(text)
