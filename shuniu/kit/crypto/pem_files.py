"""Certificates and keys in PEM, out of files that settings name: what is none ends in a ConfigError that says so."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shuniu.kit.process import config

_CERTIFICATES = ("PEM 格式的证书", "certificates in PEM")


def certificates(path: Path, setting: str = "") -> list[x509.Certificate]:
    """One or more. Raises ConfigError as `config.parsed`."""
    return config.parsed(path, x509.load_pem_x509_certificates, *_CERTIFICATES, setting)


def certificates_pem(path: Path, setting: str = "") -> bytes:
    """The file's bytes, which hold one or more. Raises ConfigError."""
    found = config.content(path, setting)
    config.made_of(found, path, x509.load_pem_x509_certificates, *_CERTIFICATES, setting)
    return found


def key_pem(path: Path, setting: str = "") -> bytes:
    """The file's bytes, which hold a private key without a password. Raises ConfigError."""
    found = config.content(path, setting)
    config.made_of(found, path, lambda pem: load_pem_private_key(pem, None), "PEM 格式的私钥", "a key in PEM", setting)
    return found
