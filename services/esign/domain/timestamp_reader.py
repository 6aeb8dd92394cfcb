"""Judges a timestamp token (RFC 3161, RFC 5816), of our own authority or of any that a trusted root vouches for."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.esign.domain import chain, cms, der
from services.esign.domain.chain import ChainError
from services.esign.domain.cms_reader import CmsError, SignedCms
from services.esign.domain.der import Node
from services.esign.domain.digests import SHA256, SM3, DigestState
from services.esign.domain.timestamp import GENERALIZED_TIME, OID_SHA384, OID_SHA512, OID_TST_INFO

# Clocks of honest machines differ by less; a token from further ahead is from a wrong clock or a lie.
CLOCK_TOLERANCE_US = 300 * 1_000_000
_DIGESTS: dict[bytes, Callable[..., DigestState]] = {
    SHA256.oid: SHA256.new,
    OID_SHA384: hashlib.sha384,
    OID_SHA512: hashlib.sha512,
    SM3.oid: SM3.new,
}
# ESSCertID of RFC 2634: SHA-1 there only tells certificates apart, and many authorities still write it.
_OID_SIGNING_CERTIFICATE = der.oid("1.2.840.113549.1.9.16.2.12")
_MOST_BYTES = 64 * 1024
_MAX_CERTIFICATES = 16
# AlgorithmIdentifiers with and without NULL for parameters (RFC 5754, 2): both are met.
_IDENTIFIERS = {der.tlv(der.SEQUENCE, oid, null): oid for oid in _DIGESTS for null in (b"", b"\x05\x00")}
_MOMENT = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z")


class TimestampInvalidError(Exception):
    """The token proves nothing. `reason` UPPER_SNAKE; `unknown`: nothing speaks against it, but nothing vouches for it
    here.
    """

    def __init__(self, reason: str, zh: str, en: str, *, unknown: bool = False) -> None:
        super().__init__(en)
        self.reason = reason
        self.zh = zh
        self.en = en
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """What a good token proves: something existed at `time_us`, give or take `accuracy_us` (µs). `path` is the
    authority's, root last.
    """

    time_us: int
    accuracy_us: int
    serial: int
    policy: bytes
    nonce: bytes
    path: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class _Info:
    """A TSTInfo."""

    policy: bytes
    digest_algorithm: bytes
    imprint: bytes
    serial: int
    time_us: int
    accuracy_us: int
    nonce: bytes


def check_token(
    token: bytes, stamped: Iterable[bytes | memoryview], roots: Sequence[x509.Certificate], now_us: int
) -> CheckedToken:
    """Judges `token` (DER, a CMS ContentInfo) over the bytes `stamped`, given in parts.

    For a signature timestamp (PAdES B-T) `stamped` is the signature value alone. The authority's path ends in one of
    `roots` and was valid at the token's time; whether it was revoked since is not asked. Raises TimestampInvalidError.
    """
    try:
        signed, content = _read(token)
        info = _info(der.parse(content))
    except (der.DerError, CmsError, IndexError) as cause:
        unsupported = isinstance(cause, CmsError) and cause.unsupported
        raise _malformed(str(cause), unknown=unsupported) from cause
    state = _DIGESTS[info.digest_algorithm]()
    for part in stamped:
        state.update(part)
    if state.digest() != info.imprint:
        raise TimestampInvalidError(
            "TIMESTAMP_OF_ANOTHER", "时间戳不是对该签名签发的", "the timestamp is of something else"
        )
    if info.time_us > now_us + CLOCK_TOLERANCE_US:
        raise TimestampInvalidError("TIMESTAMP_IN_FUTURE", "时间戳晚于当前时间", "the timestamp lies in the future")
    path = _judge_authority(signed, content, roots, info.time_us)
    return CheckedToken(info.time_us, info.accuracy_us, info.serial, info.policy, info.nonce, path)


def _judge_authority(
    signed: SignedCms, content: bytes, roots: Sequence[x509.Certificate], at_us: int
) -> tuple[x509.Certificate, ...]:
    try:
        signer = chain.load(signed.signer)
        if signed.digest(content) != signed.message_digest or not signed.signature_holds(signer):
            raise TimestampInvalidError("TIMESTAMP_SIGNATURE", "时间戳签名无效", "the timestamp's signature is wrong")
        _check_use(signer)
        path = chain.build(signer, [chain.load(c) for c in signed.certificates if c != signed.signer], roots)
    except CmsError as cause:
        raise _malformed(str(cause), unknown=cause.unsupported) from cause
    except ChainError as cause:
        reason = "TSA_NOT_TRUSTED" if cause.reason == "ISSUER_NOT_TRUSTED" else cause.reason
        raise TimestampInvalidError(
            reason, f"时间戳机构：{cause.zh}", f"timestamp authority: {cause.en}", unknown=cause.unknown
        ) from cause
    if not chain.valid_at(path, at_us):
        raise TimestampInvalidError(
            "TSA_OUTSIDE_VALIDITY", "时间戳机构证书当时不在有效期内", "the authority's certificate was not valid then"
        )
    return path


@lru_cache(maxsize=256)
def _check_use(certificate: x509.Certificate) -> None:
    """The one extended use is timeStamping and it is critical (RFC 3161, 2.3)."""
    chain.check_strength(certificate)
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        uses = None
    if uses is None or not uses.critical or list(uses.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampInvalidError(
            "TSA_KEY_USAGE", "该证书不能用于签发时间戳", "the certificate is not for timestamps"
        )


def _read(token: bytes) -> tuple[SignedCms, bytes]:
    """The signature and the TSTInfo under it. Raises DerError, CmsError, IndexError."""
    if len(token) > _MOST_BYTES:
        raise CmsError("TIMESTAMP_SYNTAX", "longer than any token")
    kind, explicit = _exactly(der.parse(token).expect(der.SEQUENCE), 2)
    (signed_data,) = _exactly(explicit.expect(0xA0), 1)
    version, digests, content, *middle, signers = signed_data.expect(der.SEQUENCE).children()
    if kind.raw != cms.OID_SIGNED_DATA or version.integer() != 3:
        raise CmsError("TIMESTAMP_SYNTAX", "not SignedData of version 3")
    content_type, wrapped = _exactly(content.expect(der.SEQUENCE), 2)
    if content_type.raw != OID_TST_INFO:
        raise CmsError("TIMESTAMP_SYNTAX", "not a TSTInfo")
    (octets,) = _exactly(wrapped.expect(0xA0), 1)
    if not middle or middle[0].tag != 0xA0 or [node.tag for node in middle[1:]] not in ([], [0xA1]):
        raise CmsError("TIMESTAMP_SYNTAX", "the authority's certificate is not in the token", unsupported=True)
    certificates = tuple(node.expect(der.SEQUENCE).raw for node in middle[0].children())
    if not 1 <= len(certificates) <= _MAX_CERTIFICATES:
        raise CmsError("TIMESTAMP_SYNTAX", "no certificate, or too many")
    (signer,) = _exactly(signers.expect(der.SET), 1)
    signed = _signer(signer.expect(der.SEQUENCE).children(), certificates)
    (announced,) = _exactly(digests.expect(der.SET), 1)
    if _digest_oid(announced) != signed.digest_algorithm:
        raise CmsError("TIMESTAMP_SYNTAX", "digest algorithms do not agree")
    return signed, octets.expect(der.OCTET_STRING).body


def _signer(fields: list[Node], certificates: tuple[bytes, ...]) -> SignedCms:
    version, identifier, digest, attributes, algorithm, signature = fields[:6]
    # Unsigned attributes (archive timestamps of the token and the like) add nothing to what it says.
    if version.integer() != 1 or [node.tag for node in fields[6:]] not in ([], [0xA1]):
        raise CmsError("TIMESTAMP_SYNTAX", "signer with fields that are not known")
    if identifier.tag != der.SEQUENCE:
        raise CmsError("TIMESTAMP_SYNTAX", "signer named by key identifier", unsupported=True)
    signer = next((c for c in certificates if b"".join(cms.issuer_and_serial(c)) == identifier.body), None)
    if signer is None:
        raise CmsError("TIMESTAMP_SYNTAX", "the authority's certificate is not in the token", unsupported=True)
    values = _attributes(attributes.expect(0xA0))
    if values.get(cms.OID_CONTENT_TYPE) != OID_TST_INFO or cms.OID_MESSAGE_DIGEST not in values:
        raise CmsError("TIMESTAMP_SYNTAX", "content-type or message-digest is missing")
    _check_reference(values, signer)
    return SignedCms(
        certificates=certificates,
        signer=signer,
        digest_algorithm=_digest_oid(digest),
        signature_algorithm=algorithm.expect(der.SEQUENCE).raw,
        message_digest=der.parse(values[cms.OID_MESSAGE_DIGEST]).expect(der.OCTET_STRING).body,
        signed_attributes=b"\x31" + attributes.raw[1:],
        signature=signature.expect(der.OCTET_STRING).body,
        certificate_reference=(SHA256.oid, SHA256.of(signer)),
        has_unsigned_attributes=len(fields) > 6,
    )


def _attributes(node: Node) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for attribute in node.children():
        kind, holder = _exactly(attribute.expect(der.SEQUENCE), 2)
        (value,) = _exactly(holder.expect(der.SET), 1)
        if kind.raw in values:
            raise CmsError("TIMESTAMP_SYNTAX", "an attribute is repeated")
        values[kind.raw] = value.raw
    return values


_reference = lru_cache(maxsize=256)(cms.signing_certificate)


def _check_reference(values: dict[bytes, bytes], signer: bytes) -> None:
    """The signed attributes name the certificate that is used: nobody can put another with the same key in its place.

    Raises CmsError.
    """
    newer, older = values.get(cms.OID_SIGNING_CERTIFICATE_V2), values.get(_OID_SIGNING_CERTIFICATE)
    value = newer or older
    if value is None:
        raise CmsError("TIMESTAMP_SYNTAX", "the token does not name its certificate")
    if newer == _reference(signer):
        return
    parts = der.parse(value).expect(der.SEQUENCE).children()[0].children()[0].children()
    algorithm = SHA256.oid
    if newer and parts[0].tag == der.SEQUENCE:
        algorithm, parts = _digest_oid(parts[0]), parts[1:]
    named = _DIGESTS[algorithm](signer) if newer else hashlib.sha1(signer, usedforsecurity=False)
    if parts[0].expect(der.OCTET_STRING).body != named.digest():
        raise CmsError("TIMESTAMP_SYNTAX", "the token names another certificate")


def _info(root: Node) -> _Info:
    fields = root.expect(der.SEQUENCE).children()
    version, policy, imprint, serial, moment = fields[:5]
    rest = fields[5:]
    if version.integer() != 1:
        raise CmsError("TIMESTAMP_SYNTAX", "TSTInfo of another version")
    algorithm, digest = _exactly(imprint.expect(der.SEQUENCE), 2)
    accuracy_us, nonce = 0, b""
    if rest and rest[0].tag == der.SEQUENCE:
        accuracy_us = _accuracy(rest.pop(0))
    if rest and rest[0].raw == b"\x01\x01\xff":
        rest.pop(0)
    if rest and rest[0].tag == der.INTEGER:
        nonce = rest.pop(0).raw
    if rest and rest[0].tag == 0xA0:
        rest.pop(0)
    if rest:
        raise CmsError("TIMESTAMP_SYNTAX", "an extension or field is not known here", unsupported=True)
    return _Info(
        policy.expect(der.OBJECT_IDENTIFIER).raw,
        _digest_oid(algorithm),
        digest.expect(der.OCTET_STRING).body,
        serial.integer(),
        _moment(moment.expect(GENERALIZED_TIME).body),
        accuracy_us,
        nonce,
    )


def _accuracy(node: Node) -> int:
    """Seconds INTEGER, millis [0], micros [1], each optional; in µs."""
    total = 0
    for part in node.children():
        unit = {der.INTEGER: 1_000_000, 0x80: 1000, 0x81: 1}.get(part.tag)
        if unit is None:
            raise CmsError("TIMESTAMP_SYNTAX", "accuracy with an unknown field")
        total += unit * int.from_bytes(part.body, "big")
    return total


def _moment(text: bytes) -> int:
    """GeneralizedTime in UTC, with or without fraction (RFC 3161, 2.4.2)."""
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as cause:
        raise CmsError("TIMESTAMP_SYNTAX", "time is not a GeneralizedTime in UTC") from cause
    fraction = int((found[7] or b"0").ljust(6, b"0")[:6])
    return int(whole.timestamp()) * 1_000_000 + fraction


def _digest_oid(identifier: Node) -> bytes:
    found = _IDENTIFIERS.get(identifier.raw)
    if found is None:
        raise CmsError("ALGORITHM", "digest algorithm is not known here", unsupported=True)
    return found


def _exactly(node: Node, count: int) -> list[Node]:
    children = node.children()
    if len(children) != count:
        raise CmsError("TIMESTAMP_SYNTAX", f"{count} elements expected")
    return children


def _malformed(detail: str, *, unknown: bool) -> TimestampInvalidError:
    return TimestampInvalidError(
        "TIMESTAMP_SYNTAX", "时间戳数据不合规或不受支持", f"timestamp data: {detail}", unknown=unknown
    )
