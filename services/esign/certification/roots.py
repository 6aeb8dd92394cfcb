"""Roots of others that vouch for this hub's seals, as settings name them. Commands read them, so little is imported."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.esign.certification.domain import chain, pki
from services.esign.config import EsignSettings
from shuniu.kit.crypto import pem_files
from shuniu.kit.process.config import ConfigError, unusable


def read_roots(settings: EsignSettings) -> tuple[x509.Certificate, ...]:
    """Roots of the other authority; none when there is none. Raises ConfigError."""
    if settings.ca_url and not settings.ca_roots.name:
        raise ConfigError("[esign] ca_roots: name the roots of the certification authority")
    return read("ca_roots", settings.ca_roots) if settings.ca_roots.name else ()


def roots_pem(settings: EsignSettings) -> bytes:
    """Roots of others that vouch for this hub's seals, PEM. Raises ConfigError."""
    remote = read("signer_roots", settings.signer_roots) if settings.signer_roots.name else ()
    return b"".join(pki.certificate_pem(root) for root in (*read_roots(settings), *remote))


def read(name: str, path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of the file that the setting `name` names. Raises ConfigError."""
    loaded = pem_files.certificates(path, f"[esign] {name}")
    try:
        return tuple(chain.load(one.public_bytes(serialization.Encoding.DER)) for one in loaded)
    except chain.ChainError as error:
        raise unusable(path, error.zh, error.en, f"[esign] {name}") from None
