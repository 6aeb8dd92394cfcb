"""Answers whether SM2 seal certificates are revoked: OCSP (RFC 6960) and CRL (RFC 5280, 5) signed with SM2 and SM3, in
DER.

What is stated is the same as `revocation` states of the others; only the signature, and so the writing, is ours.
"""

from collections.abc import Iterable
from hashlib import sha1

from services.esign.certification.domain.sm2_pki import Sm2Signer, bit_string, generalized_time, key_bits, subject_of
from services.esign.domain import der
from services.esign.domain.moments import whole_second
from services.esign.domain.sm2 import ALGORITHM
from services.esign.revocation.domain.answers import CertificateStanding, Standing, list_body, reason_of

_ENUMERATED = 0x0A
_GOOD, _UNKNOWN = b"\x80\x00", b"\x82\x00"
_SUCCESSFUL = der.tlv(_ENUMERATED, b"\x00")
_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_NONCE = "1.3.6.1.5.5.7.48.1.2"


def crl(ca: Sm2Signer, revoked: Iterable[CertificateStanding], now_us: int) -> bytes:
    """CertificateList, DER: what is revoked or held. Its number is the time, so a later one has a higher number."""
    body = list_body(subject_of(ca.certificate), key_bits(ca.spki), ALGORITHM, revoked, now_us)
    return der.tlv(der.SEQUENCE, body, ALGORITHM, bit_string(ca.sign(body)))


def answer(request: bytes, found: CertificateStanding | None, responder: Sm2Signer, now_us: int) -> bytes:
    """OCSPResponse, DER, to a request that `revocation.read_request` could read. No nextUpdate (RFC 6960, 4.2.2.1)."""
    now = generalized_time(whole_second(now_us))
    asked = der.parse(request).children()[0].children()
    requests = next(part for part in asked if part.tag == der.SEQUENCE)
    certificate_id = requests.children()[0].children()[0].raw
    nonce = _nonce(asked)
    key_id = sha1(key_bits(responder.spki), usedforsecurity=False).digest()
    single = der.tlv(der.SEQUENCE, certificate_id, _status(found), now)
    body = der.tlv(
        der.SEQUENCE,
        der.tlv(0xA2, der.tlv(der.OCTET_STRING, key_id)),
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
    reason = reason_of(found)
    return der.tlv(0xA1, generalized_time(found.revoked_at), der.tlv(0xA0, reason) if reason else b"")


def _nonce(asked: list[der.Node]) -> bytes:
    """The request's nonce extension as it stands; empty without one."""
    wanted = der.oid(_NONCE)
    for part in asked:
        if part.tag == 0xA2:
            for extension in part.children()[0].children():
                if extension.children()[0].raw == wanted:
                    return extension.raw
    return b""
