"""Facts of a certificate that the hub issued, as lists of revoked ones need them."""

from dataclasses import dataclass
from hashlib import sha1

from cryptography import x509

from services.esign.domain.moments import us


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate's serial number, the key that issued it (`key_name`; empty: not known), and its end (µs; 0: not
    known).
    """

    serial: int
    issuer: str = ""
    ends_us: int = 0

    @classmethod
    def of(cls, certificate: bytes) -> "Issued":
        """Reads a certificate (DER) of the hub's own. Raises ValueError."""
        found = x509.load_der_x509_certificate(certificate)
        return cls(found.serial_number, _issuer(found), us(found.not_valid_after_utc))


def key_name(key_bits: bytes) -> str:
    """Name of an authority's key, hex: the key identifier that its certificates and lists have (RFC 5280, 4.2.1.2)."""
    return sha1(key_bits, usedforsecurity=False).hexdigest()


def _issuer(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    return (found.value.key_identifier or b"").hex()
