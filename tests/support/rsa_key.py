"""Signatures by RSA with SHA-256, as documents of outside authorities have them."""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.esign.domain import der
from services.esign.domain.cms.signed_data import OID_MGF1, OID_RSA_PSS, SHA256_IDENTIFIER
from services.esign.domain.digests import SIZE

_NULL = b"\x05\x00"
# RSA with SHA-256 in the older padding (RFC 5754, 3.2): the NULL is part of it.
_RSA_PKCS1 = der.tlv(der.SEQUENCE, der.oid("1.2.840.113549.1.1.11"), _NULL)
# RSASSA-PSS with SHA-256, MGF1 with SHA-256 and as much salt as digest (RFC 4056).
_RSA_PSS = der.tlv(
    der.SEQUENCE,
    OID_RSA_PSS,
    der.tlv(
        der.SEQUENCE,
        der.tlv(0xA0, SHA256_IDENTIFIER),
        der.tlv(0xA1, der.tlv(der.SEQUENCE, OID_MGF1, SHA256_IDENTIFIER)),
        der.tlv(0xA2, der.integer(SIZE)),
    ),
)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """RSA with SHA-256, key in this process: as documents of outside authorities are signed. `max_size` is exact."""

    key: rsa.RSAPrivateKey
    algorithm: bytes
    max_size: int
    _padding: padding.PKCS1v15 | padding.PSS

    @classmethod
    def pkcs1(cls, key: rsa.RSAPrivateKey) -> "RsaKey":
        """RSASSA-PKCS1-v1_5, which every reader knows."""
        return cls(key, _RSA_PKCS1, key.key_size // 8, padding.PKCS1v15())

    @classmethod
    def pss(cls, key: rsa.RSAPrivateKey) -> "RsaKey":
        """RSASSA-PSS."""
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), SIZE)
        return cls(key, _RSA_PSS, key.key_size // 8, scheme)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, self._padding, hashes.SHA256())
