"""SM2 certificates: reading them strictly, and the path from a signer to a trusted root.

The SM2 signature check itself is handed in, as it belongs to the provider.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import paths
from services.esign.certification.domain.certificate_extensions import Profile
from services.esign.certification.domain.chain import UNDERSTOOD, ChainError, der_of, malformed, profile_of
from services.esign.certification.domain.paths import Rule
from services.esign.domain import der, moments
from services.esign.domain.common_names import called
from services.esign.domain.sm2 import ALGORITHM, OID_SM2_WITH_SM3, SIGNATURE_ALGORITHM, Verify
from services.esign.domain.unwarned import unwarned

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
        return called(self.parsed.subject)

    def valid_at(self, at_us: int) -> bool:
        """Any number is a time here, also one of no calendar."""
        begin, end = self.parsed.not_valid_before_utc, self.parsed.not_valid_after_utc
        return moments.us(begin) <= at_us <= moments.us(end)


def is_sm2(certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid == SIGNATURE_ALGORITHM


def of(certificate: x509.Certificate) -> Sm2Certificate:
    """`load` of a certificate that was read already. Raises ChainError."""
    return load(certificate.public_bytes(Encoding.DER))


@unwarned()
def load(certificate: bytes) -> Sm2Certificate:
    """Raises ChainError when the bytes are no DER certificate of version 3 signed with SM2."""
    try:
        body, algorithm, signature = der.parse(certificate).expect(der.SEQUENCE).children()
        fields = body.expect(der.SEQUENCE).children()
        if fields[0].raw != b"\xa0\x03\x02\x01\x02" or fields[1].integer() <= 0 or fields[2].raw != algorithm.raw:
            raise malformed()
        if algorithm.raw not in _ALGORITHMS:
            raise ChainError("ALGORITHM", "证书不是 SM2 证书", "the certificate is not signed with SM2", unknown=True)
        bits = signature.expect(der.BIT_STRING).body
        if bits[:1] != b"\x00":
            raise malformed()
        parsed = x509.load_der_x509_certificate(certificate)
        _ = parsed.subject, parsed.issuer, parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except ChainError:
        raise
    except MemoryError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in a certificate.
    except Exception as cause:
        raise malformed() from cause
    return Sm2Certificate(certificate, body.raw, bits[1:], fields[6].raw, parsed)


def check_signer(signer: Sm2Certificate) -> None:
    """Raises ChainError unless the certificate may sign: by KeyUsage where it has one, not a CA's."""
    profile = _understood(signer)
    if not profile.signs or profile.is_authority:
        raise ChainError("SIGNER_KEY_USAGE", "证书不能用于签名", "the certificate is not for signing")


def is_authority(certificate: Sm2Certificate) -> bool:
    """Tells whether it may issue certificates."""
    try:
        return bool(profile_of(certificate.parsed).is_authority)
    except ChainError:
        return False


def build(
    signer: Sm2Certificate,
    others: Iterable[Sm2Certificate],
    roots: Sequence[Sm2Certificate],
    verify: Verify,
    rule: Rule = paths.any_purpose,
    *,
    at_us: int | None = None,
) -> list[Sm2Certificate]:
    """The path, signer first, root last, as `paths.build` finds it among certificates that are all signed with SM2; of
    several one that was valid at `at_us` (µs), if there is one. Raises ChainError.
    """
    others = tuple(others)
    known = {each.der: each for each in (*roots, *others, signer)}

    def has_issued(below: x509.Certificate, above: x509.Certificate) -> bool:
        child, issuer = known[der_of(below)], known[der_of(above)]
        return verify(issuer.spki, child.body, child.signature)

    moments = () if at_us is None else (at_us,)
    between, trusted = ([each.parsed for each in some] for some in (others, roots))
    path = paths.build_by(signer.parsed, between, trusted, has_issued, rule, moments=moments)
    if len(path) == 1:
        raise ChainError("SIGNER_IS_ROOT", "签名证书就是根证书", "the signer is the root itself")
    return [known[der_of(each)] for each in path]


def _understood(certificate: Sm2Certificate) -> Profile:
    profile = profile_of(certificate.parsed)
    if profile.critical - UNDERSTOOD:
        raise ChainError(
            "CRITICAL_EXTENSION", "证书含有不能识别的关键扩展", "a critical extension is not understood", unknown=True
        )
    return profile
