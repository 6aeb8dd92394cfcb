"""The databases of a hub: which there are, and bringing their schemas up to date."""

from dataclasses import dataclass

from shuniu.cli.parts import SERVICES
from shuniu.cli.place import Place
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import read

PACKAGES = {**{service: f"services.{service}" for service in SERVICES}, "vault": "services.identity.vault"}


@dataclass(frozen=True, slots=True)
class Database:
    """One service's store."""

    service: str
    package: str
    url: str

    @property
    def is_file(self) -> bool:
        return self.url.startswith("sqlite")


def databases(place: Place) -> list[Database]:
    """All stores of the hub, as its settings name them."""
    table = read(place.config)
    return [
        Database(
            service,
            package,
            str(table.get(service, {}).get("database_url", "")) or f"sqlite:///{place.data}/db/{service}.db",
        )
        for service, package in PACKAGES.items()
    ]


async def migrate_all(place: Place) -> dict[str, str]:
    """Brings every store to its newest revision; returns the revisions."""
    # Here: who asks only where the databases are needs none of their engine.
    from shuniu.kit.store.migrations import migrate

    clock = SystemClock()
    # One after another: Alembic keeps the connection it works on in a global of the process.
    return {one.service: await migrate(one.url, one.package, clock) for one in databases(place)}
