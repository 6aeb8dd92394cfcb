"""Keys in a device as `cryptography` takes private keys: builders of certificates, lists and requests sign with them.

Nothing private can be read out of them; whoever asks gets a KeyRefusedError.
"""

from typing import Any, NoReturn, Self, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from shuniu.kit.crypto.device import Algorithm, DeviceKey, KeyRefusedError

_HASHES: dict[Algorithm, type[hashes.HashAlgorithm]] = {Algorithm.P256: hashes.SHA256, Algorithm.P384: hashes.SHA384}


class EcDeviceKey(ec.EllipticCurvePrivateKey):
    """An ECDSA key in a device. Signs with the hash of its curve only: SHA-256 on P-256, SHA-384 on P-384."""

    def __init__(self, key: DeviceKey) -> None:
        public = serialization.load_der_public_key(key.spki)
        if key.algorithm not in _HASHES or not isinstance(public, ec.EllipticCurvePublicKey):
            raise KeyRefusedError("not an EC key")
        self._key = key
        self._public = public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        wanted, own = signature_algorithm.algorithm, _HASHES[self._key.algorithm]
        if isinstance(wanted, Prehashed) and wanted.digest_size == own().digest_size:
            return self._key.sign_digest(bytes(data))
        if not isinstance(wanted, own):
            raise KeyRefusedError("a device signs with the hash of the key's curve")
        return self._key.sign(bytes(data))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def exchange(self, *_: Any, **__: Any) -> bytes:
        _private()

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        _private()

    def private_bytes(self, *_: Any, **__: Any) -> bytes:
        _private()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> Self:
        return self


class Ed25519DeviceKey(Ed25519PrivateKey):
    """An Ed25519 key in a device."""

    def __init__(self, key: DeviceKey) -> None:
        public = serialization.load_der_public_key(key.spki)
        if key.algorithm is not Algorithm.ED25519 or not isinstance(public, Ed25519PublicKey):
            raise KeyRefusedError("not an Ed25519 key")
        self._key = key
        self._public = public

    def sign(self, data: Any) -> bytes:
        return self._key.sign(bytes(data))

    def public_key(self) -> Ed25519PublicKey:
        return self._public

    def private_bytes(self, *_: Any, **__: Any) -> bytes:
        _private()

    def private_bytes_raw(self) -> bytes:
        _private()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> Self:
        return self


def algorithm_of(spki: bytes) -> Algorithm:
    """Returns the algorithm of a public key (DER). Raises KeyRefusedError for a kind that is not known here."""
    # OID 1.2.156.10197.1.301: `cryptography` knows no SM2.
    if bytes.fromhex("06082a811ccf5501822d") in spki[:32]:
        return Algorithm.SM2
    try:
        public = serialization.load_der_public_key(spki)
    except (ValueError, TypeError) as cause:
        raise KeyRefusedError("not a public key") from cause
    if isinstance(public, Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in {"secp256r1", "secp384r1"}:
        return Algorithm.P256 if public.curve.name == "secp256r1" else Algorithm.P384
    raise KeyRefusedError("neither P-256, P-384, Ed25519 nor SM2")


def check_digest(spki: bytes, signature: bytes, digest: bytes) -> None:
    """Checks an ECDSA signature over a digest. Raises InvalidSignature."""
    chosen = ec.ECDSA(Prehashed(_HASHES[algorithm_of(spki)]()))
    cast("ec.EllipticCurvePublicKey", serialization.load_der_public_key(spki)).verify(signature, digest, chosen)


def _private() -> NoReturn:
    raise KeyRefusedError("the key does not leave its device")


def check(spki: bytes, signature: bytes, message: bytes) -> None:
    """Checks a signature by P-256, P-384 or Ed25519. Raises InvalidSignature."""
    public = serialization.load_der_public_key(spki)
    if isinstance(public, Ed25519PublicKey):
        public.verify(signature, message)
        return
    chosen = _HASHES[algorithm_of(spki)]()
    cast("ec.EllipticCurvePublicKey", public).verify(signature, message, ec.ECDSA(chosen))
