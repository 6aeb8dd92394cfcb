"""The databases of a hub: which there are, and bringing their schemas up to date."""

from dataclasses import dataclass, field
from pathlib import Path

from shuniu.cli.parts import SERVICES
from shuniu.cli.place import Place
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import part
from shuniu.kit.service_settings import DatabaseSettings, database_url

PACKAGES = {**{service: f"services.{service}" for service in SERVICES}, "vault": "services.identity.vault"}


@dataclass(frozen=True, slots=True)
class Database:
    """One service's store. Its URL may hold a password: it is not shown."""

    service: str
    package: str
    url: str = field(repr=False)

    @property
    def is_file(self) -> bool:
        return not self.url.startswith("postgresql")

    @property
    def file(self) -> Path:
        """The path of a store that is a file."""
        return Path(self.url.partition("://")[2].removeprefix("/"))


def databases(place: Place) -> list[Database]:
    """All stores of the hub, as its services find them: by settings and environment. Raises ConfigError."""
    hub = place.hub()
    return [
        Database(service, package, database_url(hub, part(DatabaseSettings, place.config, service), service))
        for service, package in PACKAGES.items()
    ]


async def migrate_all(place: Place) -> dict[str, str]:
    """Brings every store to its newest revision; returns the revisions."""
    # Here: who asks only where the databases are needs none of their engine.
    from shuniu.kit.store.migrations import migrate

    clock = SystemClock()
    # One after another: Alembic keeps the connection it works on in a global of the process.
    return {one.service: await migrate(one.url, one.package, clock) for one in databases(place)}
