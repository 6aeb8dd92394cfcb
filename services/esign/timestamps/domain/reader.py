"""Judges a timestamp token (RFC 3161, RFC 5816), of our own authority or of any that a trusted root vouches for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from services.esign.certification.domain import chain, paths
from services.esign.certification.domain.chain import ChainError
from services.esign.domain import asn1_times, der
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signature_value import HASHES, NULL
from services.esign.domain.cms.signed_cms import CmsError, SignedCms
from services.esign.domain.der import Node
from services.esign.domain.errors import UnprovedError
from services.esign.timestamps.domain.token import GENERALIZED_TIME, OID_TST_INFO

# Clocks of honest machines differ by less; a token from further ahead is from a wrong clock or a lie.
CLOCK_TOLERANCE_US = 300 * 1_000_000
_MOST_BYTES = 64 * 1024
NOT_RELIED_ON = frozenset({"TIMESTAMP_WEAK", "WEAK_ALGORITHM", "WEAK_KEY"})
"""Reasons for which a timestamp is ignored: a forger could as well have left it out."""
_TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING.dotted_string
_USES = ExtensionOID.EXTENDED_KEY_USAGE.dotted_string
_TST_INFO = frozenset({OID_TST_INFO})
# AlgorithmIdentifiers with and without NULL for parameters (RFC 5754, 2): both are met.
_IDENTIFIERS = {der.tlv(der.SEQUENCE, oid, null): oid for oid in HASHES for null in (b"", NULL)}
_BOOLEAN, _FALSE = 0x01, b"\x01\x01\x00"


class TimestampInvalidError(UnprovedError):
    """The token proves nothing. `stated_us`: the moment that it states all the same, µs, where it is of what was
    stamped.
    """

    stated_us: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """The proof of a good token: something existed at `time_us`, give or take `accuracy_us` (µs). `path` is the
    authority's, root last; `certificates` (DER) came with the token.
    """

    time_us: int
    accuracy_us: int
    serial: int
    policy: bytes
    nonce: bytes
    path: tuple[x509.Certificate, ...]
    certificates: tuple[bytes, ...] = ()

    @property
    def latest_us(self) -> int:
        """The moment by which what was stamped existed for certain (RFC 3161, 2.4.2: accuracy)."""
        return self.time_us + self.accuracy_us


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
    token: bytes,
    stamped: Iterable[bytes | memoryview],
    roots: Sequence[x509.Certificate],
    now_us: int,
    others: Sequence[bytes] = (),
) -> CheckedToken:
    """Judges `token` (DER, a CMS ContentInfo) over the bytes `stamped`, given in parts.

    For a signature timestamp (PAdES B-T) `stamped` is the signature value alone. The authority's path ends in one of
    `roots` and was valid at the token's time; whether it was revoked since is not asked. `others`: certificates (DER)
    beside the token, which need not bring its own (RFC 3161, 2.4.1). Raises TimestampInvalidError.
    """
    try:
        signed = _read(token, others)
        info = _info(der.parse(signed.content or b""))
    except (der.DerError, CmsError, IndexError, ValueError) as cause:
        unsupported = isinstance(cause, CmsError) and cause.unsupported
        raise _malformed(str(cause), unknown=unsupported) from cause
    if HASHES[info.digest_algorithm].of(*stamped) != info.imprint:
        raise TimestampInvalidError(
            "TIMESTAMP_OF_ANOTHER", "时间戳不是对该签名签发的", "the timestamp is of something else"
        )
    try:
        path = _judge_authority(signed, info, roots, now_us)
    except TimestampInvalidError as cause:
        cause.stated_us = info.time_us
        raise
    if info.time_us > now_us + CLOCK_TOLERANCE_US:
        # An authority that is trusted says so: rather is this clock behind.
        raise TimestampInvalidError(
            "TIMESTAMP_IN_FUTURE",
            "时间戳晚于本机当前时间",
            "the timestamp lies ahead of this computer's clock",
            unknown=True,
        )
    return CheckedToken(info.time_us, info.accuracy_us, info.serial, info.policy, info.nonce, path, signed.certificates)


def _judge_authority(
    signed: SignedCms, info: _Info, roots: Sequence[x509.Certificate], now_us: int
) -> tuple[x509.Certificate, ...]:
    """Its path. Whether somebody trusted vouches for it comes first: what is passed over for being weak, anybody can
    make himself.
    """
    try:
        signer = chain.load(signed.signer)
        if not signed.signature_holds(signer):
            raise TimestampInvalidError("TIMESTAMP_SIGNATURE", "时间戳签名无效", "the timestamp's signature is wrong")
        others = chain.readable(signed.certificates, signed.signer)
        path = _path_of(signer, others, roots, (info.time_us, now_us))
        if signed.weak or HASHES[info.digest_algorithm].weak:
            raise TimestampInvalidError(
                "TIMESTAMP_WEAK",
                "时间戳使用了已不安全的摘要算法",
                "the timestamp relies on a digest algorithm that no longer holds",
                unknown=True,
            )
        _check_use(signer)
    except CmsError as cause:
        raise _malformed(str(cause), unknown=cause.unsupported) from cause
    except ChainError as cause:
        raise _of_authority(cause) from cause
    if not chain.valid_at(path, info.time_us):
        raise TimestampInvalidError(
            "TSA_OUTSIDE_VALIDITY", "时间戳机构证书当时不在有效期内", "the authority's certificate was not valid then"
        )
    return path


def _path_of(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    moments: tuple[int, int],
) -> tuple[x509.Certificate, ...]:
    """Raises ChainError; for being weak only where it leads to somebody trusted all the same."""
    try:
        return paths.build(signer, others, roots, paths.check_timestamp_path, moments=moments)
    except ChainError as cause:
        if cause.reason != "WEAK_ALGORITHM" or paths.is_led_to(signer, others, roots):
            raise
        raise paths.not_trusted() from cause


def _of_authority(cause: ChainError) -> TimestampInvalidError:
    reason = "TSA_NOT_TRUSTED" if cause.reason == "ISSUER_NOT_TRUSTED" else cause.reason
    return TimestampInvalidError(
        reason,
        f"时间戳机构：{cause.zh.replace('签章证书', '其证书')}",
        f"timestamp authority: {cause.en}",
        unknown=cause.unknown,
    )


@lru_cache(maxsize=256)
def _check_use(certificate: x509.Certificate) -> None:
    """The one extended use is timeStamping and it is critical (RFC 3161, 2.3)."""
    chain.check_strength(certificate)
    profile = chain.profile_of(certificate)
    if profile.uses is None or _TIME_STAMPING not in profile.uses:
        raise TimestampInvalidError(
            "TSA_KEY_USAGE", "该证书不能用于签发时间戳", "the certificate is not for timestamps"
        )
    if _USES not in profile.critical or len(profile.uses) > 1:
        raise TimestampInvalidError(
            "TSA_KEY_USAGE",
            "时间戳机构证书不是专用证书，不予采信",
            "the authority's certificate is not for timestamps alone",
            unknown=True,
        )


def _read(token: bytes, others: Sequence[bytes]) -> SignedCms:
    """The signature over a TSTInfo. Raises CmsError."""
    if len(token) > _MOST_BYTES:
        raise CmsError("TIMESTAMP_SYNTAX", "longer than any token", unsupported=True)
    signed = cms_reader.read(token, _TST_INFO, others)
    if signed.content is None:
        raise CmsError("TIMESTAMP_SYNTAX", "nothing is stamped")
    if signed.digest(signed.content) != signed.message_digest:
        raise CmsError("TIMESTAMP_SYNTAX", "the signature is of another content")
    if signed.certificate_reference is None:
        raise CmsError("TIMESTAMP_SYNTAX", "the token does not name its certificate", unsupported=True)
    # Nobody can put another certificate with the same key in the place of the one that is named.
    if not signed.names_its_certificate():
        raise CmsError("TIMESTAMP_SYNTAX", "the token names another certificate")
    return signed


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
    # Whether the authority's tokens can be put in order; makers state the default too.
    if rest and rest[0].tag == _BOOLEAN:
        rest.pop(0)
    if rest and rest[0].tag == der.INTEGER:
        nonce = rest.pop(0).raw
    if rest and rest[0].tag == 0xA0:
        rest.pop(0)
    if rest and rest[0].tag == 0xA1:
        _check_extensions(rest.pop(0))
    if rest:
        raise CmsError("TIMESTAMP_SYNTAX", "a field is not known here", unsupported=True)
    return _Info(
        policy.expect(der.OBJECT_IDENTIFIER).raw,
        _digest_oid(algorithm),
        digest.expect(der.OCTET_STRING).body,
        serial.integer(),
        _moment(moment),
        accuracy_us,
        nonce,
    )


def _check_extensions(node: Node) -> None:
    """Those that are not critical may be left unread (statements of qualified authorities, ETSI EN 319 422)."""
    for extension in node.children():
        _, *middle, _ = extension.expect(der.SEQUENCE).children()
        if any(part.raw != _FALSE for part in middle):
            raise CmsError("TIMESTAMP_SYNTAX", "an extension is not known here", unsupported=True)


def _accuracy(node: Node) -> int:
    """Seconds INTEGER, millis [0], micros [1], each optional; in µs."""
    total = 0
    for part in node.children():
        unit = {der.INTEGER: 1_000_000, 0x80: 1000, 0x81: 1}.get(part.tag)
        if unit is None:
            raise CmsError("TIMESTAMP_SYNTAX", "accuracy with an unknown field")
        total += unit * int.from_bytes(part.body, "big")
    return total


def _moment(node: Node) -> int:
    """GeneralizedTime (RFC 3161, 2.4.2), with a fraction or an offset of any spelling."""
    try:
        return asn1_times.read(node.expect(GENERALIZED_TIME).tag, node.body)
    except ValueError as cause:
        raise CmsError(
            "TIMESTAMP_SYNTAX", "time is not a GeneralizedTime that is read here", unsupported=True
        ) from cause


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
