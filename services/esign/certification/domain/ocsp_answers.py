"""Reads what an OCSP answer (RFC 6960, 4.2) says of one certificate."""

from collections.abc import Iterator, Sequence
from hashlib import sha1, sha224, sha256, sha384, sha512

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.esign.certification.domain import chain
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.revocation_words import (
    UNCLEAR,
    Says,
    Signed,
    Word,
    key_bits,
    serial_in_der,
    tried,
)
from services.esign.domain import der
from services.esign.domain.der import DerError, Node
from services.esign.domain.moments import us

_DIGESTS = {"sha1": sha1, "sha224": sha224, "sha256": sha256, "sha384": sha384, "sha512": sha512}
_SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string
_ENUMERATED = 0x0A
# ResponderID (RFC 6960, 4.2.1): by name, by key. A version before it is the default, which DER leaves out.
_RESPONDER = frozenset({0xA1, 0xA2})
_BASIC = "1.3.6.1.5.5.7.48.1.1"
# CertStatus (RFC 6960, 4.2.1): good and unknown.
_NOT_REVOKED = frozenset({0x80, 0x82})


def is_answer(data: bytes) -> bool:
    """Tells whether DER is an OCSPResponse, which begins with its status, or a BasicOCSPResponse, which begins with who
    answers. What is no DER is taken for a list.
    """
    try:
        first = der.parse(data).expect(der.SEQUENCE).children()[0]
        return first.tag == _ENUMERATED or (first.tag == der.SEQUENCE and first.children()[0].tag in _RESPONDER)
    except (DerError, IndexError):
        return False


def _whole(answer: bytes) -> bytes:
    """The answer as an OCSPResponse: a BasicOCSPResponse is wrapped as a successful one."""
    if der.parse(answer).expect(der.SEQUENCE).children()[0].tag == _ENUMERATED:
        return answer
    basic = der.tlv(der.SEQUENCE, der.oid(_BASIC), der.tlv(der.OCTET_STRING, answer))
    return der.tlv(der.SEQUENCE, der.tlv(_ENUMERATED, b"\x00"), der.tlv(0xA0, basic))


def words(certificate: x509.Certificate, issuer: x509.Certificate, answer: bytes) -> Sequence[Word]:
    """Returns what an answer (DER, as `is_answer` knows it) says of the certificate; nothing where it is not by who may
    answer.
    """
    answer = _whole(answer)
    found = tried(lambda: tuple(_read(certificate, issuer, answer)), None)
    if found is not None:
        return found
    return (UNCLEAR,) if _may_revoke(certificate, issuer, answer) else ()


def _read(certificate: x509.Certificate, issuer: x509.Certificate, answer: bytes) -> Iterator[Word]:
    response = ocsp.load_der_ocsp_response(answer)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return
    about = [single for single in response.responses if _is_about(single, certificate, issuer)]
    if not about:
        return
    # Looked at last: signatures cost most, and most answers are of other certificates.
    signed = Signed.of(_basic(answer))
    signers = [each for each in _may_answer(response.certificates, issuer) if signed.made_by(each)]
    for single in about:
        at_us, until, revoked = us(single.this_update_utc), single.next_update_utc, single.revocation_time_utc
        until_us = None if until is None else us(until)
        for signer in signers:
            is_in_time = chain.valid_at((signer,), at_us)
            if revoked is None:
                if is_in_time and signed.is_strong and (signer == issuer or chain.issued(signer, issuer)):
                    yield Word(Says.GOOD, at_us, until_us)
            # The issuer's key says that it revoked, whichever certificate of it the document brought.
            elif is_in_time or signer == issuer:
                is_hold = single.revocation_reason is x509.ReasonFlags.certificate_hold
                yield Word(Says.HELD if is_hold else Says.REVOKED, at_us, until_us, us(revoked))


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    digest = _DIGESTS[single.hash_algorithm.name]
    return (
        single.issuer_name_hash == digest(issuer.subject.public_bytes()).digest()
        and single.issuer_key_hash == digest(key_bits(issuer)).digest()
        and single.certificate_status is not ocsp.OCSPCertStatus.UNKNOWN
    )


def _may_answer(came: Sequence[x509.Certificate], issuer: x509.Certificate) -> list[x509.Certificate]:
    """The issuer itself, and those that came with the answer and that it made responders (RFC 6960, 4.2.2.2)."""
    return [issuer, *(each for each in came if _may_respond(each) and chain.issued_somehow(each, issuer))]


def _may_respond(responder: x509.Certificate) -> bool:
    try:
        uses = chain.profile_of(responder).uses
    except ChainError:
        return False
    return uses is not None and _SIGNING in uses


def _may_revoke(certificate: x509.Certificate, issuer: x509.Certificate, answer: bytes) -> bool:
    """Tells whether an answer that the library cannot read may say that the certificate is revoked."""
    serial = serial_in_der(certificate)
    if serial not in answer or chain.readable((answer,)):
        # A certificate among the answers is none.
        return False
    try:
        basic = _basic(answer)
        if not _names(basic, serial):
            return False
        came = [each.raw for extra in basic.children()[3:] for each in extra.children()[0].children()]
        signed = Signed.of(basic)
    except (ValueError, IndexError):
        return True
    return any(signed.may_be_by(each) for each in _may_answer(chain.readable(came), issuer))


def _names(basic: Node, serial: bytes) -> bool:
    """Tells whether one of the single answers is of that serial number, and neither good nor unknown. Raises DerError,
    IndexError.
    """
    responses = next((each for each in basic.children()[0].children() if each.tag == der.SEQUENCE), None)
    if responses is None:
        raise DerError("no single answers")
    about = ((single.children()[0].children()[3].raw, single.children()[1].tag) for single in responses.children())
    return any(number == serial and status not in _NOT_REVOKED for number, status in about)


def _basic(answer: bytes) -> Node:
    """The BasicOCSPResponse inside an OCSPResponse (RFC 6960, 4.2.1). Raises DerError, IndexError."""
    _, kind = der.parse(answer).expect(der.SEQUENCE).children()[1].children()[0].children()
    return der.parse(kind.expect(der.OCTET_STRING).body)
