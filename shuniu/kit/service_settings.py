"""Settings that every service's section has, and what follows from them; imports no server, store or bus."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from shuniu.kit.process.config import MOST_PORT, ConfigError, HubSettings, Within, secret_text

if TYPE_CHECKING:
    from shuniu.kit.rpc.client import ClientTls
    from shuniu.kit.rpc.server import Tls


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The place of a service's store."""

    database_url: str = ""
    """Store; empty means SQLite at <data_dir>/db/<service>.db. A PostgreSQL server's password stands in
    `database_password_file`, or in PGPASSWORD or PGPASSFILE of the environment, as PostgreSQL's own programs read them.
    Connect directly, or through PgBouncer with `pool_mode = session`: units of work need a session of their own."""
    database_password_file: Path = Path()
    """File with the password for `database_url` (0600), any characters; a line end behind it does not count."""


@dataclass(frozen=True, slots=True)
class ServiceSettings(DatabaseSettings):
    """Keys that every service's section has. Services add theirs by inheritance."""

    edge_address: str = ""
    """Address for the edge; empty means the Unix socket <run_dir>/<service>.edge.sock."""
    peer_address: str = ""
    """Address for other processes; empty means the Unix sockets <run_dir>/from/<caller>/<service>.peer.sock."""
    ops_host: str = "127.0.0.1"
    """Address of /livez, /readyz and /metrics."""
    ops_port: Annotated[int, Within(0, MOST_PORT)] = 0
    """Its port; 0 picks a free one, written to <run_dir>/<service>.ops."""
    identity_address: str = ""
    """Identity's peer address; empty means its Unix socket."""
    catalogue_address: str = ""
    """Catalogue's peer address; empty means its Unix socket."""
    exchange_address: str = ""
    """Exchange's peer address; empty means its Unix socket."""
    esign_address: str = ""
    """Esign's peer address; empty means its Unix socket."""
    vault_address: str = ""
    """The vault's peer address; empty means its Unix socket. Used by identity only."""
    bus_url: str = "nats://127.0.0.1:4222"
    """The bus: its server, or those of a cluster with commas between them."""
    bus_creds_file: Path = Path()
    """This service's credentials for the bus; empty means <data_dir>/keys/bus-<service>.creds."""
    bus_replicas: Annotated[int, Within(1, 5)] = 1
    """Copies of each of the hub's own streams and, in identity, of each INBOX: 1 with one server, 3 with three."""
    tls_certificate: Path = Path()
    """Certificate (PEM) for TCP between machines; unused with Unix sockets."""
    tls_key: Path = Path()
    """Its key (PEM, 0600)."""
    tls_roots: Path = Path()
    """Roots for peers (PEM)."""

    def tls(self) -> "Tls | None":
        # Only where processes speak TCP: who reads settings need not import a server.
        from shuniu.kit.rpc.server import Tls

        return Tls(self.tls_certificate, self.tls_key, self.tls_roots) if self.tls_certificate.name else None

    def client_tls(self) -> "ClientTls | None":
        from shuniu.kit.rpc.client import ClientTls

        if not self.tls_certificate.name:
            return None
        return ClientTls(self.tls_certificate, self.tls_key, self.tls_roots)


def database_url(hub: HubSettings, settings: DatabaseSettings, service: str) -> str:
    """The store's URL, with its password. Raises ConfigError, which never quotes the URL: it may hold a password."""
    url = settings.database_url or f"sqlite:///{hub.data_dir}/db/{service}.db"
    scheme, _, rest = url.partition("://")
    server = rest.partition("/")[0].partition("?")[0]
    if server.count("@") > 1:
        raise ConfigError(
            f"[{service}] database_url: 密码中的 @ 须写作 %40，或将密码放入 database_password_file / "
            "an @ in its password must be written %40; or put the password into database_password_file"
        )
    if not settings.database_password_file.name:
        return url
    user, at, host = server.partition("@")
    if not at or not user or ":" in user:
        raise ConfigError(
            f"[{service}] database_password_file: database_url 须写明用户且不含密码 / "
            "needs a database_url that names a user and no password"
        )
    password = secret_text(settings.database_password_file, f"[{service}] database_password_file").rstrip("\r\n")
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}{rest[len(server) :]}"


def socket_address(hub: HubSettings, service: str, kind: str) -> str:
    """Address of a process's Unix socket; kind is edge or peer."""
    return f"unix:{hub.run_dir}/{service}.{kind}.sock"
