"""`[edge]` of the hub's settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shuniu.kit.process.config import MOST_PORT, TIB, HubSettings, Within

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """The listeners of the edge, what stands behind it, and its limits. Addresses are `host:port` or `unix:/path`."""

    people: str = "127.0.0.1:8443"
    """Listener for browsers and apps: TLS, no client certificate asked. Port 0 picks a free one."""
    platforms: str = "127.0.0.1:9443"
    """Listener for platforms: mutual TLS."""
    ops_host: str = "127.0.0.1"
    """The address of `/metrics`, `/livez` and `/readyz`."""
    ops_port: Annotated[int, Within(0, MOST_PORT)] = 0
    """Its port; 0 picks a free one, written to `<run>/edge.ops`."""
    certificate: Path | None = None
    """Certificate chain of both listeners, PEM. Absent: `<data>/pki/edge.pem`."""
    key: Path | None = None
    """Its private key, PEM. Absent: `<data>/keys/edge.key`."""
    platform_ca: Path | None = None
    """Roots of client certificates, PEM. Absent: `<data>/pki/platform-ca.pem`."""

    web: str = ""
    """The web process. Absent: `unix:<run>/web.sock`."""
    identity: str = ""
    """Edge listener of identity. Absent: `unix:<run>/identity.edge.sock`; likewise the next three."""
    catalogue: str = ""
    exchange: str = ""
    esign: str = ""
    bus: str = "127.0.0.1:4223"
    """WebSocket listener of the bus."""
    identity_peer: str = ""
    """Peer listener of identity, whose registry says who is suspended. Absent: `unix:<run>/identity.peer.sock`; of a
    Unix socket the edge takes the one that is its own there, `<run>/from/edge/identity.peer.sock`."""
    upstream_certificate: Path | None = None
    """The edge's own certificate towards services on other machines (URI SAN `…/service/edge`), PEM. Absent: all
    services stand on this machine, behind Unix sockets."""
    upstream_key: Path | None = None
    upstream_ca: Path | None = None
    """Roots of the services' certificates, PEM."""

    audience: str = "shuniu"
    """The audience that a token's `aud` must hold."""
    jwks_seconds: Annotated[int, Within(1, 86_400)] = 60
    """Life of the token keys fetched from web; a new key must be published this long before it signs."""
    clock_skew_seconds: Annotated[int, Within(0, 3600)] = 60
    """Tolerance when a token's times are checked."""

    rate_read: Annotated[int, Within(1, 10_000_000)] = 5000
    """Calls a second one platform may make of each rate class of the contract; twice as many in a burst."""
    rate_write: Annotated[int, Within(1, 10_000_000)] = 2000
    rate_heavy: Annotated[int, Within(1, 10_000_000)] = 500
    rate_stream: Annotated[int, Within(1, 10_000_000)] = 200
    rate_people: Annotated[int, Within(1, 10_000_000)] = 500
    """Requests a second of one client address on the people listener, and of one platform to the web process."""
    max_platforms: Annotated[int, Within(1, 1_000_000)] = 5000
    """Platforms and addresses that are counted apart; beyond it the longest silent one starts afresh."""

    max_request_bytes: Annotated[int, Within(1024, 1024 * MIB)] = 4 * MIB
    """Largest request."""
    max_document_bytes: Annotated[int, Within(1024, 1024 * MIB)] = 21 * MIB
    """Largest request that carries a document to verify: the document, and a MiB for what goes with it."""
    max_form_bytes: Annotated[int, Within(1024, 1024 * MIB)] = 64 * 1024
    """Largest request of people that carries no document: forms, and calls open to everybody."""
    body_seconds: Annotated[int, Within(1, 3600)] = 60
    """The time in which a request must arrive, however large it is."""
    people_body_bytes: Annotated[int, Within(1024, TIB)] = 256 * MIB
    """Room for all requests of people that are under way, with what their bodies may take. A sender (IPv4 address,
    IPv6 /64) holds at most half as much as it leaves free, its neighbours (/24, /48) together as much as they leave
    free; more is refused at once with 429."""
    platforms_body_bytes: Annotated[int, Within(1024, TIB)] = 256 * MIB
    """The same of platforms, each by its certificate."""
    max_heap_bytes: Annotated[int, Within(32 * MIB, TIB)] = 2560 * MIB
    """Memory of Envoy. From 85 % of it the largest requests are ended, from 95 % on none is taken."""
    max_connections: Annotated[int, Within(1, 10_000_000)] = 12_000
    """Connections of both listeners together."""
    max_platform_connections: Annotated[int, Within(1, 10_000_000)] = 2000
    """Connections of platforms among them: their buffers are four times as large."""
    max_bus_connections: Annotated[int, Within(1, 10_000_000)] = 2000
    """WebSocket connections to the bus."""
    max_requests: Annotated[int, Within(1, 10_000_000)] = 4096
    """Calls under way at one upstream; more are refused at once with UNAVAILABLE."""
    stream_idle_seconds: Annotated[int, Within(1, 7 * 86_400)] = 3600
    """A stream or a WebSocket without a byte for so long is ended."""
    workers: Annotated[int, Within(1, 1024)] = 1
    """Worker threads of Envoy."""
    drain_seconds: Annotated[int, Within(0, 3600)] = 5
    """Time limit of running calls after the signal to end, s."""
    access_log: str = "-"
    """File that receives one JSON line a request; `-` is standard output. Empty: none."""
    web_paths: tuple[str, ...] = (
        "/oauth2",
        "/sign-in",
        "/sign-out",
        "/consent",
        "/register",
        "/verify",
        "/v",
        "/tsa",
        "/ocsp",
        "/crl",
        "/static",
        "/.well-known",
    )
    """Paths, with all below them, that the web process serves on the people listener; `/` itself is always one."""
    upload_paths: tuple[str, ...] = ("/verify/upload",)
    """Those of them that take a document."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The hub's and the edge's settings together, with what was left out filled in."""

    hub: HubSettings
    edge: EdgeSettings

    @property
    def directory(self) -> Path:
        """The folder of rendered files."""
        return self.hub.data_dir / "edge"

    @property
    def admin_socket(self) -> Path:
        return self.hub.run_dir / "edge.admin.sock"

    @property
    def certificate(self) -> Path:
        return self.edge.certificate or self.hub.data_dir / "pki" / "edge.pem"

    @property
    def key(self) -> Path:
        return self.edge.key or self.hub.data_dir / "keys" / "edge.key"

    @property
    def platform_ca(self) -> Path:
        return self.edge.platform_ca or self.hub.data_dir / "pki" / "platform-ca.pem"

    @property
    def identity_peer(self) -> str:
        return self.edge.identity_peer or f"unix:{self.hub.run_dir}/identity.peer.sock"

    def upstreams(self) -> dict[str, str]:
        """Addresses by name: web, bus and the contract's areas."""
        run = self.hub.run_dir
        edge = self.edge
        return {
            "web": edge.web or f"unix:{run}/web.sock",
            "bus": edge.bus,
            "identity": edge.identity or f"unix:{run}/identity.edge.sock",
            "catalogue": edge.catalogue or f"unix:{run}/catalogue.edge.sock",
            "exchange": edge.exchange or f"unix:{run}/exchange.edge.sock",
            "esign": edge.esign or f"unix:{run}/esign.edge.sock",
        }
