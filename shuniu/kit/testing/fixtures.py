"""pytest fixtures for stores; a conftest names this module in `pytest_plugins`."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from shuniu.kit.testing.clock import ManualClock
from shuniu.kit.testing.postgresql import MISSING, PostgresServer, execute, new_database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server for the whole session: DATABASE_URL, or one started for it; skips when there is none."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    server = PostgresServer.start_new()
    if server is None:
        pytest.skip(MISSING)
    yield server.url()
    server.remove()


@pytest_asyncio.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of an empty database, dropped afterwards."""
    url = await new_database(postgres_url)
    yield url
    name = url.partition("?")[0].rpartition("/")[2]
    await execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql), "generic"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn: a test that asks for it runs on all of them."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_database")
        return url
    scheme = {"sqlite": "sqlite", "generic": "generic+sqlite"}[request.param]
    return f"{scheme}:///{tmp_path}/store.db"
