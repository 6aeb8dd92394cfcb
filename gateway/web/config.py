"""`[web]` of the hub's settings."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shuniu.kit.process import config
from shuniu.kit.process.config import MOST_PORT, ConfigError, HubSettings, Within
from shuniu.kit.process.durable import write_secret
from shuniu.kit.rpc import client

MIB = 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The listener of web, the services it asks, and its limits."""

    address: str = ""
    """The address at which the edge reaches it: `unix:/path` or `host:port` (0 picks a free port). Empty means
    `unix:<run_dir>/web.sock`. Without TLS only loopback is accepted, because the edge's headers are believed."""
    ops_host: str = "127.0.0.1"
    """Address of /livez, /readyz and /metrics."""
    ops_port: Annotated[int, Within(0, MOST_PORT)] = 0
    """Its port; 0 picks a free one, written to <run_dir>/web.ops."""
    identity_address: str = ""
    """Identity's peer address; empty means its Unix socket."""
    esign_address: str = ""
    """Esign's peer address; empty means its Unix socket."""
    csrf_key_file: Path = Path()
    """Key (0600, at least 32 bytes) that signs form tokens, the same on every replica. Empty means
    <data_dir>/keys/web-csrf.key, made at the first start."""
    tls_certificate: Path = Path()
    """Certificate (PEM) for TCP between machines, as server and as client; unused with Unix sockets."""
    tls_key: Path = Path()
    """Its key (PEM, 0600)."""
    tls_roots: Path = Path()
    """Roots for peers (PEM)."""
    max_document_bytes: Annotated[int, Within(1, 20 * MIB)] = 20 * MIB
    """Largest document to verify, bytes; the reader takes no larger one."""
    max_uploads: Annotated[int, Within(1, 10_000)] = 8
    """Most documents in memory at once; one network has at most a third of them. Further uploads wait; with too many
    waiting they are rejected (429 VERIFY_BUSY)."""
    upload_seconds: Annotated[float, Within(0.01, 3600)] = 60.0
    """The time in which a body must arrive."""
    document_seconds: Annotated[float, Within(0, 86_400)] = 10.0
    """Time after which web asks again for keys, discovery and trust material, s. It serves the last ones for a day
    while their owner is away."""

    def client_tls(self) -> client.ClientTls | None:
        if not self.tls_certificate.name:
            return None
        return client.ClientTls(self.tls_certificate, self.tls_key, self.tls_roots)


@dataclass(frozen=True, slots=True)
class Web:
    """The hub's and web's settings together, with what was left out filled in."""

    hub: HubSettings
    web: WebSettings

    @property
    def address(self) -> str:
        return self.web.address or f"unix:{self.hub.run_dir}/web.sock"

    @property
    def secure(self) -> bool:
        """True where browsers come over HTTPS, as everywhere but in a test without the edge."""
        return self.hub.issuer.startswith("https://")

    def peer(self, service: str) -> str:
        given = {"identity": self.web.identity_address, "esign": self.web.esign_address}[service]
        return given or f"unix:{self.hub.run_dir}/{service}.peer.sock"


def read(path: Path) -> Web:
    """Raises ConfigError."""
    settings = Web(config.load(HubSettings, path, "hub"), config.load(WebSettings, path, "web"))
    address = settings.address
    if not address.startswith("unix:"):
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise ConfigError(f"{path}: [web] address: must be host:port or unix:/path")
        if host not in _LOOPBACK and not settings.web.tls_certificate.name:
            raise ConfigError(f"{path}: [web] tls_certificate: needed for an address outside this machine")
    return settings


def csrf_key(settings: Web) -> bytes:
    """The key of form tokens. Raises ConfigError when a named file cannot be used."""
    path = settings.web.csrf_key_file
    if not path.name:
        path = settings.hub.data_dir / "keys" / "web-csrf.key"
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                write_secret(path, secrets.token_bytes(32))
            except FileExistsError:
                pass  # another replica on this directory was first
    key = config.secret(path)
    if len(key) < 32:
        raise ConfigError(f"{path}: holds fewer than 32 bytes")
    return key
