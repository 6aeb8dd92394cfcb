"""Identity's secrets, read once at start: for encryption, indexes and derivation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.identity.config import KeyFiles
from shuniu.kit.crypto import pem_files
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.crypto.x509 import Authority
from shuniu.kit.process.config import ConfigError, made_of, secret

_NUMBERED = re.compile(r"(\d{6})\.key")


@dataclass(frozen=True, slots=True)
class Secrets:
    """HMAC keys have 32 bytes and one use each."""

    authority: Authority = field(repr=False)
    keyring: Keyring = field(repr=False)
    pairwise: Mapping[int, bytes] = field(repr=False)
    """HMAC keys by epoch; new subjects use the newest."""
    login_index: bytes = field(repr=False)
    request_digest: bytes = field(repr=False)
    page_token: bytes = field(repr=False)
    refresh_successor: bytes = field(repr=False)
    tries: bytes = field(repr=False)
    known_browser: bytes = field(repr=False)

    @classmethod
    def load(cls, files: KeyFiles) -> "Secrets":
        """Raises ConfigError naming the file that is absent or readable by others."""
        root = secret(files.root_secret)
        certificate = pem_files.certificates_pem(files.platform_ca)

        def authority(key: bytes) -> Authority:
            return Authority.load(certificate, key)

        return cls(
            made_of(secret(files.platform_ca_key), files.platform_ca_key, authority, "此证书的私钥", "the CA's key"),
            Keyring.load(files.keyring),
            numbered_secrets(files.pairwise),
            derive(root, "login index"),
            derive(root, "request digest"),
            derive(root, "page token"),
            derive(root, "refresh successor"),
            derive(root, "tries"),
            derive(root, "known browser"),
        )


def derive(root: bytes, use: str) -> bytes:
    """32 bytes for one use (HKDF-SHA256, RFC 5869)."""
    return HKDF(hashes.SHA256(), 32, None, f"shuniu identity v1: {use}".encode()).derive(root)


def numbered_secrets(directory: Path) -> dict[int, bytes]:
    """Secrets in files `000001.key`, …, by number. Raises ConfigError when there is none."""
    found = {
        int(match[1]): secret(path)
        for path in (sorted(directory.glob("*.key")) if directory.is_dir() else [])
        if (match := _NUMBERED.fullmatch(path.name))
    }
    if not found:
        raise ConfigError(f"{directory}: holds no key; run `shuniu init`")
    return found
