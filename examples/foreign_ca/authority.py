"""A certification authority of somebody else: a root, an authority below it, and its own certificate profile."""

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "示例电子认证服务机构 Example licensed CA"
_EARLY = dt.timedelta(minutes=2)


class RefusedError(Exception):
    """The request is not one that this authority certifies. The text says why."""


@dataclass(frozen=True, slots=True)
class ForeignAuthority:
    """Keys and certificates of the root and the issuing authority."""

    root: x509.Certificate
    issuing: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def at(cls, folder: Path) -> "ForeignAuthority":
        """The authority that lies in `folder`; made there first when it is empty."""
        if not (folder / "issuing.key").exists():
            _make(folder)
        key = serialization.load_pem_private_key((folder / "issuing.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        root, issuing = (x509.load_pem_x509_certificate((folder / name).read_bytes()) for name in _CERTIFICATES)
        return cls(root, issuing, key)

    def certify(self, request: x509.CertificateSigningRequest) -> x509.Certificate:
        """A certificate for a holder who proved possession of the key. Raises RefusedError."""
        key = request.public_key()
        if not request.is_signature_valid:
            raise RefusedError("the request is not signed with its own key")
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise RefusedError("P-256 keys only")
        names = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if len(names) != 1:
            raise RefusedError("one organisation must be named")
        now = dt.datetime.now(dt.UTC)
        return (
            _builder(request.subject, self.issuing.subject, key, now, days=365)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def server_certificate(self, host_key: ec.EllipticCurvePrivateKey, address: str) -> x509.Certificate:
        """For this authority's own web server."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        return (
            _builder(name, self.issuing.subject, host_key.public_key(), dt.datetime.now(dt.UTC), days=30)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )


_CERTIFICATES = ("root.pem", "issuing.pem")


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    root_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    names = [
        x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, NAME),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )
        for common in ("Example root", "Example organisations CA")
    ]
    root = _authority(names[0], names[0], root_key, root_key, now, path_length=1)
    issuing = _authority(names[1], names[0], key, root_key, now, path_length=0)
    for name, certificate in zip(_CERTIFICATES, (root, issuing), strict=True):
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # The root's key is used once and kept nowhere.
    with os.fdopen(os.open(folder / "issuing.key", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(pem)


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    *,
    path_length: int,
) -> x509.Certificate:
    return (
        _builder(subject, issuer, key.public_key(), now, days=1825)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA384())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, *, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
