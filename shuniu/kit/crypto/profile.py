"""Cryptographic profiles of a hub, which choose where algorithms are free: `international`, or `sm` (GB/T 32905, 32907,
32918).

Stored values name their algorithm (a hash by its id, a ciphertext by its key), so that a hub may change its profile:
what was written before stays readable.
"""

from dataclasses import dataclass
from typing import Final

from shuniu.kit.crypto import sm
from shuniu.kit.process.config import ConfigError


@dataclass(frozen=True, slots=True)
class Profile:
    """Choices of a profile. `audit_hash`: id of the audit chain's hash; `storage_key`: size in bytes of new keys for
    encryption at rest, 32 for AES-256-GCM, 16 for SM4-GCM; `evidence_hash`: digest of evidence, ledger entries, seals
    and timestamps; `index_mac`: keyed hash by which persons are found.
    """

    name: str
    audit_hash: str
    storage_key: int
    evidence_hash: str
    index_mac: str


INTERNATIONAL: Final = Profile("international", "sha-256", 32, "sha256", "hmac-sha256")
SM: Final = Profile("sm", "sm3", 16, "sm3", "hmac-sm3")
_PROFILES: Final = {"international": INTERNATIONAL, "sm": SM}


def of(name: str) -> Profile:
    """The profile that `[hub] profile` names. Raises ConfigError."""
    try:
        return _PROFILES[name]
    except KeyError:
        raise ConfigError(f"[hub] profile: {name!r} is neither international nor sm") from None


def require(name: str) -> Profile:
    """`of`, on a machine that has what the profile needs. Raises ConfigError."""
    found = of(name)
    lacking = sm.missing() if found is SM else ""
    if lacking:
        raise ConfigError(
            f"[hub] profile sm: {lacking}. Install OpenSSL 3 with SM2, SM3 and SM4, or name its libcrypto in "
            "SHUNIU_LIBCRYPTO / 本机缺少国密算法，请安装含国密算法的 OpenSSL 3，或用 SHUNIU_LIBCRYPTO 指定 libcrypto"
        )
    return found
