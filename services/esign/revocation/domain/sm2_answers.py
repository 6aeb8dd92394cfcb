"""Answers whether SM2 seal certificates are revoked: OCSP (RFC 6960) and CRL (RFC 5280, 5) signed with SM2 and SM3, in
DER.

What is stated is the same as `revocation` states of the others; only the signature, and so the writing, is ours.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha1

from services.esign.certification.domain.sm2_pki import Sm2Signer, bit_string, generalized_time, subject_of, utc_time
from services.esign.domain import der
from services.esign.domain.sm2 import ALGORITHM
from services.esign.revocation.domain.answers import CRL_HOURS, CertificateStanding, Standing

_ENUMERATED = 0x0A
_GOOD, _UNKNOWN = b"\x80\x00", b"\x82\x00"
_SUCCESSFUL = der.tlv(_ENUMERATED, b"\x00")
_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_NONCE = "1.3.6.1.5.5.7.48.1.2"
# CRLReason values of RFC 5280, 5.3.1, that only a held certificate has.
_HOLD = 6


def crl(ca: Sm2Signer, revoked: Iterable[CertificateStanding], now_us: int) -> bytes:
    """CertificateList, DER: what is revoked or held. Its number is the time, so a later one has a higher number."""
    now = _moment(now_us)
    entries = [_entry(found) for found in revoked]
    body = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        ALGORITHM,
        subject_of(ca.certificate),
        utc_time(now),
        utc_time(now + timedelta(hours=CRL_HOURS)),
        # An empty list is left out (5.1.2.6).
        der.tlv(der.SEQUENCE, *entries) if entries else b"",
        der.tlv(
            0xA0,
            der.tlv(
                der.SEQUENCE,
                _extension("2.5.29.35", der.tlv(der.SEQUENCE, der.tlv(0x80, _key_id(ca.spki)))),
                _extension("2.5.29.20", der.integer(now_us)),
            ),
        ),
    )
    return der.tlv(der.SEQUENCE, body, ALGORITHM, bit_string(ca.sign(body)))


def answer(request: bytes, found: CertificateStanding | None, responder: Sm2Signer, now_us: int) -> bytes:
    """OCSPResponse, DER, to a request that `revocation.read_request` could read. No nextUpdate (RFC 6960, 4.2.2.1)."""
    now = generalized_time(_moment(now_us))
    asked = der.parse(request).children()[0].children()
    requests = next(part for part in asked if part.tag == der.SEQUENCE)
    certificate_id = requests.children()[0].children()[0].raw
    nonce = _nonce(asked)
    single = der.tlv(der.SEQUENCE, certificate_id, _status(found), now)
    body = der.tlv(
        der.SEQUENCE,
        der.tlv(0xA2, der.tlv(der.OCTET_STRING, _key_id(responder.spki))),
        now,
        der.tlv(der.SEQUENCE, single),
        der.tlv(0xA1, der.tlv(der.SEQUENCE, nonce)) if nonce else b"",
    )
    basic = der.tlv(
        der.SEQUENCE,
        body,
        ALGORITHM,
        bit_string(responder.sign(body)),
        der.tlv(0xA0, der.tlv(der.SEQUENCE, responder.certificate)),
    )
    content = der.tlv(0xA0, der.tlv(der.SEQUENCE, _BASIC, der.tlv(der.OCTET_STRING, basic)))
    return der.tlv(der.SEQUENCE, _SUCCESSFUL, content)


def _status(found: CertificateStanding | None) -> bytes:
    if found is None:
        return _UNKNOWN
    if found.standing is Standing.GOOD:
        return _GOOD
    reason = _reason(found)
    return der.tlv(0xA1, generalized_time(found.revoked_at), der.tlv(0xA0, reason) if reason else b"")


def _entry(found: CertificateStanding) -> bytes:
    reason = _reason(found)
    extensions = [_extension("2.5.29.21", reason)] if reason else []
    if found.invalid_since is not None:
        extensions.append(_extension("2.5.29.24", generalized_time(found.invalid_since)))
    return der.tlv(
        der.SEQUENCE,
        der.integer(found.serial),
        utc_time(found.revoked_at),
        der.tlv(der.SEQUENCE, *extensions) if extensions else b"",
    )


def _reason(found: CertificateStanding) -> bytes:
    """CRLReason; empty when it is unspecified, which is left out (RFC 5280, 5.3.1)."""
    value = _HOLD if found.standing is Standing.HELD else found.reason.value
    return der.tlv(_ENUMERATED, bytes((value,))) if value else b""


def _nonce(asked: list[der.Node]) -> bytes:
    """The request's nonce extension as it stands; empty without one."""
    wanted = der.oid(_NONCE)
    for part in asked:
        if part.tag == 0xA2:
            for extension in part.children()[0].children():
                if extension.children()[0].raw == wanted:
                    return extension.raw
    return b""


def _extension(kind: str, value: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, der.oid(kind), der.tlv(der.OCTET_STRING, value))


def _key_id(spki: bytes) -> bytes:
    return sha1(der.parse(spki).children()[1].body[1:], usedforsecurity=False).digest()


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)
