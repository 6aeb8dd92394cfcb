"""Certificates of the hub's own machinery: platform CA, edge CA, client and server certificates (RFC 5280).

Not the seal CA: documents and seals have theirs in esign.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BACKDATE = dt.timedelta(minutes=5)
"""Certificates start a little in the past: clocks of receivers run late too."""

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class CertificateRequestError(Exception):
    """A certificate request is not acceptable; the text says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, certificate_pem: bytes, key_pem: bytes) -> "Authority":
        """Raises ValueError when the key is not EC or not the certificate's."""
        key = serialization.load_pem_private_key(key_pem, None)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("the key is not the certificate's")
        return cls(certificate, key)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_authority(name: str, organisation: str, now: dt.datetime, years: int = 10) -> Authority:
    """A self-signed CA (P-256), path length 0."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + dt.timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issue(
    authority: Authority,
    public_key: PublicKey,
    name: str,
    sans: Sequence[x509.GeneralName],
    now: dt.datetime,
    days: int,
) -> x509.Certificate:
    issuer_key = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(authority.certificate.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def issue_client(
    authority: Authority, public_key: PublicKey, uri: str, now: dt.datetime, days: int
) -> x509.Certificate:
    """A client certificate whose only name is a SPIFFE URI."""
    return _issue(authority, public_key, uri.rsplit("/", 1)[-1], [x509.UniformResourceIdentifier(uri)], now, days)


def issue_server(
    authority: Authority, public_key: PublicKey, hosts: Sequence[str], now: dt.datetime, days: int
) -> x509.Certificate:
    """A server certificate for host names and IP addresses."""
    sans: list[x509.GeneralName] = []
    for host in hosts:
        try:
            sans.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            sans.append(x509.DNSName(host))
    return _issue(authority, public_key, hosts[0], sans, now, days)


def read_request(pem: str) -> PublicKey:
    """The public key of a PKCS #10 request (RFC 2986) with proof of possession. Raises CertificateRequestError."""
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii"))
        proved = request.is_signature_valid
        key = request.public_key()
    except Exception:  # noqa: BLE001 — the parser raises many kinds for hostile input
        raise CertificateRequestError("not a PEM certificate request") from None
    if not proved:
        raise CertificateRequestError("the request is not signed with its own key")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
        return key
    if isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 8192:
        return key
    raise CertificateRequestError("the key must be P-256, P-384 or RSA of 2048 bits or more")
