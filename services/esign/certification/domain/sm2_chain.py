"""SM2 certificates: reading them strictly, and the path from a signer to a trusted root (RFC 5280, section 6).

The SM2 signature check itself is handed in, as it belongs to the provider.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain.certificate_extensions import Profile
from services.esign.certification.domain.chain import UNDERSTOOD, ChainError, profile_of
from services.esign.domain import der, moments
from services.esign.domain.sm2 import ALGORITHM, OID_SM2_WITH_SM3, SIGNATURE_ALGORITHM, Verify

_MAX_LENGTH = 8
# AlgorithmIdentifier with NULL for parameters: some authorities write it so.
_ALGORITHMS = frozenset({ALGORITHM, der.tlv(der.SEQUENCE, OID_SM2_WITH_SM3, b"\x05\x00")})


@dataclass(frozen=True, slots=True)
class Sm2Certificate:
    """A certificate signed with SM2 and SM3. `body` is the TBSCertificate that `signature` covers."""

    der: bytes
    body: bytes
    signature: bytes
    spki: bytes
    parsed: x509.Certificate

    @property
    def name(self) -> str:
        """Common name, or the whole subject when it has none."""
        found = self.parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return str(found[0].value) if found else self.parsed.subject.rfc4514_string()

    def valid_at(self, at_us: int) -> bool:
        """Any number is a time here, also one of no calendar."""
        begin, end = self.parsed.not_valid_before_utc, self.parsed.not_valid_after_utc
        return moments.us(begin) <= at_us <= moments.us(end)


def is_sm2(certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid == SIGNATURE_ALGORITHM


def of(certificate: x509.Certificate) -> Sm2Certificate:
    """`load` of a certificate that was read already. Raises ChainError."""
    return load(certificate.public_bytes(Encoding.DER))


def load(certificate: bytes) -> Sm2Certificate:
    """Raises ChainError when the bytes are no DER certificate of version 3 signed with SM2."""
    try:
        body, algorithm, signature = der.parse(certificate).expect(der.SEQUENCE).children()
        fields = body.expect(der.SEQUENCE).children()
        if fields[0].raw != b"\xa0\x03\x02\x01\x02" or fields[1].integer() <= 0 or fields[2].raw != algorithm.raw:
            raise _malformed()
        if algorithm.raw not in _ALGORITHMS:
            raise ChainError("ALGORITHM", "证书不是 SM2 证书", "the certificate is not signed with SM2", unknown=True)
        bits = signature.expect(der.BIT_STRING).body
        if bits[:1] != b"\x00":
            raise _malformed()
        parsed = x509.load_der_x509_certificate(certificate)
        _ = parsed.subject, parsed.issuer, parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except ChainError:
        raise
    except MemoryError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in a certificate.
    except Exception as cause:
        raise _malformed() from cause
    return Sm2Certificate(certificate, body.raw, bits[1:], fields[6].raw, parsed)


def check_signer(signer: Sm2Certificate) -> None:
    """Whether the certificate may sign: by KeyUsage where it has one, not a CA's. Raises ChainError."""
    profile = _understood(signer)
    if not profile.signs or profile.is_authority:
        raise ChainError("SIGNER_KEY_USAGE", "证书不能用于签名", "the certificate is not for signing")


def is_authority(certificate: Sm2Certificate) -> bool:
    """Whether it may issue certificates."""
    try:
        return bool(profile_of(certificate.parsed).is_authority)
    except ChainError:
        return False


def build(
    signer: Sm2Certificate,
    others: Iterable[Sm2Certificate],
    roots: Sequence[Sm2Certificate],
    verify: Verify,
    at_us: int | None = None,
) -> list[Sm2Certificate]:
    """The path, signer first, root last; signatures and CA rights checked, times not. Of several certificates of one
    authority those come first that were valid at `at_us` (µs). Raises ChainError.
    """
    trusted = {root.der for root in roots}
    pool = [*roots, *others]
    if at_us is not None:
        pool.sort(key=lambda each: not each.valid_at(at_us))
    path = [signer]
    while path[-1].der not in trusted:
        issuer = next((c for c in pool if c not in path and _issued(path[-1], c, verify)), None)
        if issuer is None or len(path) == _MAX_LENGTH:
            raise ChainError(
                "ISSUER_NOT_TRUSTED", "证书的颁发机构不在信任范围内", "no trusted SM2 root issued it", unknown=True
            )
        path.append(issuer)
    if len(path) == 1:
        raise ChainError("SIGNER_IS_ROOT", "签名证书就是根证书", "the signer is the root itself")
    below = 0
    for authority in path[1:]:
        _check_authority(authority, below)
        # Self-issued ones do not count (RFC 5280, 6.1.4 l): an authority certified its own new key.
        below += authority.parsed.issuer != authority.parsed.subject
    return path


def _issued(child: Sm2Certificate, issuer: Sm2Certificate, verify: Verify) -> bool:
    return child.parsed.issuer == issuer.parsed.subject and verify(issuer.spki, child.body, child.signature)


def _check_authority(certificate: Sm2Certificate, below: int) -> None:
    profile = _understood(certificate)
    if not profile.is_authority or not profile.certifies:
        raise ChainError("ISSUER_NOT_A_CA", "上级证书无权颁发证书", "an issuer is not a certification authority")
    if profile.path_length is not None and profile.path_length < below:
        raise ChainError("PATH_LENGTH", "证书链超过允许长度", "the path is longer than an authority allows")


def _understood(certificate: Sm2Certificate) -> Profile:
    profile = profile_of(certificate.parsed)
    if profile.critical - UNDERSTOOD:
        raise ChainError(
            "CRITICAL_EXTENSION", "证书含有不能识别的关键扩展", "a critical extension is not understood", unknown=True
        )
    return profile


def _malformed() -> ChainError:
    return ChainError("CERTIFICATE_MALFORMED", "证书内容不合规", "a certificate is malformed")
