"""The parts of a hub on one machine: what is started, how, and how it shows that it is ready."""

import sys
from dataclasses import dataclass
from pathlib import Path

from shuniu.kit.events.bus_server import server_binary
from shuniu.kit.process.config import HubSettings

SERVICES = ("identity", "catalogue", "exchange", "esign")


@dataclass(frozen=True, slots=True)
class Part:
    """One process. `ops` is the name under which it writes its ops address, empty for the bus."""

    name: str
    argv: tuple[str, ...]
    ops: str


def parts(hub: HubSettings, config: Path) -> list[Part]:
    """All parts, in the order in which they are shown. They start together and in any order."""
    python = sys.executable

    def module(name: str, package: str) -> Part:
        return Part(name, (python, "-m", package, "--config", str(config)), name)

    return [
        Part("nats", (str(server_binary()), "-c", str(bus_config(hub))), ""),
        module("vault", "services.identity.vault"),
        *(module(service, f"services.{service}") for service in SERVICES),
        module("web", "gateway.web"),
        module("edge", "gateway.envoy"),
    ]


def bus_config(hub: HubSettings) -> Path:
    """The bus's rendered configuration."""
    return hub.data_dir / "nats" / "nats-server.conf"
