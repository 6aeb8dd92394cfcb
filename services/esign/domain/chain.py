"""Certificate paths from a signer to a trusted root (RFC 5280, section 6, for what document signers need)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from services.esign.domain import der, sm2

_T = TypeVar("_T", bound=x509.ExtensionType)
_MAX_LENGTH = 8
# Certificates up to this size (bytes) are kept once read: none in use is larger.
_KEEP_MOST = 8192
_VERSION_3 = b"\xa0\x03\x02\x01\x02"
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_RSA_BITS = 2048
# Critical extensions whose meaning is honoured below; a certificate with another one is not understood.
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE})
# documentSigning, RFC 9336.
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_SIGNING_USES = frozenset(
    {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, _DOCUMENT_SIGNING}
)


class ChainError(Exception):
    """No acceptable path. `reason` UPPER_SNAKE; `unknown`: nothing speaks against the signer, but nothing vouches for
    it here.
    """

    def __init__(self, reason: str, zh: str, en: str, *, unknown: bool = False) -> None:
        super().__init__(en)
        self.reason = reason
        self.zh = zh
        self.en = en
        self.unknown = unknown


def load(certificate: bytes) -> x509.Certificate:
    """The certificate of DER bytes, with everything in it that will be looked at later. Raises ChainError."""
    return _kept(certificate) if len(certificate) <= _KEEP_MOST else _load(certificate)


def _load(certificate: bytes) -> x509.Certificate:
    try:
        spki = _check_outside(certificate)
        found = x509.load_der_x509_certificate(certificate)
        _ = found.extensions, found.subject, found.issuer, found.not_valid_before_utc, found.not_valid_after_utc
        if not sm2.is_key(spki):
            found.public_key()
    except UnsupportedAlgorithm as cause:
        raise ChainError(
            "ALGORITHM", "证书算法不受支持", "key or signature of a kind not known here", unknown=True
        ) from cause
    except ChainError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in a certificate.
    except Exception as cause:
        raise _malformed() from cause
    return found


# A seal signs many documents: its certificate is read once. Errors are not kept.
_kept = lru_cache(maxsize=1024)(_load)


def _check_outside(certificate: bytes) -> bytes:
    """What the issuer's signature does not cover, and what the library lets pass with a warning; the key in DER. Raises
    DerError, ChainError.
    """
    body, algorithm, signature = der.parse(certificate).expect(der.SEQUENCE).children()
    fields = body.expect(der.SEQUENCE).children()
    # Version 3 (RFC 5280, 4.1.2.1), a positive serial number (4.1.2.2), the same algorithm inside and outside
    # (4.1.1.2).
    if fields[0].raw != _VERSION_3 or fields[1].integer() <= 0 or fields[2].raw != algorithm.raw:
        raise _malformed()
    # A bit string of whole bytes: otherwise its count of unused bits could change and nobody would notice.
    if signature.expect(der.BIT_STRING).body[:1] != b"\x00":
        raise _malformed()
    return fields[6].raw


def check_strength(certificate: x509.Certificate) -> None:
    """Whether key and critical extensions are ones that can be relied on. Raises ChainError."""
    _check_key(certificate)
    _check_understood(certificate)


@lru_cache(maxsize=1024)
def check_signer(certificate: x509.Certificate) -> None:
    """Whether the certificate may sign documents: key strength, KeyUsage, EKU, not a CA's. Raises ChainError."""
    _check_key(certificate)
    _check_understood(certificate)
    usage = _extension(certificate, x509.KeyUsage)
    uses = _extension(certificate, x509.ExtendedKeyUsage)
    basic = _extension(certificate, x509.BasicConstraints)
    if usage is None or not (usage.digital_signature or usage.content_commitment) or (basic is not None and basic.ca):
        raise ChainError("SIGNER_KEY_USAGE", "签章证书不能用于签名", "the certificate is not for signing")
    if uses is not None and not _SIGNING_USES & set(uses):
        raise ChainError("SIGNER_KEY_USAGE", "签章证书不能用于文件签名", "the certificate is not for signing documents")


def build(
    signer: x509.Certificate, others: Iterable[x509.Certificate], roots: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The path, signer first, root last; signatures and CA rights checked, times not. Raises ChainError."""
    return _build(signer, tuple(others), tuple(roots))


@lru_cache(maxsize=1024)
def _build(
    signer: x509.Certificate, others: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    trusted = {_der(root) for root in roots}
    pool = [*roots, *others]
    path = [signer]
    while _der(path[-1]) not in trusted:
        issuer = next((c for c in pool if c not in path and _issued(_der(path[-1]), _der(c))), None)
        if issuer is None or len(path) == _MAX_LENGTH:
            raise ChainError(
                "ISSUER_NOT_TRUSTED",
                "签章证书的颁发机构不在信任范围内",
                "no trusted root issued the certificate",
                unknown=True,
            )
        path.append(issuer)
    if len(path) == 1:
        raise ChainError("SIGNER_IS_ROOT", "签章证书就是根证书", "the signer is the root itself")
    for below, authority in enumerate(path[1:]):
        _check_authority(authority, below)
    return tuple(path)


def issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `child`, with an algorithm that still holds."""
    return _issued(_der(child), _der(issuer))


def valid_at(path: Sequence[x509.Certificate], at_us: int) -> bool:
    """Whether every certificate of the path is inside its time. Any number is a time here, also one of no calendar."""
    first, last = _window(tuple(path))
    return first <= at_us <= last


@lru_cache(maxsize=1024)
def _window(path: tuple[x509.Certificate, ...]) -> tuple[int, int]:
    """µs."""
    first, last = max(c.not_valid_before_utc for c in path), min(c.not_valid_after_utc for c in path)
    return int(first.timestamp()) * 1_000_000, int(last.timestamp()) * 1_000_000


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    _check_key(certificate)
    _check_understood(certificate)
    basic, usage = _extension(certificate, x509.BasicConstraints), _extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        raise ChainError("ISSUER_NOT_A_CA", "上级证书无权颁发证书", "an issuer is not a certification authority")
    if basic.path_length is not None and basic.path_length < below:
        raise ChainError("PATH_LENGTH", "证书链超过允许长度", "the path is longer than an authority allows")


def _check_key(certificate: x509.Certificate) -> None:
    if sm2.key_of(certificate) is not None:
        return
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS:
        return
    raise ChainError(
        "WEAK_KEY", "证书密钥强度不足或算法不受支持", "key too weak or of a kind not known here", unknown=True
    )


def _check_understood(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise ChainError(
                "CRITICAL_EXTENSION",
                "证书含有不能识别的关键扩展",
                "a critical extension is not understood here",
                unknown=True,
            )


def _extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@lru_cache(maxsize=4096)
def _issued(child: bytes, issuer: bytes) -> bool:
    """Whether `issuer` signed `child`, with an algorithm that still holds."""
    try:
        below, above = x509.load_der_x509_certificate(child), x509.load_der_x509_certificate(issuer)
        if below.signature_algorithm_oid == sm2.SIGNATURE_ALGORITHM:
            return _issued_with_sm2(below, above)
        if not isinstance(below.signature_hash_algorithm, _STRONG):
            return False
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _issued_with_sm2(below: x509.Certificate, above: x509.Certificate) -> bool:
    key = sm2.key_of(above)
    if key is None or below.issuer != above.subject:
        return False
    try:
        return sm2.holds(key, below.tbs_certificate_bytes, below.signature)
    except sm2.Sm2AbsentError as cause:
        raise ChainError(
            "SM_UNAVAILABLE", "本机没有国密算法，未能核验", "no SM2 here: cannot be judged", unknown=True
        ) from cause


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _malformed() -> ChainError:
    return ChainError("CERTIFICATE_MALFORMED", "证书内容不合规", "a certificate is malformed")
