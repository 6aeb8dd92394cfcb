"""Settings of the exchange service: section `[exchange]`."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shuniu.kit.process.config import HubSettings, Within
from shuniu.kit.service_settings import ServiceSettings, socket_address


@dataclass(frozen=True, slots=True)
class ExchangeSettings(ServiceSettings):
    calendar_file: Path = Path()
    """Holidays of the region, TOML or JSON (shape: `domain.time_limits.calendar_from`); empty: weekends only."""
    page_key_file: Path = Path()
    """Key of page tokens and cursors, the same on each replica; empty means <data_dir>/keys/exchange-page.key."""
    keyring_dir: Path = Path()
    """Keys that form answers and kept query answers are encrypted with; empty means <data_dir>/keys/exchange."""
    provider_seconds: Annotated[float, Within(0.01, 600)] = 10.0
    """Longest time for a provider to answer a question, in seconds."""
    provider_wait_seconds: Annotated[float, Within(0, 600)] = 1.0
    """Longest wait of a question for a provider that has no stream open, in seconds."""
    answers_kept_hours: Annotated[float, Within(24, 24 * 365)] = 48.0
    """Time for which a query's answer is stored for a repeated request_id, in hours; at least 24."""
    inbox_idle_seconds: Annotated[float, Within(0.01, 86_400)] = 60.0
    """After how long without a call the bus connection of an HTTP organisation is closed, in seconds."""
    replica_address: str = ""
    """Address at which other replicas reach this one's peer port, a name of its certificate over TCP; empty means
    `peer_address`, which must then be no wildcard."""

    @property
    def answers_kept_us(self) -> int:
        """`answers_kept_hours`, µs."""
        return int(self.answers_kept_hours * 3600) * 1_000_000


def page_key_file(hub: HubSettings, settings: ExchangeSettings) -> Path:
    return settings.page_key_file if settings.page_key_file.name else hub.data_dir / "keys" / "exchange-page.key"


def keyring_dir(hub: HubSettings, settings: ExchangeSettings) -> Path:
    return settings.keyring_dir if settings.keyring_dir.name else hub.data_dir / "keys" / "exchange"


def replica_address(hub: HubSettings, settings: ExchangeSettings) -> str:
    """The address at which other replicas reach this one; empty when the settings name none."""
    address = settings.replica_address or settings.peer_address or socket_address(hub, "exchange", "peer")
    return "" if _is_wildcard(address) else address


def _is_wildcard(address: str) -> bool:
    """Tells whether an address to listen on stands for all of a machine's."""
    if address.startswith("unix:"):
        return False
    try:
        return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).is_unspecified
    except ValueError:
        return False
