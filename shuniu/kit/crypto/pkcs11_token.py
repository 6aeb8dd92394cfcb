"""A PKCS #11 token as a key provider: ECDSA and Ed25519 keys that sign in it, AES keys that wrap in it."""

import os
import threading
from dataclasses import dataclass, field
from hashlib import sha256, sha384
from secrets import token_hex
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from shuniu.kit.crypto.cryptoki import Attribute, CryptokiError, KeyType, Kind, Mechanism, Rv, Template
from shuniu.kit.crypto.device import Algorithm, Cipher, DeviceKey, KeyAwayError, KeyRefusedError, Reference
from shuniu.kit.crypto.device_keys import algorithm_of, check
from shuniu.kit.crypto.device_pool import Pool
from shuniu.kit.crypto.pkcs11_session import TokenSession, sessions
from shuniu.kit.crypto.pkcs11_uri import TokenUri, label_of, object_uri

_CURVES: Final[dict[Algorithm, ec.EllipticCurve]] = {
    Algorithm.P256: ec.SECP256R1(),
    Algorithm.P384: ec.SECP384R1(),
}
# CKA_EC_PARAMS: the curve's OID in DER; for Ed25519 PrintableString "edwards25519" (PKCS #11 v3.0, 2.3.5).
_PARAMETERS: Final = {
    Algorithm.P256: bytes.fromhex("06082a8648ce3d030107"),
    Algorithm.P384: bytes.fromhex("06052b81040022"),
    Algorithm.ED25519: b"\x13\x0cedwards25519",
}
_DIGESTS: Final = {Algorithm.P256: sha256, Algorithm.P384: sha384}
_WRONG: Final = frozenset({Rv.ENCRYPTED_DATA_INVALID, Rv.ENCRYPTED_DATA_LEN_RANGE, Rv.GENERAL_ERROR})
_PROBE: Final = b"shuniu: is this the key that it should be?"
_STAYS: Final[Template] = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}


class Pkcs11Token:
    """One token. SM2 has no standard mechanism in PKCS #11: such keys lie in a GM/T 0018 device."""

    scheme = "pkcs11:"

    def __init__(self, uri: TokenUri) -> None:
        self._uri = uri
        self._sessions = sessions(uri)

    @property
    def about(self) -> str:
        return f"PKCS #11 token {self._uri.token} of {self._uri.module}"

    @property
    def sessions_opened(self) -> int:
        """Number of sessions opened since start."""
        return self._sessions.opened

    def algorithms(self) -> frozenset[Algorithm]:
        def look(held: TokenSession) -> frozenset[Algorithm]:
            known = held.library.mechanisms(held.slot)
            found = {Algorithm.P256, Algorithm.P384} if Mechanism.ECDSA in known else set()
            return frozenset(found | ({Algorithm.ED25519} if Mechanism.EDDSA in known else set()))

        return self._sessions.run(look)

    def generate(self, label: str, algorithm: Algorithm) -> Reference:
        if algorithm is Algorithm.SM2 or algorithm not in self.algorithms():
            raise KeyRefusedError(f"{self.about} makes no {algorithm} keys")

        def make(held: TokenSession) -> Reference:
            named = _named(label)
            public, _ = held.library.generate_pair(
                held.session,
                Mechanism.EC_EDWARDS_KEY_PAIR_GEN if algorithm is Algorithm.ED25519 else Mechanism.EC_KEY_PAIR_GEN,
                {**named, Attribute.TOKEN: True, Attribute.VERIFY: True, Attribute.EC_PARAMS: _PARAMETERS[algorithm]},
                {**named, **_STAYS, Attribute.SIGN: True},
            )
            point = held.library.attribute(held.session, public, Attribute.EC_POINT)
            return Reference(object_uri(_label(named)), _spki(algorithm, point))

        return self._sessions.run(make)

    def key(self, reference: Reference) -> DeviceKey:
        return _TokenKey(self._sessions, label_of(reference.text), reference.spki, algorithm_of(reference.spki))

    def generate_cipher(self, label: str) -> Reference:
        def make(held: TokenSession) -> Reference:
            named = _named(label)
            use: Template = {Attribute.ENCRYPT: True, Attribute.DECRYPT: True, Attribute.VALUE_LEN: 32}
            held.library.generate_key(
                held.session, Mechanism.AES_KEY_GEN, {**named, **_STAYS, **use, Attribute.KEY_TYPE: int(KeyType.AES)}
            )
            return Reference(object_uri(_label(named)))

        return self._sessions.run(make)

    def cipher(self, reference: Reference) -> Cipher:
        return _TokenCipher(self._sessions, label_of(reference.text))

    def check(self) -> None:
        self._sessions.run(lambda held: held.library.random(held.session, 8))

    def close(self) -> None:
        self._sessions.close()


@dataclass(slots=True)
class _TokenKey:
    _sessions: Pool[TokenSession]
    _label: str
    spki: bytes
    algorithm: Algorithm
    _proved: bool = False
    _proving: threading.Lock = field(default_factory=threading.Lock)

    def sign(self, message: bytes) -> bytes:
        if not self._proved:
            self._prove()
        return self._sign(message)

    def sign_digest(self, digest: bytes) -> bytes:
        if self.algorithm not in _DIGESTS:
            raise KeyRefusedError(f"{self.algorithm} keys sign whole messages")
        if not self._proved:
            self._prove()
        return self._sign_digest(digest)

    def _prove(self) -> None:
        """Once: what the token holds under this name is the key whose public half certificates bear."""
        with self._proving:
            try:
                check(self.spki, self._sign(_PROBE), _PROBE)
            except InvalidSignature:
                raise KeyAwayError(f"the token holds another key under {self._label}") from None
            self._proved = True

    def _sign(self, message: bytes) -> bytes:
        if self.algorithm is Algorithm.ED25519:
            return self._sessions.run(lambda held: self._in(held, message, Mechanism.EDDSA))
        return self._sign_digest(_DIGESTS[self.algorithm](message).digest())

    def _sign_digest(self, digest: bytes) -> bytes:
        pair = self._sessions.run(lambda held: self._in(held, digest, Mechanism.ECDSA))
        half = len(pair) // 2
        return encode_dss_signature(int.from_bytes(pair[:half], "big"), int.from_bytes(pair[half:], "big"))

    def _in(self, held: TokenSession, data: bytes, mechanism: Mechanism) -> bytes:
        return held.library.sign(held.session, held.handle(self._label, Kind.PRIVATE_KEY), mechanism, data)


@dataclass(frozen=True, slots=True)
class _TokenCipher:
    """AES-GCM in the token (NIST SP 800-38D)."""

    _sessions: Pool[TokenSession]
    _label: str

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        def work(held: TokenSession) -> bytes:
            return held.library.encrypt_gcm(held.session, self._in(held), nonce, associated_data or b"", data)

        return self._sessions.run(work)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        def work(held: TokenSession) -> bytes | None:
            key = self._in(held)
            try:
                return held.library.decrypt_gcm(held.session, key, nonce, associated_data or b"", data)
            except CryptokiError as error:
                if error.rv not in _WRONG:
                    raise
                # Some tokens call a wrong tag a general error. If the key still works, it was the data.
                held.library.encrypt_gcm(held.session, key, os.urandom(len(nonce)), b"", _PROBE)
                return None

        opened = self._sessions.run(work)
        if opened is None:
            raise InvalidTag
        return opened

    def _in(self, held: TokenSession) -> int:
        return held.handle(self._label, Kind.SECRET_KEY)


def _named(label: str) -> dict[Attribute, bytes]:
    """A name of its own for each attempt: one that broke off half-way left perhaps a key behind."""
    name = f"{label}-{token_hex(4)}".encode()
    return {Attribute.LABEL: name, Attribute.ID: sha256(name).digest()[:20]}


def _label(named: dict[Attribute, bytes]) -> str:
    return named[Attribute.LABEL].decode()


def _spki(algorithm: Algorithm, point: bytes) -> bytes:
    """SubjectPublicKeyInfo of CKA_EC_POINT, which is the point in an OCTET STRING, or in old tokens bare."""
    if point[:1] == b"\x04" and point[1:2] in {b"\x20", b"\x41", b"\x61"} and len(point) == 2 + point[1]:
        point = point[2:]
    public: Any
    if algorithm is Algorithm.ED25519:
        public = Ed25519PublicKey.from_public_bytes(point)
    else:
        public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[algorithm], point)
    encoded: bytes = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded
