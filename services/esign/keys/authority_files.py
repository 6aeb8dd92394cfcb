"""Authorities of the hub out of their files: a certificate, its key, and the certificate above."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification.domain import pki
from services.esign.certification.domain.pki import Authority
from shuniu.kit.crypto import pem_files
from shuniu.kit.process.config import made_of, secret


def with_key(certificate: Path, key: ec.EllipticCurvePrivateKey, above: Path, number: int = 0) -> Authority:
    """An authority whose key may lie in a device. Raises ConfigError naming the file that does not fit."""
    over = pem_files.certificates_pem(above)

    def read(pem: bytes) -> Authority:
        return pki.authority(key, pem, over, number)

    return made_of(pem_files.certificates_pem(certificate), certificate, read, "此密钥的证书", "the key's certificate")


def with_key_file(certificate: Path, key: Path, above: Path | None = None) -> Authority:
    """As `with_key`, with a key in a file; a root has nothing above. Raises ConfigError."""
    pem, over = pem_files.certificates_pem(certificate), b"" if above is None else pem_files.certificates_pem(above)
    return made_of(
        secret(key), key, lambda held: pki.load_authority(held, pem, over), "此证书的私钥", "the certificate's key"
    )
