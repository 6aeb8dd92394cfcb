"""The key of a seal, as it is stored: a key of this process, or where it lies, and the certificates above its own.

Kept wrapped by the key-encryption key. Three forms: PKCS #8 in DER (certified by a seal CA of this hub), PEM of key and
chain (certified by another authority), and a reference to a remote signer with its chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification.domain import chain, pem
from services.esign.domain import sm2
from services.esign.domain.cms.signed_data import P256Key, SigningKey
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.errors import EsignError
from services.esign.keys.counted import P256_WITH_SHA256, SM2_WITH_SM3, CountedKey
from shuniu.kit.crypto import sm
from shuniu.kit.crypto.device import Reference
from shuniu.kit.crypto.device_keys import EcDeviceKey
from shuniu.kit.crypto.key_files import KeyRoom
from shuniu.kit.crypto.usage import Purpose

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class SealKey:
    """A key that signs documents, and the certificates between its own and the root (DER, nearest first)."""

    private: ec.EllipticCurvePrivateKey | Sm2Key = field(repr=False)
    chain: tuple[bytes, ...]
    remote: bool = False
    """Signing asks another machine: not to be done where nobody may wait."""

    @property
    def key(self) -> SigningKey:
        """As documents are signed with it; counted."""
        if isinstance(self.private, Sm2Key):
            return CountedKey(self.private, Purpose.SEAL, SM2_WITH_SM3)
        return CountedKey(P256Key(self.private), Purpose.SEAL, P256_WITH_SHA256)

    @property
    def digest(self) -> Digest:
        """The digest that goes with the key."""
        return SM3 if isinstance(self.private, Sm2Key) else SHA256

    @property
    def ecdsa(self) -> ec.EllipticCurvePrivateKey:
        """For what only ECDSA can sign. Raises SealAlgorithmError."""
        if isinstance(self.private, Sm2Key):
            raise SealAlgorithmError(
                "SEAL_ALGORITHM",
                "this is signed with ECDSA, and the seal's key is SM2",
                "此处须用 ECDSA 签名，而该印章为 SM2 密钥",
            )
        return self.private


class SealAlgorithmError(EsignError):
    """The seal's key is of a kind that cannot sign this."""


class SealOfAnotherProfileError(EsignError):
    """The seal was made before the hub changed its cryptographic profile."""


def check_profile(certificate: bytes, digest: Digest) -> None:
    """Raises SealOfAnotherProfileError unless a seal with this certificate (DER) signs with what the hub signs with
    now: `digest` SM3 wants SM2.
    """
    if (digest is SM3) != is_sm2(certificate):
        raise SealOfAnotherProfileError(
            "SEAL_OF_ANOTHER_PROFILE",
            "the seal was made under another cryptographic profile: have it replaced",
            "该印章是在另一密码体系下制作的，请先换发印章",
        )


def is_sm2(certificate: bytes) -> bool:
    """Tells whether a certificate (DER) is of an SM2 key."""
    return sm2.key_of(chain.load(certificate)) is not None


def keep(key: ec.EllipticCurvePrivateKey | Reference, above: Sequence[x509.Certificate] = ()) -> bytes:
    """The form that is wrapped and stored. `above`: certificates of another authority, nearest first, without its root;
    none when this hub certified the key.
    """
    chain_pem = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in above)
    if isinstance(key, Reference):
        return key.content + chain_pem
    encoding = serialization.Encoding.PEM if above else serialization.Encoding.DER
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + chain_pem


def open_kept(kept: bytes, certificate: bytes, own: tuple[bytes, ...], room: KeyRoom) -> SealKey:
    """The key behind what `keep` gave. `own`: this hub's seal CAs (DER), of which one issued `certificate` (DER)
    if the bytes hold no chain; `room` opens references. Raises ValueError for bytes that are none of the forms,
    SmUnavailableError.
    """
    if is_sm2(certificate):
        opened = Sm2Key(sm.PrivateKey.from_der(kept).sign)
        return SealKey(opened, (_issuer(certificate, own),))
    at = kept.find(_CERTIFICATE)
    key_part, chain_part = (kept, b"") if at < 0 else (kept[:at], kept[at:])
    above = tuple(loaded.public_bytes(serialization.Encoding.DER) for loaded in pem.certificates(chain_part))
    reference = Reference.read(key_part)
    if reference is not None:
        return SealKey(EcDeviceKey(room.key(reference)), above, remote=True)
    load = serialization.load_pem_private_key if above else serialization.load_der_private_key
    key = load(key_part, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC key")  # noqa: TRY004 — the kept bytes are at fault, not the caller
    return SealKey(key, above or (_issuer(certificate, own),))


# The hub's authorities are few and its seals many documents old.
@lru_cache(maxsize=1024)
def _issuer(certificate: bytes, authorities: tuple[bytes, ...]) -> bytes:
    below = chain.load(certificate)
    for authority in authorities:
        if chain.issued(below, chain.load(authority)):
            return authority
    raise ValueError("no seal CA of this hub issued the certificate")
