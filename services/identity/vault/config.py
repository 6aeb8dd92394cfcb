"""Settings of the vault: section [vault] of the hub's file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from shuniu.kit.process.config import Within
from shuniu.kit.service_settings import ServiceSettings

_MOST_QUOTA: Final = 10**9


@dataclass(frozen=True, slots=True)
class VaultSettings(ServiceSettings):
    """Settings of the vault beyond those of every service."""

    daily_quota: Annotated[int, Within(0, _MOST_QUOTA)] = 200_000
    """Sealings a day (UTC) for one receiver and purpose that `quotas` does not name."""
    quotas: Annotated[dict[str, int], Within(0, _MOST_QUOTA)] = field(default_factory=dict)
    """Sealings a day by purpose: authority, case, register-query, document, userinfo."""

    def quota(self, purpose: str) -> int:
        named: Mapping[str, int] = self.quotas
        return named.get(purpose, self.daily_quota)


@dataclass(frozen=True, slots=True)
class VaultFiles:
    """Paths of the vault's keys; all 0600 and readable by the vault alone."""

    data_dir: Path

    @property
    def keyring(self) -> Path:
        """AES-256 or SM4 keys of the stored fields."""
        return self.data_dir / "keys" / "vault"

    @property
    def index(self) -> Path:
        """32 bytes: K_index, by which persons are found."""
        return self.data_dir / "keys" / "vault-index.key"

    @property
    def requests(self) -> Path:
        """32 bytes: key of the digests in the request log."""
        return self.data_dir / "keys" / "vault-requests.key"
