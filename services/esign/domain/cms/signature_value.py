"""Tells whether a key made a signature value, by the algorithms that signatures in documents name (RFC 5652, 5.4 and
5.6; RFC 4056, 5754, 5758, 8032, 8419; GM/T 0006), and whether those algorithms still hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5, sha1, sha3_224, sha3_256, sha3_384, sha3_512, sha224, sha256, sha384, sha512, shake_256
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from services.esign.domain import der, sm2
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.digests import SM3, DigestState
from services.esign.domain.negative import holds

NULL = b"\x05\x00"


class UnknownAlgorithmError(ValueError):
    """Key, digest and signature algorithm do not fit, or are not known here. `reason` UPPER_SNAKE."""

    def __init__(self, detail: str, reason: str = "ALGORITHM") -> None:
        super().__init__(detail)
        self.reason = reason


class OtherKindError(UnknownAlgorithmError):
    """The algorithm is one of keys of another kind."""


class Shake256:
    """SHAKE256 with 64 bytes of output (RFC 8702, 3.1), with the methods of `hashlib`'s states."""

    __slots__ = ("_state",)

    def __init__(self, data: bytes | memoryview = b"") -> None:
        self._state = shake_256(data)

    def update(self, data: bytes | memoryview, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return self._state.digest(64)


@dataclass(frozen=True, slots=True)
class Hash:
    """A digest algorithm: how it is computed, and how `cryptography` calls it (None: it does not sign with it). `weak`:
    collisions can be made, so what it says of a document is no proof.
    """

    name: str
    new: Callable[..., Any]
    algorithm: hashes.HashAlgorithm | None
    weak: bool = False

    def of(self, *parts: bytes | memoryview) -> bytes:
        """Digest of the parts joined."""
        state: DigestState = self.new()
        for part in parts:
            state.update(part)
        return state.digest()


SHA1 = der.oid("1.3.14.3.2.26")
SHA384 = der.oid("2.16.840.1.101.3.4.2.2")
SHA512 = der.oid("2.16.840.1.101.3.4.2.3")
_MD5, _SHA224 = der.oid("1.2.840.113549.2.5"), der.oid("2.16.840.1.101.3.4.2.4")
_SHA3_224, _SHA3_256, _SHA3_384, _SHA3_512 = (der.oid(f"2.16.840.1.101.3.4.2.{n}") for n in (7, 8, 9, 10))
HASHES: dict[bytes, Hash] = {
    cms.OID_SHA256: Hash("SHA-256", sha256, hashes.SHA256()),
    SHA384: Hash("SHA-384", sha384, hashes.SHA384()),
    SHA512: Hash("SHA-512", sha512, hashes.SHA512()),
    SM3.oid: Hash("SM3", SM3.new, hashes.SM3()),
    # SM3 as GM/T 0006 lists it beside the keyed one.
    der.oid("1.2.156.10197.1.401.1"): Hash("SM3", SM3.new, hashes.SM3()),
    _SHA224: Hash("SHA-224", sha224, hashes.SHA224()),
    _SHA3_224: Hash("SHA3-224", sha3_224, hashes.SHA3_224()),
    _SHA3_256: Hash("SHA3-256", sha3_256, hashes.SHA3_256()),
    _SHA3_384: Hash("SHA3-384", sha3_384, hashes.SHA3_384()),
    _SHA3_512: Hash("SHA3-512", sha3_512, hashes.SHA3_512()),
    der.oid("2.16.840.1.101.3.4.2.12"): Hash("SHAKE256", Shake256, None),
    SHA1: Hash("SHA-1", sha1, hashes.SHA1(), weak=True),  # noqa: S303 — to say that it was used
    _MD5: Hash("MD5", md5, hashes.MD5(), weak=True),  # noqa: S303 — as above
}
"""By OID in DER."""

# Signature algorithm → the digest it names. None: that of the digest algorithm beside it.
_ECDSA: dict[bytes, bytes | None] = {
    cms.OID_ECDSA_SHA256: cms.OID_SHA256,
    der.oid("1.2.840.10045.4.3.3"): SHA384,
    der.oid("1.2.840.10045.4.3.4"): SHA512,
    der.oid("1.2.840.10045.4.3.1"): _SHA224,
    der.oid("1.2.840.10045.4.1"): SHA1,
    der.oid("2.16.840.1.101.3.4.3.9"): _SHA3_224,
    der.oid("2.16.840.1.101.3.4.3.10"): _SHA3_256,
    der.oid("2.16.840.1.101.3.4.3.11"): _SHA3_384,
    der.oid("2.16.840.1.101.3.4.3.12"): _SHA3_512,
    der.oid("1.2.840.10045.2.1"): None,
}
_RSA: dict[bytes, bytes | None] = {
    der.oid("1.2.840.113549.1.1.11"): cms.OID_SHA256,
    der.oid("1.2.840.113549.1.1.12"): SHA384,
    der.oid("1.2.840.113549.1.1.13"): SHA512,
    der.oid("1.2.840.113549.1.1.14"): _SHA224,
    der.oid("1.2.840.113549.1.1.5"): SHA1,
    der.oid("1.3.14.3.2.29"): SHA1,
    der.oid("1.2.840.113549.1.1.4"): _MD5,
    der.oid("2.16.840.1.101.3.4.3.13"): _SHA3_224,
    der.oid("2.16.840.1.101.3.4.3.14"): _SHA3_256,
    der.oid("2.16.840.1.101.3.4.3.15"): _SHA3_384,
    der.oid("2.16.840.1.101.3.4.3.16"): _SHA3_512,
    der.oid("1.2.840.113549.1.1.1"): None,
}
_DSA: dict[bytes, bytes | None] = {
    der.oid("1.2.840.10040.4.3"): SHA1,
    der.oid("2.16.840.1.101.3.4.3.1"): _SHA224,
    der.oid("2.16.840.1.101.3.4.3.2"): cms.OID_SHA256,
    der.oid("1.2.840.10040.4.1"): None,
}
DIGEST_OF: dict[bytes, bytes] = {oid: named for oid, named in {**_ECDSA, **_RSA}.items() if named is not None}
"""Signature algorithms and the digests that they name, OIDs in DER."""
_NAMED = {**_ECDSA, **_RSA, **_DSA}
_EDWARDS = frozenset({der.oid("1.3.101.112"), der.oid("1.3.101.113")})
_SM2_CURVE = der.oid("1.2.156.10197.1.301")
SM2_ALGORITHMS = frozenset({sm2.OID_SM2_WITH_SM3, der.oid("1.2.156.10197.1.301.1"), _SM2_CURVE})
"""SM2 with SM3 as makers write it: by its own name, as SM2 signature, as SM2 (GM/T 0006). OIDs in DER."""
# And by the key's own algorithm (GB/T 35275).
_SM2 = SM2_ALGORITHMS | {der.oid("1.2.840.10045.2.1")}
_BY_KEY: tuple[tuple[tuple[type, ...], frozenset[bytes]], ...] = (
    ((ec.EllipticCurvePublicKey,), frozenset(_ECDSA)),
    ((rsa.RSAPublicKey,), frozenset(_RSA) | {cms.OID_RSA_PSS}),
    ((ed25519.Ed25519PublicKey, ed448.Ed448PublicKey), _EDWARDS),
    ((dsa.DSAPublicKey,), frozenset(_DSA)),
)
_OF_KEYS = _SM2.union(*(found for _, found in _BY_KEY))
_SM2_DIGESTS = frozenset(oid for oid, found in HASHES.items() if found.name == "SM3")
# r and s side by side, as some devices give them (GM/T 0009, 6.2 has the SEQUENCE).
_RAW_SM2 = 64
# As much as a key of 8192 bits takes.
_LONGEST_SALT = 1024


@dataclass(frozen=True, slots=True)
class SignatureValue:
    """A value and what its maker says of it: AlgorithmIdentifier in DER, and the OID (DER) of the digest algorithm
    beside it.
    """

    algorithm: bytes
    digest_algorithm: bytes
    value: bytes

    @classmethod
    def stated(cls, algorithm: bytes, value: bytes) -> "SignatureValue":
        """A value with no digest algorithm beside it, as certificates and lists have it. Raises
        UnknownAlgorithmError.
        """
        oid, parameters = _named(algorithm)
        if oid == cms.OID_RSA_PSS:
            return cls(algorithm, _pss_parameters(parameters)[0], value)
        digest = _NAMED.get(oid) or (SM3.oid if oid in SM2_ALGORITHMS else b"")
        if not digest and oid not in _EDWARDS:
            raise UnknownAlgorithmError("the signature algorithm is not known here")
        return cls(algorithm, digest, value)

    @property
    def weak(self) -> bool:
        """Tells whether the digest inside the signature is one that no longer holds."""
        oid, _ = _named(self.algorithm)
        found = HASHES.get(_NAMED.get(oid) or self.digest_algorithm)
        return found is not None and found.weak

    def made_by(self, signer: x509.Certificate, message: bytes) -> bool:
        """Tells whether the signer's key made it over `message`. Raises UnknownAlgorithmError."""
        spki = sm2_key_of(signer)
        if spki is not None:
            return self._by_sm2(spki, message)
        oid, parameters = _named(self.algorithm)
        key = _key(signer)
        named = _NAMED.get(oid) or self.digest_algorithm
        try:
            if holds(lambda: self._check(key, oid, parameters, named, message)):
                return True
            stated = self.digest_algorithm
            if named == stated or not holds(lambda: self._check(key, oid, parameters, stated, message)):
                return False
            # The key's own work under a wrong name: what is unsigned does not decide what was signed.
            raise UnknownAlgorithmError("the signature uses another digest algorithm than it names")
        except UnknownAlgorithmError:
            raise
        except (UnsupportedAlgorithm, ValueError) as cause:
            raise UnknownAlgorithmError(f"signature algorithm or key cannot be used here: {cause}") from cause

    def _check(self, key: Any, oid: bytes, parameters: bytes, digest: bytes, message: bytes) -> None:
        """Raises InvalidSignature, UnknownAlgorithmError."""
        match key:
            case ec.EllipticCurvePublicKey() if oid in _ECDSA and parameters in {b"", NULL}:
                key.verify(self.value, message, ec.ECDSA(_hash(digest)))
            case rsa.RSAPublicKey() if oid in _RSA and parameters in {b"", NULL}:
                key.verify(self.value, message, padding.PKCS1v15(), _hash(digest))
            case rsa.RSAPublicKey() if oid == cms.OID_RSA_PSS:
                key.verify(self.value, message, self._pss(parameters), _hash(digest))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey() if oid in _EDWARDS and parameters in {
                b"",
                NULL,
            }:
                key.verify(self.value, message)
            case dsa.DSAPublicKey() if oid in _DSA and parameters in {b"", NULL}:
                key.verify(self.value, message, _hash(digest))
            case _:
                of_another = oid in _OF_KEYS and oid not in _of_key(key)
                kind = OtherKindError if of_another else UnknownAlgorithmError
                raise kind("signature algorithm and key do not fit or are not known")

    def _pss(self, parameters: bytes) -> padding.PSS:
        """Raises UnknownAlgorithmError when the parameters (RFC 4055, 3.1) are not understood, or name another digest
        than the one beside the signature (RFC 4056, 3).
        """
        digest, mask, salt = _pss_parameters(parameters)
        inside = HASHES[mask].algorithm
        if digest != self.digest_algorithm or inside is None or not 0 <= salt <= _LONGEST_SALT:
            raise UnknownAlgorithmError("PSS with parameters that do not fit")
        return padding.PSS(padding.MGF1(inside), salt)

    def _by_sm2(self, spki: bytes, message: bytes) -> bool:
        oid, parameters = _named(self.algorithm)
        if oid in _OF_KEYS - _SM2:
            raise OtherKindError("an SM2 key signs with SM2 only")
        if oid not in _SM2 or parameters not in {b"", NULL, _SM2_CURVE} or self.digest_algorithm not in _SM2_DIGESTS:
            raise UnknownAlgorithmError("an SM2 key signs with SM2 and SM3 only")
        try:
            return sm2.holds(spki, message, in_der(self.value))
        except sm2.Sm2AbsentError as cause:
            raise UnknownAlgorithmError(str(cause), "SM_UNAVAILABLE") from cause


def _hash(oid: bytes) -> hashes.HashAlgorithm:
    found = HASHES.get(oid)
    if found is None or found.algorithm is None:
        raise UnknownAlgorithmError("the signature's digest algorithm is not known here")
    return found.algorithm


def sm2_key_of(certificate: x509.Certificate) -> bytes | None:
    """SubjectPublicKeyInfo of an SM2 key; None for a key of any other kind. SM2 is younger than version 1."""
    return None if certificate.version is x509.Version.v1 else sm2.key_of(certificate)


def in_der(value: bytes) -> bytes:
    """An SM2 signature as SEQUENCE of r and s, whichever way it was written."""
    if len(value) != _RAW_SM2:
        return value
    r, s = (int.from_bytes(half, "big") for half in (value[:32], value[32:]))
    return der.tlv(der.SEQUENCE, der.integer(r), der.integer(s))


def public_key_of(certificate: x509.Certificate) -> CertificatePublicKeyTypes | None:
    """Its key; None for one of SM2 (see `sm2_key_of`), and for any other that the library cannot read."""
    try:
        return certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return None


def _key(signer: x509.Certificate) -> Any:
    key = public_key_of(signer)
    if key is None:
        raise UnknownAlgorithmError("a key of a kind not known here")
    return key


@lru_cache(maxsize=256)
def _named(algorithm: bytes) -> tuple[bytes, bytes]:
    """OID and parameters of an AlgorithmIdentifier, each in DER. Raises UnknownAlgorithmError."""
    try:
        kind, *parameters = der.parse(algorithm).expect(der.SEQUENCE).children()
        if len(parameters) > 1:
            raise der.DerError("more than one parameter")
        return kind.expect(der.OBJECT_IDENTIFIER).raw, parameters[0].raw if parameters else b""
    except (der.DerError, ValueError) as cause:
        raise UnknownAlgorithmError("signature algorithm cannot be read") from cause


def _digest_named(algorithm: bytes) -> bytes:
    oid, parameters = _named(algorithm)
    if oid not in HASHES or parameters not in {b"", NULL}:
        raise UnknownAlgorithmError("a digest algorithm that is not known here")
    return oid


def _pss_parameters(parameters: bytes) -> tuple[bytes, bytes, int]:
    """Digest and mask's digest (OIDs in DER) and salt length of RSASSA-PSS-params (RFC 4055, 3.1). Raises
    UnknownAlgorithmError.
    """
    digest, mask, salt = SHA1, SHA1, 20
    try:
        for part in der.parse(parameters).expect(der.SEQUENCE).children():
            (value,) = part.children()
            if part.tag == 0xA0:
                digest = _digest_named(value.raw)
            elif part.tag == 0xA1:
                function, inner = value.expect(der.SEQUENCE).children()
                if function.raw != cms.OID_MGF1:
                    raise UnknownAlgorithmError("PSS with another mask than MGF1")
                mask = _digest_named(inner.raw)
            elif part.tag == 0xA2:
                salt = value.integer()
            elif part.tag != 0xA3 or value.integer() != 1:
                raise UnknownAlgorithmError("PSS with unknown parameters")
    except (der.DerError, ValueError) as cause:
        raise UnknownAlgorithmError("PSS with parameters that cannot be read") from cause
    return digest, mask, salt


def _of_key(key: Any) -> frozenset[bytes]:
    """The algorithms (OIDs in DER) that keys of its kind sign with; empty for a kind that is not known here."""
    return next((found for kinds, found in _BY_KEY if isinstance(key, kinds)), frozenset())
