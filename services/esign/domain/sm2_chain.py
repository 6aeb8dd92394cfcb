"""SM2 certificates: reading them strictly, and the path from a signer to a trusted root (RFC 5280, section 6).

The SM2 signature check itself is handed in, as it belongs to the provider.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.domain import der
from services.esign.domain.chain import ChainError
from services.esign.domain.sm2 import ALGORITHM, Verify

_MAX_LENGTH = 8
_UNDERSTOOD = frozenset({"2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.35", "2.5.29.37"})


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
        moment = datetime.fromtimestamp(at_us / 1e6, UTC)
        return self.parsed.not_valid_before_utc <= moment <= self.parsed.not_valid_after_utc


def is_sm2(certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid.dotted_string == "1.2.156.10197.1.501"


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
        if algorithm.raw != ALGORITHM:
            raise ChainError("ALGORITHM", "证书不是 SM2 证书", "the certificate is not signed with SM2", unknown=True)
        bits = signature.expect(der.BIT_STRING).body
        if bits[:1] != b"\x00":
            raise _malformed()
        parsed = x509.load_der_x509_certificate(certificate)
        _ = parsed.extensions, parsed.subject, parsed.issuer, parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except ChainError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in a certificate.
    except Exception as cause:
        raise _malformed() from cause
    return Sm2Certificate(certificate, body.raw, bits[1:], fields[6].raw, parsed)


def check_signer(signer: Sm2Certificate) -> None:
    """Whether the certificate may sign: KeyUsage, not a CA's. Raises ChainError."""
    _check_understood(signer)
    usage, basic = _usage(signer), _basic(signer)
    if usage is None or not (usage.digital_signature or usage.content_commitment) or (basic is not None and basic.ca):
        raise ChainError("SIGNER_KEY_USAGE", "证书不能用于签名", "the certificate is not for signing")


def is_authority(certificate: Sm2Certificate) -> bool:
    """Whether it may issue certificates."""
    basic = _basic(certificate)
    return basic is not None and basic.ca


def build(
    signer: Sm2Certificate, others: Iterable[Sm2Certificate], roots: Sequence[Sm2Certificate], verify: Verify
) -> list[Sm2Certificate]:
    """The path, signer first, root last; signatures and CA rights checked, times not. Raises ChainError."""
    trusted = {root.der for root in roots}
    pool = [*roots, *others]
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
    for below, authority in enumerate(path[1:]):
        _check_authority(authority, below)
    return path


def _issued(child: Sm2Certificate, issuer: Sm2Certificate, verify: Verify) -> bool:
    return child.parsed.issuer == issuer.parsed.subject and verify(issuer.spki, child.body, child.signature)


def _check_authority(certificate: Sm2Certificate, below: int) -> None:
    _check_understood(certificate)
    basic, usage = _basic(certificate), _usage(certificate)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        raise ChainError("ISSUER_NOT_A_CA", "上级证书无权颁发证书", "an issuer is not a certification authority")
    if basic.path_length is not None and basic.path_length < below:
        raise ChainError("PATH_LENGTH", "证书链超过允许长度", "the path is longer than an authority allows")


def _check_understood(certificate: Sm2Certificate) -> None:
    if any(e.critical and e.oid.dotted_string not in _UNDERSTOOD for e in certificate.parsed.extensions):
        raise ChainError(
            "CRITICAL_EXTENSION", "证书含有不能识别的关键扩展", "a critical extension is not understood", unknown=True
        )


def _usage(certificate: Sm2Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _basic(certificate: Sm2Certificate) -> x509.BasicConstraints | None:
    try:
        return certificate.parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _malformed() -> ChainError:
    return ChainError("CERTIFICATE_MALFORMED", "证书内容不合规", "a certificate is malformed")
