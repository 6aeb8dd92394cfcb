"""Timestamps (RFC 3161, RFC 5816): requests read strictly, tokens and refusals written by concatenation.

A token is a CMS SignedData over a TSTInfo. Everything that is the same in each token of an authority is computed once
(`TimestampSigner`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache

from cryptography import x509

from services.esign.domain import der
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.der import Node
from services.esign.domain.digests import SHA256, SIZE, SM3, Digest

OID_TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")
OID_SHA384 = der.oid("2.16.840.1.101.3.4.2.2")
OID_SHA512 = der.oid("2.16.840.1.101.3.4.2.3")
DIGEST_SIZES = {SHA256.oid: SIZE, OID_SHA384: 48, OID_SHA512: 64, SM3.oid: SIZE}
"""Digests that are stamped, with their length in bytes."""

MOST_BYTES = 4096
"""Longest request that is read: a digest, a policy and a nonce need a few hundred bytes."""
# Far above the 64 bits that clients send; it is echoed, so it must not grow without bound.
_NONCE_BYTES = 32
_TRUE = b"\x01\x01\xff"
_NULL = b"\x05\x00"
GENERALIZED_TIME = 0x18
_UTF8_STRING = 0x0C
# The authority vouches for its clock within a second (see ClockGuard); tokens state whole seconds.
ACCURACY_S = 1
_ACCURACY = der.tlv(der.SEQUENCE, der.integer(ACCURACY_S))
_GRANTED = der.tlv(der.SEQUENCE, der.integer(0))
_REJECTION = 2


class Failure(IntEnum):
    """PKIFailureInfo (RFC 3161, 2.4.2): the number is the bit."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


class TimestampRefusedError(Exception):
    """The authority does not stamp this. The text goes into the answer, so it says nothing of the hub's inside."""

    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


@dataclass(frozen=True, slots=True)
class TimestampQuery:
    """A TimeStampReq. `imprint` is its MessageImprint, `policy` an OID or empty, `nonce` an INTEGER or empty, all as
    they stood in DER.
    """

    imprint: bytes
    policy: bytes = b""
    nonce: bytes = b""
    wants_certificates: bool = False


def imprint(value: bytes, digest: Digest = SHA256) -> bytes:
    """MessageImprint of a digest of 32 bytes."""
    return der.tlv(der.SEQUENCE, digest.identifier, der.tlv(der.OCTET_STRING, value))


def query(value: bytes, nonce: int, digest: Digest = SHA256) -> bytes:
    """A TimeStampReq for a digest of 32 bytes that asks for the certificates too."""
    return der.tlv(der.SEQUENCE, der.integer(1), imprint(value, digest), der.integer(nonce), _TRUE)


def read_query(data: bytes) -> TimestampQuery:
    """A request, DER and nothing else. Raises TimestampRefusedError."""
    if len(data) > MOST_BYTES:
        raise TimestampRefusedError(Failure.BAD_REQUEST, "the request is too long")
    try:
        return _read_query(der.parse(data).expect(der.SEQUENCE).children())
    except der.DerError as cause:
        raise TimestampRefusedError(Failure.BAD_DATA_FORMAT, f"not a TimeStampReq in DER: {cause}") from cause


def _read_query(fields: list[Node]) -> TimestampQuery:
    if len(fields) < 2 or fields[0].integer() != 1:
        raise TimestampRefusedError(Failure.BAD_REQUEST, "a TimeStampReq of version 1 is expected")
    stamped = fields[1].expect(der.SEQUENCE)
    _check_imprint(stamped.children())
    policy, nonce, certificates, rest = b"", b"", False, fields[2:]
    if rest and rest[0].tag == der.OBJECT_IDENTIFIER:
        policy = rest.pop(0).raw
    if rest and rest[0].tag == der.INTEGER:
        rest[0].integer()
        nonce = rest.pop(0).raw
    # FALSE is the default and DER leaves a default out.
    if rest and rest[0].raw == _TRUE:
        rest.pop(0)
        certificates = True
    if rest and rest[0].tag == 0xA0:
        raise TimestampRefusedError(Failure.UNACCEPTED_EXTENSION, "no extension is supported")
    if rest or len(nonce) > _NONCE_BYTES + 2:
        raise TimestampRefusedError(Failure.BAD_REQUEST, "a field is unknown, misplaced or too long")
    return TimestampQuery(stamped.raw, policy, nonce, certificates)


def _check_imprint(parts: list[Node]) -> None:
    if len(parts) != 2:
        raise TimestampRefusedError(Failure.BAD_DATA_FORMAT, "a MessageImprint has two fields")
    algorithm = [part.raw for part in parts[0].expect(der.SEQUENCE).children()]
    if not algorithm or algorithm[0] not in DIGEST_SIZES or algorithm[1:] not in ([], [_NULL]):
        raise TimestampRefusedError(Failure.BAD_ALG, "SHA-256, SHA-384, SHA-512 or SM3 is needed")
    if len(parts[1].expect(der.OCTET_STRING).body) != DIGEST_SIZES[algorithm[0]]:
        raise TimestampRefusedError(Failure.BAD_DATA_FORMAT, "the digest's length is not its algorithm's")


def granted(token: bytes) -> bytes:
    """TimeStampResp with a token."""
    return der.tlv(der.SEQUENCE, _GRANTED, token)


def refused(failure: Failure, text: str) -> bytes:
    """TimeStampResp that says why there is no token (status rejection)."""
    bits = bytearray(failure // 8 + 1)
    bits[-1] = 0x80 >> failure % 8
    # A named bit list ends with its last one bit (X.690 11.2.2).
    info = der.tlv(der.BIT_STRING, bytes((7 - failure % 8,)), bytes(bits))
    words = der.tlv(der.SEQUENCE, der.tlv(_UTF8_STRING, text.encode()))
    return der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, der.integer(_REJECTION), words, info))


@dataclass(frozen=True, slots=True)
class TimestampSigner:
    """An authority's key, certificate and policy, with the parts of a token that never change."""

    key: cms.SigningKey
    digest: Digest
    policy: bytes
    not_after_us: int
    """End of the certificate, µs: what was stamped afterwards would prove nothing."""
    _head: bytes
    _before_imprint: bytes
    _certificates: bytes
    _signer_head: bytes
    _attributes: tuple[bytes, ...]

    @classmethod
    def prepare(
        cls, key: cms.SigningKey, certificate: bytes, chain: Sequence[bytes], policy: str, digest: Digest = SHA256
    ) -> "TimestampSigner":
        """For a certificate (DER) whose only, critical EKU is timeStamping, its intermediates, and a policy OID.
        `digest` is the one that goes with the key.
        """
        issuer, serial = cms.issuer_and_serial(certificate)
        return cls(
            key,
            digest,
            der.oid(policy),
            int(x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()) * 1_000_000,
            # Version 3: the content is not plain data (RFC 5652, 5.1).
            der.integer(3) + der.tlv(der.SET, digest.identifier),
            der.integer(1) + der.oid(policy),
            # Strict readers refuse a SET that is not in DER order.
            der.tlv(0xA0, *sorted({certificate, *chain})),
            der.integer(1) + der.tlv(der.SEQUENCE, issuer, serial) + digest.identifier,
            (
                cms.attribute(cms.OID_CONTENT_TYPE, OID_TST_INFO),
                cms.attribute(cms.OID_SIGNING_CERTIFICATE_V2, cms.signing_certificate(certificate, digest)),
            ),
        )

    def token(self, asked: TimestampQuery, serial: int, at_us: int) -> bytes:
        """A TimeStampToken for the second of `at_us` (µs). `serial` is of this token only, never of another.

        Raises TimestampRefusedError for another policy than the authority's.
        """
        if asked.policy and asked.policy != self.policy:
            raise TimestampRefusedError(Failure.UNACCEPTED_POLICY, "the authority has another policy")
        info = self._info(asked, serial, at_us)
        attributes = self._signed_attributes(info)
        return self._enclose(asked, info, attributes, self.key.sign(der.tlv(der.SET, attributes)))

    def max_size(self, serial: int) -> int:
        """Longest token over a digest of 32 bytes, without nonce, whose serial number is as long as `serial`; bytes."""
        asked = TimestampQuery(imprint(bytes(SIZE), self.digest), wants_certificates=True)
        info = self._info(asked, serial, 0)
        return len(self._enclose(asked, info, self._signed_attributes(info), bytes(self.key.max_size)))

    def _info(self, asked: TimestampQuery, serial: int, at_us: int) -> bytes:
        return der.tlv(
            der.SEQUENCE,
            self._before_imprint,
            asked.imprint,
            der.integer(serial),
            _moment(at_us // 1_000_000),
            _ACCURACY,
            asked.nonce,
        )

    def _signed_attributes(self, info: bytes) -> bytes:
        digest = cms.attribute(cms.OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, self.digest.of(info)))
        return b"".join(sorted((*self._attributes, digest)))

    def _enclose(self, asked: TimestampQuery, info: bytes, attributes: bytes, signature: bytes) -> bytes:
        signer = der.tlv(
            der.SEQUENCE,
            self._signer_head,
            der.tlv(0xA0, attributes),
            self.key.algorithm,
            der.tlv(der.OCTET_STRING, signature),
        )
        signed_data = der.tlv(
            der.SEQUENCE,
            self._head,
            der.tlv(der.SEQUENCE, OID_TST_INFO, der.tlv(0xA0, der.tlv(der.OCTET_STRING, info))),
            self._certificates if asked.wants_certificates else b"",
            der.tlv(der.SET, signer),
        )
        return der.tlv(der.SEQUENCE, cms.OID_SIGNED_DATA, der.tlv(0xA0, signed_data))


# Many tokens are of one second.
@lru_cache(maxsize=16)
def _moment(second: int) -> bytes:
    return der.tlv(GENERALIZED_TIME, datetime.fromtimestamp(second, UTC).strftime("%Y%m%d%H%M%SZ").encode())


def read_answer(data: bytes) -> bytes:
    """The token of a TimeStampResp. Raises TimestampRefusedError when there is none."""
    try:
        status, *rest = der.parse(data).expect(der.SEQUENCE).children()
        granted_with = status.expect(der.SEQUENCE).children()[0].integer()
    except (der.DerError, ValueError, IndexError) as cause:
        raise TimestampRefusedError(Failure.BAD_DATA_FORMAT, "the answer is no TimeStampResp") from cause
    # 1: granted with modifications; the token says which, and whoever checks it reads them there.
    if granted_with not in {0, 1} or len(rest) != 1:
        raise TimestampRefusedError(Failure.SYSTEM_FAILURE, "the authority refused")
    return rest[0].raw
