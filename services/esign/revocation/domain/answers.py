"""Answers whether seal certificates are revoked: OCSP (RFC 6960) and the CRL (RFC 5280, section 5). Pure: states come
in.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha1, sha256, sha384, sha512
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from services.esign.certification.domain.pki import Authority
from services.esign.certification.domain.sm2_pki import bit_string, generalized_time, utc_time
from services.esign.domain import der
from services.esign.domain.moments import whole_second
from services.esign.seals.domain.life import RevocationReason

ECDSA_SHA256 = der.tlv(der.SEQUENCE, der.oid("1.2.840.10045.4.3.2"))
_AUTHORITY_KEY, _CRL_NUMBER = der.oid("2.5.29.35"), der.oid("2.5.29.20")
_CRL_REASON, _INVALIDITY_DATE = der.oid("2.5.29.21"), der.oid("2.5.29.24")
_ENUMERATED = 0x0A
# CRLReason certificateHold (RFC 5280, 5.3.1), which only a held certificate has.
_HOLD = 6
_SERIALS = 1 << 160
MOST_BYTES = 4096
"""Longest OCSP request that is read."""
# How long a reader may keep a list before it asks again.
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
        return whole_second(self.since_us + 999_999)

    @property
    def invalid_since(self) -> datetime | None:
        """In whole seconds; of a stolen key the last one, else the next one, as `revoked_at`. None: not stated."""
        if self.invalid_us is None:
            return None
        stolen = self.reason is RevocationReason.KEY_COMPROMISE
        return whole_second(self.invalid_us if stolen else self.invalid_us + 999_999)


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
    except Exception:  # noqa: BLE001 — see above
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
    now, since, status, reason = whole_second(now_us), None, ocsp.OCSPCertStatus.UNKNOWN, None
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
    name, key = ca.certificate.subject.public_bytes(), _key_bits(ca.certificate)
    body = list_body(name, key, ECDSA_SHA256, revoked, now_us)
    return der.tlv(der.SEQUENCE, body, ECDSA_SHA256, bit_string(ca.key.sign(body, ec.ECDSA(hashes.SHA256()))))


def list_body(
    issuer: bytes, key_bits: bytes, algorithm: bytes, revoked: Iterable[CertificateStanding], now_us: int
) -> bytes:
    """TBSCertList (RFC 5280, 5.1.2) of an authority with that Name and key, to be signed by that AlgorithmIdentifier;
    all DER. Written here: the library copies the list for each entry that is added.
    """
    now = whole_second(now_us)
    entries = [_entry(found) for found in revoked]
    key_id = sha1(key_bits, usedforsecurity=False).digest()
    extensions = (
        extension(_AUTHORITY_KEY, der.tlv(der.SEQUENCE, der.tlv(0x80, key_id))),
        extension(_CRL_NUMBER, der.integer(now_us)),
    )
    return der.tlv(
        der.SEQUENCE,
        der.integer(1),
        algorithm,
        issuer,
        utc_time(now),
        utc_time(now + timedelta(hours=CRL_HOURS)),
        # An empty list is left out (5.1.2.6).
        der.tlv(der.SEQUENCE, *entries) if entries else b"",
        der.tlv(0xA0, der.tlv(der.SEQUENCE, *extensions)),
    )


def reason_of(found: CertificateStanding) -> bytes:
    """CRLReason, DER; empty when it is unspecified, which is left out (RFC 5280, 5.3.1)."""
    value = _HOLD if found.standing is Standing.HELD else found.reason.value
    return der.tlv(_ENUMERATED, bytes((value,))) if value else b""


def extension(kind: bytes, value: bytes) -> bytes:
    """Extension, not critical; `kind` is its OID in DER."""
    return der.tlv(der.SEQUENCE, kind, der.tlv(der.OCTET_STRING, value))


def _entry(found: CertificateStanding) -> bytes:
    reason, invalid_since = reason_of(found), found.invalid_since
    told = extension(_CRL_REASON, reason) if reason else b""
    if invalid_since is not None:
        told += extension(_INVALIDITY_DATE, generalized_time(invalid_since))
    date = utc_time(found.revoked_at)
    return der.tlv(der.SEQUENCE, der.integer(found.serial), date, der.tlv(der.SEQUENCE, told) if told else b"")


def _failed(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The subject public key without tag, length and unused bits (RFC 6960, 4.1.1)."""
    fields = der.parse(certificate.tbs_certificate_bytes).children()
    return fields[6].children()[1].body[1:]
