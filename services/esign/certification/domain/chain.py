"""Certificates of document signers and their issuers: reading them, and what each by itself may do (RFC 5280)."""

import contextlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from services.esign.certification.domain import certificate_extensions
from services.esign.certification.domain.certificate_extensions import Profile
from services.esign.domain import der, moments, sm2
from services.esign.domain.cms.signature_value import (
    DIGEST_OF,
    SignatureValue,
    UnknownAlgorithmError,
    public_key_of,
    sm2_key_of,
)
from services.esign.domain.errors import UnprovedError
from services.esign.domain.kept import kept, kept_if_found
from services.esign.domain.negative import holds
from services.esign.domain.unwarned import unwarned

# Certificates up to this size (bytes) are kept once read: none in use is larger.
_KEEP_MOST = 8192
_VERSION_2, _VERSION_3 = b"\xa0\x03\x02\x01\x01", b"\xa0\x03\x02\x01\x02"
_STRONG = (
    hashes.SHA224,
    hashes.SHA256,
    hashes.SHA384,
    hashes.SHA512,
    hashes.SHA3_224,
    hashes.SHA3_256,
    hashes.SHA3_384,
    hashes.SHA3_512,
)
_CURVES = (
    ec.SECP256R1,
    ec.SECP384R1,
    ec.SECP521R1,
    ec.SECP256K1,
    ec.BrainpoolP256R1,
    ec.BrainpoolP384R1,
    ec.BrainpoolP512R1,
)
_EDWARDS = frozenset({SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448})
_RSA_BITS = 2048
_RSA_MOST_BITS = 8192
UNDERSTOOD = frozenset(
    kind.dotted_string
    for kind in (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        # qcStatements (RFC 3739, 3.2.6): what the issuer says of the certificate, which nothing here rests on.
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"),
    )
)
"""Critical extensions whose meaning is honoured here, or that only add to names, policies and places to ask: a verifier
without demands of its own accepts any policy (RFC 5280, 6.1.1). A certificate with another one is not understood.
"""
# documentSigning, RFC 9336.
_DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
_SIGNING_USES = frozenset(
    {
        ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string,
        _DOCUMENT_SIGNING,
    }
)
_SIGN_IN = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string})
# The same from before RFC 9336: Microsoft's document signing, Adobe's authentic documents.
_OLDER_SIGNING_USES = frozenset({"1.3.6.1.4.1.311.10.3.12", "1.2.840.113583.1.1.5"})


class ChainError(UnprovedError):
    """No acceptable path from a signer to a root."""


def load(certificate: bytes) -> x509.Certificate:
    """The certificate of DER bytes, with everything in it that will be looked at later. Extensions are judged by
    `profile_of`. Raises ChainError.
    """
    return _kept(certificate) if len(certificate) <= _KEEP_MOST else _load(certificate)


@unwarned()
def _load(certificate: bytes) -> x509.Certificate:
    try:
        spki = _check_outside(certificate)
        found = x509.load_der_x509_certificate(certificate)
        _ = found.subject, found.issuer, moments.us(found.not_valid_before_utc), moments.us(found.not_valid_after_utc)
        if not sm2.is_key(spki):
            found.public_key()
    except UnsupportedAlgorithm as cause:
        raise ChainError(
            "ALGORITHM", "证书算法不受支持", "key or signature of a kind not known here", unknown=True
        ) from cause
    except ChainError:
        raise
    except MemoryError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in a certificate.
    except Exception as cause:
        raise malformed() from cause
    return found


# A seal signs many documents: its certificate is read once. Errors are not kept.
_kept = lru_cache(maxsize=1024)(_load)


def _check_outside(certificate: bytes) -> bytes:
    """Checks what the issuer's signature does not cover, and gives the key in DER. A serial number need not be
    positive: readers are to cope (RFC 5280, 4.1.2.2). Raises DerError, ChainError.
    """
    body, algorithm, signature = der.parse(certificate).expect(der.SEQUENCE).children()
    fields = body.expect(der.SEQUENCE).children()
    # Version 1 leaves its number out (RFC 5280, 4.1.2.1).
    version = fields.pop(0).raw if fields[0].tag != der.INTEGER else _VERSION_3
    # The same algorithm inside and outside (4.1.1.2).
    if version not in {_VERSION_2, _VERSION_3} or fields[1].raw != algorithm.raw:
        raise malformed()
    # A bit string of whole bytes: otherwise its count of unused bits could change and nobody would notice.
    if signature.expect(der.BIT_STRING).body[:1] != b"\x00":
        raise malformed()
    fields[0].integer()
    return fields[5].raw


def check_strength(certificate: x509.Certificate) -> None:
    """Raises ChainError unless key and critical extensions can be relied on."""
    check_key(certificate)
    _check_understood(certificate)


@kept(1024)
def check_signer(certificate: x509.Certificate) -> None:
    """Raises ChainError unless the certificate may sign documents: key strength, KeyUsage, EKU, not a CA's."""
    check_key(certificate)
    _check_understood(certificate)
    profile = profile_of(certificate)
    if profile.usage is None or not profile.signs or profile.is_authority:
        raise ChainError("SIGNER_KEY_USAGE", "签章证书不能用于签名", "the certificate is not for signing")
    if profile.uses is not None and not _SIGNING_USES & profile.uses:
        raise ChainError("SIGNER_KEY_USAGE", "签章证书不能用于文件签名", "the certificate is not for signing documents")


@kept(1024)
def check_document_signer(certificate: x509.Certificate) -> None:
    """Raises ChainError unless the certificate of any maker may sign documents: no stricter than RFC 5280 is. The error
    of what is merely unusual is UNKNOWN.
    """
    check_key(certificate)
    _check_understood(certificate)
    profile = profile_of(certificate)
    if not profile.signs:
        raise _unusual(
            "SIGNER_KEY_USAGE", "签章证书未声明用于签名", "the certificate does not say that it is for signing"
        )
    if profile.is_authority and certificate.issuer != certificate.subject:
        raise _unusual("SIGNER_IS_CA", "签章证书是颁发机构的证书", "the signer's certificate is an authority's")
    if profile.uses is None or (_SIGNING_USES | _OLDER_SIGNING_USES) & profile.uses:
        return
    if signs_in_and_commits(profile):
        return
    raise _unusual(
        "SIGNER_KEY_USAGE", "签章证书未声明用于文件签名", "the certificate does not say that it is for documents"
    )


def signs_in_and_commits(profile: Profile) -> bool:
    """Identity cards and the like: for signing in, and expressly for commitments."""
    return profile.uses is not None and bool(_SIGN_IN & profile.uses) and profile.commits


def document_uses(profile: Profile) -> frozenset[str]:
    """Extended key usages of which an authority above this signer of documents has to have one."""
    uses = _SIGNING_USES | _OLDER_SIGNING_USES
    return uses | _SIGN_IN if signs_in_and_commits(profile) else uses


def _unusual(reason: str, zh: str, en: str) -> ChainError:
    return ChainError(reason, zh, en, unknown=True)


def readable(certificates: Iterable[bytes], but: bytes = b"") -> tuple[x509.Certificate, ...]:
    """Those of DER certificates that can be read, without `but`: what is no certificate vouches for nobody."""
    found: list[x509.Certificate] = []
    for each in certificates:
        if each != but:
            with contextlib.suppress(ChainError):
                found.append(load(each))
    return tuple(found)


def issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tells whether `issuer` signed `child`, with an algorithm that still holds."""
    return _issued(der_of(child), der_of(issuer))


def valid_at(path: Sequence[x509.Certificate], at_us: int) -> bool:
    """Tells whether every certificate of the path is inside its time. Any number is a time here, also one of no
    calendar.
    """
    first, last = _window(tuple(path))
    return first <= at_us <= last


@kept(1024)
def _window(path: tuple[x509.Certificate, ...]) -> tuple[int, int]:
    """The time in which all of them are valid, µs: first and last."""
    first, last = max(c.not_valid_before_utc for c in path), min(c.not_valid_after_utc for c in path)
    return moments.us(first), moments.us(last)


def check_key(certificate: x509.Certificate) -> None:
    """Raises ChainError unless the key is of a kind known here, and neither weak nor huge."""
    if sm2_key_of(certificate) is not None:
        return
    key = public_key_of(certificate)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS and not _is_huge(key):
        return
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return
    raise ChainError(
        "WEAK_KEY", "证书密钥强度不足或算法不受支持", "key too weak or of a kind not known here", unknown=True
    )


def _is_huge(key: object) -> bool:
    """Tells whether looking at its signatures costs more than any authority in use asks for."""
    return isinstance(key, rsa.RSAPublicKey) and key.key_size > _RSA_MOST_BITS


def _check_understood(certificate: x509.Certificate) -> None:
    if profile_of(certificate).critical - UNDERSTOOD:
        raise ChainError(
            "CRITICAL_EXTENSION",
            "证书含有不能识别的关键扩展",
            "a critical extension is not understood here",
            unknown=True,
        )


@kept(1024)
def profile_of(certificate: x509.Certificate) -> Profile:
    """Read from the bytes, and only what is judged: what else a maker wrote into his extensions is his. Raises
    ChainError.
    """
    try:
        return certificate_extensions.read(certificate.tbs_certificate_bytes)
    except (der.DerError, ValueError, IndexError) as cause:
        raise _unusual(
            "CERTIFICATE_MALFORMED", "证书扩展无法解读", "a certificate's extensions cannot be read"
        ) from cause


@kept_if_found(4096)
def _issued(child: bytes, issuer: bytes) -> bool:
    """Tells whether `issuer` signed `child`, with an algorithm that still holds."""
    try:
        below, above = load(child), load(issuer)
    except ChainError:
        return False
    try:
        if below.signature_algorithm_oid == sm2.SIGNATURE_ALGORITHM:
            return _issued_with_sm2(below, above)
        if not isinstance(below.signature_hash_algorithm, _STRONG) and below.signature_algorithm_oid not in _EDWARDS:
            return False
        if _is_huge(public_key_of(above)):
            return False
        return holds(lambda: below.verify_directly_issued_by(above))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def issued_somehow(below: x509.Certificate, above: x509.Certificate) -> bool:
    """`issued` by any algorithm that is known here."""
    if issued(below, above):
        return True
    try:
        algorithm = der.parse(der_of(below)).children()[1]
        digest = DIGEST_OF.get(algorithm.children()[0].raw)
        if digest is None or below.issuer != above.subject or _is_huge(public_key_of(above)):
            return False
        return SignatureValue(algorithm.raw, digest, below.signature).made_by(above, below.tbs_certificate_bytes)
    except (ChainError, UnknownAlgorithmError, der.DerError, IndexError):
        return False


def _issued_with_sm2(below: x509.Certificate, above: x509.Certificate) -> bool:
    key = sm2_key_of(above)
    if key is None or below.issuer != above.subject:
        return False
    try:
        return sm2.holds(key, below.tbs_certificate_bytes, below.signature)
    except sm2.Sm2AbsentError as cause:
        raise ChainError(
            "SM_UNAVAILABLE", "本机没有国密算法，未能核验", "no SM2 here: cannot be judged", unknown=True
        ) from cause


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate's DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


@unwarned()
def serial_of(certificate: x509.Certificate) -> str:
    """The serial number in hex."""
    return f"{certificate.serial_number:x}"


def malformed() -> ChainError:
    return ChainError("CERTIFICATE_MALFORMED", "证书内容不合规", "a certificate is malformed")
