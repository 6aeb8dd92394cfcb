"""What a seal signs with, as it is kept: a key of this process, or where it lies, and the certificates above its own.

Kept wrapped by the key-encryption key. Three forms: PKCS #8 in DER (certified by this hub's own seal CA), PEM of key
and chain (certified by another authority), and a reference to a remote signer with its chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.domain import chain
from services.esign.domain.cms import P256Key, SigningKey
from shuniu.kit.crypto.device import Reference
from shuniu.kit.crypto.device_keys import EcDeviceKey
from shuniu.kit.crypto.key_files import KeyRoom

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class SealKey:
    """A key that signs documents, and the certificates between its own and the root (DER, nearest first)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[bytes, ...]
    remote: bool = False
    """Signing asks another machine: not to be done where nobody may wait."""

    @property
    def key(self) -> SigningKey:
        """As documents are signed with it."""
        return P256Key(self.private)


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
    if the bytes hold no chain; `room` opens references. Raises ValueError for bytes that are none of the forms.
    """
    at = kept.find(_CERTIFICATE)
    key_part, chain_part = (kept, b"") if at < 0 else (kept[:at], kept[at:])
    above = tuple(
        loaded.public_bytes(serialization.Encoding.DER)
        for loaded in (x509.load_pem_x509_certificates(chain_part) if chain_part else ())
    )
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
