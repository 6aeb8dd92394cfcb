"""The place of a hub on this machine, and the settings its command line needs."""

import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from shuniu.kit.process.config import ConfigError, HubSettings, load, part

DEFAULT_DATA = Path("var/hub")
CONFIG_NAME = "hub.toml"
SUPERVISOR_LOCK = "supervisor.lock"
RESTORING = ".restore"
"""In a data directory that a restore has not finished."""


@dataclass(frozen=True, slots=True)
class BusPlace:
    """`[nats]`: where the bus of a one-machine hub listens."""

    listen: str = "127.0.0.1:4222"
    """Clients over TCP."""
    websocket: str = "127.0.0.1:4223"
    """Clients over WebSocket, through the edge."""
    monitoring: str = "127.0.0.1:8222"
    """Health and monitoring of the server, for this machine only."""


@dataclass(frozen=True, slots=True)
class EdgePlace:
    """The keys of `[edge]` that the command line reads; the rest belongs to the edge."""

    people: str
    platforms: str


@dataclass(frozen=True, slots=True)
class Place:
    """A hub's data directory."""

    data: Path

    @property
    def config(self) -> Path:
        return self.data / CONFIG_NAME

    @property
    def lock(self) -> Path:
        """Held by the supervisor (`shuniu up`) while it runs."""
        return self.data / SUPERVISOR_LOCK

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def trust(self) -> Path:
        """Roots of the edge's certificate."""
        return self.data / "pki" / "edge-ca.pem"

    def operator(self, name: str) -> Path:
        """Directory of an operator's credentials."""
        return self.data / "operators" / name

    def hub(self) -> HubSettings:
        """Raises ConfigError when there is no hub here."""
        if not self.config.exists():
            raise ConfigError(
                f"{self.config}: 此处没有枢纽 / cannot be read: no hub here; run `shuniu init --data {self.data}`"
            )
        return load(HubSettings, self.config, "hub")

    def bus(self) -> BusPlace:
        return load(BusPlace, self.config, "nats")

    def edge(self) -> EdgePlace:
        found = part(EdgePlace, self.config, "edge")
        return EdgePlace(_reachable(found.people), _reachable(found.platforms))


def _reachable(address: str) -> str:
    """The address at which this machine reaches a listener that is bound to all addresses."""
    return address.replace("0.0.0.0:", "127.0.0.1:")


def run_dir_for(data: Path) -> Path:
    """A short directory for sockets: a socket's path has at most 107 bytes."""
    inside = data / "run"
    if len(str(inside)) <= 70:
        return inside
    tag = hashlib.sha256(str(data).encode()).hexdigest()[:10]
    # Set and empty means not set (XDG Base Directory Specification).
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108 — a 0700 directory is made inside
    return base / f"shuniu-{os.getuid()}-{tag}"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
