"""The hub's own certification for seals: a development authority.

Legal force needs a licensed authority (电子认证服务机构); certificates made here say in their subject and issuer that
they are for development / internal use. An outside authority replaces this module by configuration: signing needs
only a key and DER.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from services.esign.certification.domain import pem
from services.esign.certification.domain.holders import SealKind
from services.esign.domain.moments import whole_second

ROOT_DAYS = 3650
SEAL_CA_DAYS = 1825
# Two years, as organisation certificates of licensed authorities commonly run.
SEAL_DAYS = 730
ONCE_MINUTES = 10
"""Whole life of a certificate whose key signs once."""
# A timestamp is good as long as its authority's certificate: longer than the seals it proves.
TSA_CA_DAYS = 3285
TSA_DAYS = 2190
# Made anew by each process that answers, long before it ends.
OCSP_DAYS = 14
# Purpose "signs status lists": id-kp-oauthStatusSigning of draft-ietf-oauth-status-list has no number yet.
STATUS_SIGNING = x509.ObjectIdentifier("2.25.292674857203954761840293316250948170321")
# Purpose "issues licences" (电子证照). Its number is made of a UUID as Microsoft's scheme for private ones makes it: no
# part is above 2^28, because readers written in Go or Rust refuse a whole certificate over a longer one, as 2.25 has.
LICENCE_ISSUING = x509.ObjectIdentifier("1.2.840.113556.1.8000.2554.31775.11924.23306.19811.40760.3042004.13152629")
# documentSigning, RFC 9336.
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
# Readers accept one or the other: many know only e-mail signers.
_ORGANISATION_USES = (ExtendedKeyUsageOID.EMAIL_PROTECTION, _DOCUMENT_SIGNING)
# A verifier's clock may be behind ours; a certificate of this second must not be "not yet valid" there.
_BACKDATE = timedelta(minutes=5)
# An outside timestamp authority's clock may be a little behind ours; the rest of the ten minutes is for signing.
ONCE_EARLY = timedelta(minutes=1)
# id-etsi-ext-valassured-ST-certs (ETSI EN 319 412-1, 5.2): ends so soon that nobody needs to ask for its revocation.
_SHORT_TERM = x509.ObjectIdentifier("0.4.0.194121.2.1")
_NULL = b"\x05\x00"
LABEL = "开发用 development, internal use only"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certification authority: key, own certificate, and the certificates above it (nearest first, root last)."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()
    number: int = 0
    """The authority's place among its kind in the life of a hub: the first is 0, its successor 1."""

    @property
    def der(self) -> bytes:
        return certificate_der(self.certificate)

    @property
    def root(self) -> x509.Certificate:
        return self.above[-1] if self.above else self.certificate


def load_authority(key_pem: bytes, certificate_pem: bytes, above_pem: bytes = b"") -> Authority:
    """An authority from PEM. Raises ValueError when the key is not EC or does not belong to the certificate."""
    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC key")  # noqa: TRY004 — the file is at fault, not the caller
    return authority(key, certificate_pem, above_pem)


def authority(
    key: ec.EllipticCurvePrivateKey, certificate_pem: bytes, above_pem: bytes = b"", number: int = 0
) -> Authority:
    """An authority whose key may lie in a device. Raises ValueError when it does not belong to the certificate."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    if key.public_key() != certificate.public_key():
        raise ValueError("the key is not the certificate's")
    return Authority(key, certificate, pem.certificates(above_pem), number)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8, unencrypted: whoever stores it seals it or guards the file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def make_root(hub: str, now_us: int) -> Authority:
    """A root for `hub` (P-384): self-signed, path length 1."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name("Shuniu root CA", hub)
    certificate = _ca_builder(name, name, key.public_key(), key.public_key(), now_us, ROOT_DAYS, 1).sign(
        key, hashes.SHA384()
    )
    return Authority(key, certificate)


def make_seal_ca(
    root: Authority, hub: str, now_us: int, key: ec.EllipticCurvePrivateKey | None = None, number: int = 0
) -> Authority:
    """The authority that issues seal certificates (P-256: its signature is checked at every verification). `key`: one
    made elsewhere, perhaps in a device.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = _ca_builder(
        _name(f"Shuniu seal CA {number + 1}" if number else "Shuniu seal CA", hub),
        root.certificate.subject,
        key.public_key(),
        root.key.public_key(),
        now_us,
        SEAL_CA_DAYS,
        0,
    )
    return Authority(key, builder.sign(root.key, hashes.SHA384()), (root.certificate, *root.above), number)


def make_tsa_ca(root: Authority, hub: str, now_us: int) -> Authority:
    """The authority that issues certificates of timestamp authorities, and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _ca_builder(
        _name("Shuniu timestamp CA", hub),
        root.certificate.subject,
        key.public_key(),
        root.key.public_key(),
        now_us,
        TSA_CA_DAYS,
        0,
    )
    return Authority(key, builder.sign(root.key, hashes.SHA384()), (root.certificate, *root.above))


def make_tsa(ca: Authority, hub: str, now_us: int, key: ec.EllipticCurvePrivateKey | None = None) -> Authority:
    """A timestamp authority's key and certificate: its only use, critical, is timeStamping (RFC 3161, 2.3). `key`: one
    made elsewhere, perhaps in a device.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = _signer_builder(_name("Shuniu timestamp authority", hub), ca, key.public_key(), now_us, TSA_DAYS)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return Authority(key, builder.sign(ca.key, hashes.SHA256()), (ca.certificate, *ca.above))


def make_ocsp_responder(ca: Authority, hub: str, now_us: int) -> Authority:
    """Key and certificate that answer for `ca` (RFC 6960, 4.2.2.2). It lives for days, so nobody asks after its own
    revocation (4.2.2.2.1).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _signer_builder(_name("Shuniu OCSP responder", hub), ca, key.public_key(), now_us, OCSP_DAYS)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return Authority(key, builder.sign(ca.key, hashes.SHA256()), (ca.certificate, *ca.above))


def make_status_issuer(ca: Authority, hub: str, now_us: int) -> Authority:
    """Key and certificate that sign status lists for `ca`, and nothing else. It lives as long as a responder's."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _signer_builder(_name("Shuniu licence status", hub), ca, key.public_key(), now_us, OCSP_DAYS)
    builder = builder.add_extension(x509.ExtendedKeyUsage([STATUS_SIGNING]), critical=False)
    return Authority(key, builder.sign(ca.key, hashes.SHA256()), (ca.certificate, *ca.above))


def issue_seal_certificate(
    ca: Authority,
    public_key: ec.EllipticCurvePublicKey,
    organisation: str,
    seal_id: str,
    now_us: int,
    *,
    status_url: str = "",
    kind: SealKind = SealKind.ORGANISATION,
    days: int = SEAL_DAYS,
    issues_licences: bool = False,
) -> x509.Certificate:
    """A seal's certificate: digitalSignature and nonRepudiation. An organisation's is for signing documents and e-mail,
    and for issuing licences where `issues_licences` says so; a person's has no EKU, which lets it sign documents and
    issue nothing.

    `status_url` is where readers may ask for its revocation (`/ocsp` and `/crl` below it). Empty: the certificate
    names no place, because readers call a signer unknown when a place does not answer. A person's certificate holds
    the name (`organisation`) and no organisation. `days`: how long it lasts.
    """
    subject = _holder(kind, organisation, seal_id)
    builder = _signer_builder(subject, ca, public_key, now_us, days)
    if kind is SealKind.ORGANISATION:
        uses = [*_ORGANISATION_USES, *([LICENCE_ISSUING] if issues_licences else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if status_url:
        ocsp = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"{status_url}/ocsp")
        )
        # Each authority has a list of its own.
        place = f"{status_url}/crl?ca={ca.number}" if ca.number else f"{status_url}/crl"
        crl = x509.DistributionPoint([x509.UniformResourceIdentifier(place)], None, None, None)
        builder = builder.add_extension(x509.AuthorityInformationAccess([ocsp]), critical=False)
        builder = builder.add_extension(x509.CRLDistributionPoints([crl]), critical=False)
    return builder.sign(ca.key, hashes.SHA256())


def issue_once_certificate(
    ca: Authority, public_key: ec.EllipticCurvePublicKey, kind: SealKind, name: str, serial: str, now_us: int
) -> x509.Certificate:
    """The certificate of a key that signs once: ten minutes in all, one of them before `now_us`."""
    now = whole_second(now_us)
    window = (now - ONCE_EARLY, now - ONCE_EARLY + timedelta(minutes=ONCE_MINUTES))
    builder = _signs_documents(
        _builder(_holder(kind, name, serial), ca.certificate.subject, public_key, ca.key.public_key(), window)
    )
    builder = builder.add_extension(x509.UnrecognizedExtension(_SHORT_TERM, _NULL), critical=False)
    return builder.sign(ca.key, hashes.SHA256())


def _holder(kind: SealKind, name: str, serial: str) -> x509.Name:
    """Subject of a seal's holder; `serial` tells holders of the same name apart and says nothing about them."""
    organisation = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)] if kind is SealKind.ORGANISATION else []
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            *organisation,
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, LABEL),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, serial),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
        ]
    )


def _name(common: str, hub: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, hub[:64]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, LABEL),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    window: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(window[0])
        .not_valid_after(window[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _window(now_us: int, days: int) -> tuple[datetime, datetime]:
    now = whole_second(now_us)
    return now - _BACKDATE, now + timedelta(days=days)


def _signer_builder(
    subject: x509.Name, ca: Authority, key: ec.EllipticCurvePublicKey, now_us: int, days: int
) -> x509.CertificateBuilder:
    issuer = ca.certificate.subject
    return _signs_documents(_builder(subject, issuer, key, ca.key.public_key(), _window(now_us, days)))


def _signs_documents(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(
        usage, critical=True
    )


def _ca_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    now_us: int,
    days: int,
    path_length: int,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(subject, issuer, key, issuer_key, _window(now_us, days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
    )
