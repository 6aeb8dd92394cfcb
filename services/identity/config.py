"""Settings of identity: section [identity] of the hub's file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from shuniu.kit.process.config import HubSettings, Within
from shuniu.kit.service_settings import ServiceSettings

_DAY_SECONDS: Final = 86_400


_EDGE_ROOTS = "[identity] edge_roots_file"


@dataclass(frozen=True, slots=True)
class IdentitySettings(ServiceSettings):
    """Settings of identity beyond those of every service."""

    platform_url: str = ""
    """External URL of the platforms listener, without trailing slash, for discovery; empty means the issuer."""
    authority_platform: str = ""
    """Code of the platform that proves real names; empty means that nobody can register."""
    authority_resource: str = ""
    """Resource of that platform which answers such questions."""
    edge_roots_file: Path = Path()
    """Roots of the edge's own certificate (PEM), handed to enrolled platforms; empty: <data_dir>/pki/edge-ca.pem."""
    certificate_days: Annotated[int, Within(1, 3650)] = 365
    """Life of a platform's client certificate, days."""
    session_hours: Annotated[int, Within(1, 24 * 366)] = 12
    """Longest life of a person's session, hours."""
    refresh_hours: Annotated[int, Within(1, 24 * 366)] = 24
    """Longest life of a token family, hours; a session's end ends it sooner."""
    access_token_seconds: Annotated[int, Within(30, 600)] = 300
    """Life of an access token. Services remember an ended session for 15 minutes (`SESSION_MEMORY_US`), so a token
    may not live as long."""
    jwks_seconds: Annotated[int, Within(1, _DAY_SECONDS)] = 60
    """Longest time for which others may cache the JWKS; a new key is published twice this long before it signs."""
    password_threads: Annotated[int, Within(1, 64)] = 2
    """Threads that check passwords; token traffic never waits for them."""
    password_queue: Annotated[int, Within(1, 100_000)] = 200
    """Password checks that may wait; more are refused with SIGN_IN_LIMIT."""
    sign_in_failures: Annotated[int, Within(1, 10_000)] = 10
    """Wrong passwords for one login name from one sender within the window, or from one browser that the person used
    before; five times as many from all senders together."""
    sign_in_window_seconds: Annotated[int, Within(1, _DAY_SECONDS)] = 900
    """The window of that count; counts are swept after a day."""
    registration_failures: Annotated[int, Within(1, 10_000)] = 5
    """Failed registrations of one document from one sender within the window; five times as many from all senders, 20
    times of one name, 40 times from one sender."""
    registration_window_seconds: Annotated[int, Within(1, _DAY_SECONDS)] = _DAY_SECONDS
    """The window of that count, at most a day."""
    reveal_days: Annotated[int, Within(1, 3660)] = 30
    """Time for which a handling agency may use what was revealed to it for a case."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Paths of identity's keys and certificates. Everything under `keys` is 0600."""

    data_dir: Path

    @property
    def platform_ca(self) -> Path:
        return self.data_dir / "pki" / "platform-ca.pem"

    @property
    def platform_ca_key(self) -> Path:
        return self.data_dir / "keys" / "platform-ca.key"

    @property
    def keyring(self) -> Path:
        """AES-256 keys for what identity stores encrypted."""
        return self.data_dir / "keys" / "identity"

    @property
    def pairwise(self) -> Path:
        """HMAC keys of pairwise subjects, one an epoch."""
        return self.data_dir / "keys" / "pairwise"

    @property
    def root_secret(self) -> Path:
        """32 bytes from which the HMAC keys for login names, requests, page tokens and refresh tokens are derived."""
        return self.data_dir / "keys" / "identity-root.key"

    @property
    def bus(self) -> Path:
        return self.data_dir / "keys" / "bus.json"

    def bus_credentials(self, service: str) -> Path:
        return self.data_dir / "keys" / f"bus-{service}.creds"

    @property
    def edge_roots(self) -> Path:
        return self.data_dir / "pki" / "edge-ca.pem"


def edge_roots(hub: HubSettings, settings: IdentitySettings) -> Path:
    return settings.edge_roots_file if settings.edge_roots_file.name else KeyFiles(hub.data_dir).edge_roots


def roots_of_edge(hub: HubSettings, settings: IdentitySettings) -> bytes:
    """PEM. Raises ConfigError."""
    # Who reads settings alone need not import certificates.
    from shuniu.kit.crypto.pem_files import certificates_pem

    return certificates_pem(edge_roots(hub, settings), _EDGE_ROOTS if settings.edge_roots_file.name else "")
