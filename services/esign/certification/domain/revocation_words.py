"""Statements of an OCSP answer (RFC 6960) or a CRL (RFC 5280) about one certificate, and who signed them.

That a certificate is good is taken from what is wholly read and strongly signed. That it is revoked is taken from
whatever its authority signed, by any algorithm known here; and what may say it and cannot be read is UNCLEAR.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from cryptography import x509

from services.esign.certification.domain import chain
from services.esign.domain import der
from services.esign.domain.cms.signature_value import OtherKindError, SignatureValue, UnknownAlgorithmError
from services.esign.domain.der import DerError, Node
from services.esign.domain.kept import kept
from services.esign.domain.unwarned import unwarned

_Read = TypeVar("_Read")
_Else = TypeVar("_Else")
# An answer without end of validity may be this much older than the signature: clocks, and a local cache. µs.
_STALE_US = 3600 * 1_000_000


class Says(Enum):
    """The statement of an answer about a certificate. RELEASED: it was taken off the list again (removeFromCRL, RFC
    5280, 5.3.1), which says that a hold is over and nothing else. UNCLEAR: it may be that it is revoked.
    """

    GOOD = "GOOD"
    HELD = "HELD"
    REVOKED = "REVOKED"
    RELEASED = "RELEASED"
    UNCLEAR = "UNCLEAR"


@dataclass(frozen=True, slots=True)
class Word:
    """One answer about a certificate: as of `at_us`, until `until_us` if it says so; `since_us`: from when on it is
    held or revoked, None where it is neither. µs.
    """

    says: Says
    at_us: int
    until_us: int | None = None
    since_us: int | None = None

    @property
    def stands_until_us(self) -> int:
        """The moment, µs, after which a newer answer should exist."""
        return max(self.at_us, self.at_us + _STALE_US if self.until_us is None else self.until_us)

    def is_from(self, at_us: int) -> bool:
        """Tells whether the certificate was held or revoked from that moment (µs) on, or before."""
        return self.since_us is not None and self.since_us <= at_us

    def speaks_for(self, then_us: int, ends_us: int) -> bool:
        """Tells whether it says that the certificate, which ends at `ends_us`, was good at that moment. µs."""
        if self.since_us is not None:
            return not self.is_from(then_us)
        # After its end a certificate may leave the lists of what is revoked.
        if self.says is not Says.GOOD or self.at_us > ends_us:
            return False
        return then_us <= self.stands_until_us


UNCLEAR = Word(Says.UNCLEAR, 0)


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes that were signed (DER), and the signature over them."""

    body: bytes
    signature: SignatureValue

    @classmethod
    def of(cls, node: Node) -> "Signed":
        """Reads the SEQUENCE of what is signed, AlgorithmIdentifier and BIT STRING, whatever follows. Raises DerError,
        UnknownAlgorithmError.
        """
        members = node.expect(der.SEQUENCE).children()
        if len(members) < 3 or (value := members[2].expect(der.BIT_STRING).body)[:1] != b"\x00":
            raise DerError("no signature of whole bytes")
        return cls(members[0].raw, SignatureValue.stated(members[1].raw, value[1:]))

    @property
    def is_strong(self) -> bool:
        """Tells whether the algorithm still holds."""
        return not self.signature.weak

    def made_by(self, signer: x509.Certificate) -> bool:
        """Tells whether the signer's key made it. Raises UnknownAlgorithmError where nobody here can tell."""
        try:
            return self.signature.made_by(signer, self.body)
        except OtherKindError:
            return False

    def may_be_by(self, signer: x509.Certificate) -> bool:
        """Tells whether the signer's key made it, or may have."""
        try:
            return self.made_by(signer)
        except UnknownAlgorithmError:
            return True


def tried(read: Callable[[], _Read], otherwise: _Else) -> _Read | _Else:
    """Returns what `read` gives; `otherwise` where something in it cannot be read."""
    try:
        with unwarned():
            return read()
    except MemoryError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in an answer.
    except Exception:  # noqa: BLE001 — what is not read is judged by the caller
        return otherwise


@kept(256)
def serial_in_der(certificate: x509.Certificate) -> bytes:
    """The serial number as answers have it: INTEGER with tag and length."""
    return next(field for field in _fields(certificate) if field.tag == der.INTEGER).raw


@kept(256)
def key_bits(certificate: x509.Certificate) -> bytes:
    """The subject public key without tag, length and unused bits (RFC 6960, 4.1.1)."""
    fields = [field for field in _fields(certificate) if field.tag != _VERSION]
    return fields[5].children()[1].body[1:]


_VERSION = 0xA0


def _fields(certificate: x509.Certificate) -> list[Node]:
    return der.parse(chain.der_of(certificate)).children()[0].children()
