"""Certificate paths from a signer to a trusted root (RFC 5280, section 6, for what document signers need)."""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Sequence
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
from services.esign.domain.kept import kept
from services.esign.domain.negative import holds

_MAX_LENGTH = 8
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
# Certificates looked at on the way to a root: more than any document brings; a bound against hostile ones.
_NEAREST = 16
_MOST_LOOKED_AT = 32
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
_STAMPING_USES = frozenset(
    {ExtendedKeyUsageOID.TIME_STAMPING.dotted_string, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string}
)
_SIGN_IN = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string})
# The same from before RFC 9336: Microsoft's document signing, Adobe's authentic documents.
_OLDER_SIGNING_USES = frozenset({"1.3.6.1.4.1.311.10.3.12", "1.2.840.113583.1.1.5"})


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
    """The certificate of DER bytes, with everything in it that will be looked at later. Extensions are judged by
    `profile_of`. Raises ChainError.
    """
    return _kept(certificate) if len(certificate) <= _KEEP_MOST else _load(certificate)


def _load(certificate: bytes) -> x509.Certificate:
    try:
        spki, is_numbered = _check_outside(certificate)
        if is_numbered:
            found = x509.load_der_x509_certificate(certificate)
        else:
            with warnings.catch_warnings():
                # The library reads it and warns: that is said once, here.
                warnings.simplefilter("ignore")
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
        raise _malformed() from cause
    return found


# A seal signs many documents: its certificate is read once. Errors are not kept.
_kept = lru_cache(maxsize=1024)(_load)


def _check_outside(certificate: bytes) -> tuple[bytes, bool]:
    """What the issuer's signature does not cover. Gives the key in DER, and whether the serial number is positive: some
    are not, and readers are to cope (RFC 5280, 4.1.2.2). Raises DerError, ChainError.
    """
    body, algorithm, signature = der.parse(certificate).expect(der.SEQUENCE).children()
    fields = body.expect(der.SEQUENCE).children()
    # Version 1 leaves its number out (RFC 5280, 4.1.2.1).
    version = fields.pop(0).raw if fields[0].tag != der.INTEGER else _VERSION_3
    # The same algorithm inside and outside (4.1.1.2).
    if version not in {_VERSION_2, _VERSION_3} or fields[1].raw != algorithm.raw:
        raise _malformed()
    # A bit string of whole bytes: otherwise its count of unused bits could change and nobody would notice.
    if signature.expect(der.BIT_STRING).body[:1] != b"\x00":
        raise _malformed()
    return fields[5].raw, fields[0].integer() > 0


def check_strength(certificate: x509.Certificate) -> None:
    """Whether key and critical extensions are ones that can be relied on. Raises ChainError."""
    _check_key(certificate)
    _check_understood(certificate)


@kept(1024)
def check_signer(certificate: x509.Certificate) -> None:
    """Whether the certificate may sign documents: key strength, KeyUsage, EKU, not a CA's. Raises ChainError."""
    _check_key(certificate)
    _check_understood(certificate)
    profile = profile_of(certificate)
    if profile.usage is None or not profile.signs or profile.is_authority:
        raise ChainError("SIGNER_KEY_USAGE", "签章证书不能用于签名", "the certificate is not for signing")
    if profile.uses is not None and not _SIGNING_USES & profile.uses:
        raise ChainError("SIGNER_KEY_USAGE", "签章证书不能用于文件签名", "the certificate is not for signing documents")


@kept(1024)
def check_document_signer(certificate: x509.Certificate) -> None:
    """Whether the certificate of any maker may sign documents: no stricter than RFC 5280 is. What is merely unusual is
    unknown. Raises ChainError.
    """
    _check_key(certificate)
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
    if _signs_in_and_commits(certificate):
        return
    raise _unusual(
        "SIGNER_KEY_USAGE", "签章证书未声明用于文件签名", "the certificate does not say that it is for documents"
    )


def _signs_in_and_commits(certificate: x509.Certificate) -> bool:
    """Identity cards and the like: for signing in, and expressly for commitments. Raises ChainError."""
    profile = profile_of(certificate)
    return profile.uses is not None and bool(_SIGN_IN & profile.uses) and profile.commits


def check_document_path(path: Sequence[x509.Certificate]) -> None:
    """Whether the authorities between a document's signer and its root may vouch for it: their own restrictions count
    (RFC 5280, 4.2.1.10; extended key usages as NSS, Windows and Adobe read them: nobody is for more than those above
    him). Raises ChainError.
    """
    uses = _SIGNING_USES | _OLDER_SIGNING_USES
    _check_authorities(path, uses | _SIGN_IN if _signs_in_and_commits(path[0]) else uses)


def check_timestamp_path(path: Sequence[x509.Certificate]) -> None:
    """The same for an authority that states times (RFC 3161, 2.3). Raises ChainError."""
    _check_authorities(path, _STAMPING_USES)


def _check_authorities(path: Sequence[x509.Certificate], uses: frozenset[str]) -> None:
    for authority in path[1:-1]:
        profile = profile_of(authority)
        if profile.constrains_names:
            raise _unusual(
                "NAME_CONSTRAINTS",
                "上级证书限制了可签发的名称，本系统不能判定",
                "an authority is limited to some names, which is not judged here",
            )
        if profile.uses is not None and not profile.uses & uses:
            raise _unusual(
                "ISSUER_USAGE",
                "上级证书不用于签发此类证书",
                "an authority is for certificates of other uses",
            )


def has_purpose(path: Sequence[x509.Certificate], purpose: str) -> bool:
    """Whether the signer's certificate names this purpose (an OID of ExtendedKeyUsage), and no authority between it and
    the root is confined to others. Raises ChainError.
    """
    named, *above = (profile_of(each).uses for each in path)
    return named is not None and purpose in named and all(uses is None or purpose in uses for uses in above[:-1])


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


def build(
    signer: x509.Certificate, others: Iterable[x509.Certificate], roots: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The path, signer first, root last; signatures and CA rights checked, times not. A signer that is trusted itself
    is its own path. Raises ChainError.
    """
    return _build(signer, tuple(others), tuple(roots))


# A seal signs many documents, and its path is the same. Errors are not kept.
@kept(256)
def _build(
    signer: x509.Certificate, others: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    trusted = {_der(root) for root in roots}
    if _der(signer) in trusted:
        return (signer,)
    found = _search((signer,), (*roots, *others), trusted, [_MOST_LOOKED_AT])
    if found is None:
        raise _without_path(signer, (*roots, *others))
    below = 0
    for authority in found[1:]:
        if authority is not found[-1] or authority.version is not x509.Version.v1:
            _check_authority(authority, below)
        else:
            # A root from before there were extensions; who trusts it has said that it is an authority (6.1.1 d).
            _check_key(authority)
        # Self-issued ones do not count (6.1.4 l): an authority certified its own new key.
        below += authority.issuer != authority.subject
    return found


def is_led_to(signer: x509.Certificate, others: Iterable[x509.Certificate], roots: Sequence[x509.Certificate]) -> bool:
    """Whether signatures lead from it to a trusted root, those by algorithms that no longer hold among them."""
    pool, trusted = (*roots, *tuple(others)[:_NEAREST]), {_der(root) for root in roots}
    return _search((signer,), pool, trusted, [_MOST_LOOKED_AT], _issued_somehow) is not None


def _search(
    path: tuple[x509.Certificate, ...],
    pool: Sequence[x509.Certificate],
    trusted: set[bytes],
    left: list[int],
    has_issued: Callable[[bytes, bytes], bool] | None = None,
) -> tuple[x509.Certificate, ...] | None:
    """Depth first: authorities that certify each other, or were certified anew, leave several ways."""
    has_issued = has_issued or _issued
    if _der(path[-1]) in trusted:
        return path
    if len(path) == _MAX_LENGTH:
        return None
    for issuer in _candidates(path[-1], pool, trusted):
        if issuer in path or left[0] <= 0:
            continue
        if _der(issuer) not in trusted and not _may_certify(issuer):
            # Anybody who has a certificate can sign others with its key.
            continue
        left[0] -= 1
        if not has_issued(_der(path[-1]), _der(issuer)):
            continue
        if found := _search((*path, issuer), pool, trusted, left, has_issued):
            return found
    return None


def _candidates(
    child: x509.Certificate, pool: Sequence[x509.Certificate], trusted: set[bytes]
) -> list[x509.Certificate]:
    """Certificates of the child's issuer by name: first those that were valid when it was issued, the trusted and those
    that last longest before others.
    """
    begin = child.not_valid_before_utc

    def rank(issuer: x509.Certificate) -> tuple[bool, bool, float]:
        was_valid = issuer.not_valid_before_utc <= begin <= issuer.not_valid_after_utc
        return not was_valid, _der(issuer) not in trusted, -issuer.not_valid_after_utc.timestamp()

    return sorted((each for each in pool if each.subject == child.issuer), key=rank)


def _without_path(signer: x509.Certificate, pool: Sequence[x509.Certificate]) -> ChainError:
    """Why nobody trusted vouches for the signer, as far as it shows."""
    at: x509.Certificate | None = signer
    for _ in range(_MAX_LENGTH):
        if at is None or at.issuer == at.subject:
            break
        if _weakly_issued(at):
            return _unusual(
                "WEAK_ALGORITHM",
                "签章证书或其上级证书以已不安全的算法签发",
                "a certificate on the way was issued with an algorithm that no longer holds",
            )
        below = at
        at = next((c for c in pool if c != below and c.subject == below.issuer), None)
    return not_trusted()


def not_trusted() -> ChainError:
    return _unusual("ISSUER_NOT_TRUSTED", "签章证书的颁发机构不在信任范围内", "no trusted root issued the certificate")


def _weakly_issued(certificate: x509.Certificate) -> bool:
    try:
        return isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)
    except UnsupportedAlgorithm:
        return False


def issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `child`, with an algorithm that still holds."""
    return _issued(_der(child), _der(issuer))


def valid_at(path: Sequence[x509.Certificate], at_us: int) -> bool:
    """Whether every certificate of the path is inside its time. Any number is a time here, also one of no calendar."""
    first, last = _window(tuple(path))
    return first <= at_us <= last


@kept(1024)
def _window(path: tuple[x509.Certificate, ...]) -> tuple[int, int]:
    """µs."""
    first, last = max(c.not_valid_before_utc for c in path), min(c.not_valid_after_utc for c in path)
    return moments.us(first), moments.us(last)


def _may_certify(certificate: x509.Certificate) -> bool:
    try:
        profile = profile_of(certificate)
    except ChainError:
        return False
    return profile.certifies and profile.is_authority is not False


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    _check_key(certificate)
    _check_understood(certificate)
    profile = profile_of(certificate)
    if profile.is_authority is None and profile.certifies:
        raise _unusual(
            "ISSUER_NOT_A_CA", "上级证书未声明有权颁发证书", "an issuer does not say that it is an authority"
        )
    if not profile.is_authority or not profile.certifies:
        raise ChainError("ISSUER_NOT_A_CA", "上级证书无权颁发证书", "an issuer is not a certification authority")
    if profile.path_length is not None and profile.path_length < below:
        raise ChainError("PATH_LENGTH", "证书链超过允许长度", "the path is longer than an authority allows")


def _check_key(certificate: x509.Certificate) -> None:
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
    """Whether looking at its signatures costs more than any authority in use asks for."""
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


@lru_cache(maxsize=4096)
def _issued(child: bytes, issuer: bytes) -> bool:
    """Whether `issuer` signed `child`, with an algorithm that still holds."""
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


def _issued_somehow(child: bytes, issuer: bytes) -> bool:
    """The same with any algorithm that is known here."""
    if _issued(child, issuer):
        return True
    try:
        below, above = load(child), load(issuer)
        algorithm = der.parse(child).children()[1]
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


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _malformed() -> ChainError:
    return ChainError("CERTIFICATE_MALFORMED", "证书内容不合规", "a certificate is malformed")
