"""Answers whether seal certificates are revoked: OCSP (RFC 6960) and the CRL (RFC 5280, section 5). Pure: states come
in.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha1, sha256, sha384, sha512
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from services.esign.certification.domain.pki import Authority
from services.esign.domain import der
from services.esign.seals.domain.life import RevocationReason

_SERIALS = 1 << 160
MOST_BYTES = 4096
"""Longest OCSP request that is read."""
# The answer is made anew at each request; this is how long a reader may keep a list before it asks again.
CRL_HOURS = 1
_HASHES: dict[str, Callable[[bytes], Any]] = {
    # CertID's SHA-1 only names an issuer; every client sends it (RFC 5019, 2.1.1).
    "sha1": lambda data: sha1(data, usedforsecurity=False),
    "sha256": sha256,
    "sha384": sha384,
    "sha512": sha512,
}


_FLAGS = {
    RevocationReason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    RevocationReason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    RevocationReason.SUPERSEDED: x509.ReasonFlags.superseded,
    RevocationReason.CESSATION_OF_OPERATION: x509.ReasonFlags.cessation_of_operation,
    RevocationReason.PRIVILEGE_WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}


class Standing(StrEnum):
    """The standing of a seal certificate. HELD: the seal is suspended and may come back."""

    GOOD = "GOOD"
    HELD = "HELD"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class CertificateStanding:
    """A certificate's serial number, how it stands, and since when (µs). Of a revoked one also why, and from when on
    its signatures are not to be trusted (µs; None: from `since_us` on).
    """

    serial: int
    standing: Standing
    since_us: int
    reason: RevocationReason = RevocationReason.UNSPECIFIED
    invalid_us: int | None = None

    @property
    def flag(self) -> x509.ReasonFlags | None:
        """The reason as it is written; unspecified is left out (RFC 5280, 5.3.1)."""
        if self.standing is Standing.HELD:
            return x509.ReasonFlags.certificate_hold
        return _FLAGS.get(self.reason) if self.standing is Standing.REVOKED else None

    @property
    def revoked_at(self) -> datetime:
        """In whole seconds, the next one: what was signed in the same second was signed before."""
        return _moment(self.since_us + 999_999)

    @property
    def invalid_since(self) -> datetime | None:
        """In whole seconds; of a stolen key the last one, else the next one, as `revoked_at`. None: not stated."""
        if self.invalid_us is None:
            return None
        stolen = self.reason is RevocationReason.KEY_COMPROMISE
        return _moment(self.invalid_us if stolen else self.invalid_us + 999_999)


def read_request(request: bytes) -> ocsp.OCSPRequest | None:
    """None when it cannot be read, or asks for what no answer can repeat: a serial number that no certificate has (RFC
    5280, 4.1.2.2), hashes of another length than their algorithm's.
    """
    if len(request) > MOST_BYTES:
        return None
    try:
        found = ocsp.load_der_ocsp_request(request)
        size = found.hash_algorithm.digest_size
        if not 0 <= found.serial_number < _SERIALS:
            return None
        if (len(found.issuer_name_hash), len(found.issuer_key_hash), found.extensions is None) != (size, size, False):
            return None
    except MemoryError:
        raise
    # The library raises many types, not all of one family, for what may be wrong; several questions in one too.
    except Exception:  # noqa: BLE001
        return None
    return found


def means(request: ocsp.OCSPRequest, issuer: x509.Certificate) -> bool:
    """Tells whether the request asks after a certificate of this issuer."""
    digest = _HASHES.get(request.hash_algorithm.name)
    if digest is None:
        return False
    name, key = issuer.subject.public_bytes(), _key_bits(issuer)
    return bool(request.issuer_name_hash == digest(name).digest() and request.issuer_key_hash == digest(key).digest())


def answer(request: ocsp.OCSPRequest, found: CertificateStanding | None, responder: Authority, now_us: int) -> bytes:
    """OCSPResponse, DER. No nextUpdate: newer information is there at any time (RFC 6960, 4.2.2.1)."""
    now, since, status, reason = _moment(now_us), None, ocsp.OCSPCertStatus.UNKNOWN, None
    if found is not None:
        status = ocsp.OCSPCertStatus.GOOD
        if found.standing is not Standing.GOOD:
            status, since, reason = ocsp.OCSPCertStatus.REVOKED, found.revoked_at, found.flag
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            request.issuer_name_hash,
            request.issuer_key_hash,
            request.serial_number,
            request.hash_algorithm,
            status,
            now,
            None,
            since,
            reason,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        .certificates([responder.certificate])
    )
    for extension in request.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            builder = builder.add_extension(extension.value, critical=False)
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def unreadable() -> bytes:
    """OCSPResponse malformedRequest, DER."""
    return _failed(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)


def crl(ca: Authority, revoked: Iterable[CertificateStanding], now_us: int) -> bytes:
    """CertificateList, DER: what is revoked or held. Its number is the time, so a later one has a higher number."""
    now = _moment(now_us)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(hours=CRL_HOURS))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(now_us), critical=False)
    )
    for found in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(found.serial).revocation_date(found.revoked_at)
        if found.flag is not None:
            entry = entry.add_extension(x509.CRLReason(found.flag), critical=False)
        if found.invalid_since is not None:
            entry = entry.add_extension(x509.InvalidityDate(found.invalid_since), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _failed(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The subject public key without tag, length and unused bits (RFC 6960, 4.1.1)."""
    fields = der.parse(certificate.tbs_certificate_bytes).children()
    return fields[6].children()[1].body[1:]


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)
