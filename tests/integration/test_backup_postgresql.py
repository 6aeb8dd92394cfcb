"""A hub whose stores are on PostgreSQL: made, backed up and restored by settings of the environment or of the file."""

import asyncio
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from examples.demo.hub import COMMAND
from shuniu.cli.stores import PACKAGES
from shuniu.kit.process.config import EX_CONFIG
from shuniu.kit.testing.postgresql import new_database

pytestmark = pytest.mark.postgresql


def urls(server: str) -> dict[str, str]:
    async def made() -> dict[str, str]:
        return {service: await new_database(server) for service in PACKAGES}

    return asyncio.run(made())


def variables(found: dict[str, str]) -> dict[str, str]:
    return {f"SHUNIU_{service.upper()}_DATABASE_URL": url for service, url in found.items()}


def shuniu(*words: object, path: str = "", **environment: str) -> tuple[int, str]:
    known = {name: value for name, value in os.environ.items() if not name.endswith("_DATABASE_URL")}
    done = subprocess.run(
        [str(COMMAND), *map(str, words)],
        env={**known, **environment, **({"PATH": path} if path else {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


async def value(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def epoch(url: str) -> int:
    return int(asyncio.run(value(url, "SELECT value FROM meta WHERE name = 'epoch'")))


def tables(url: str) -> int:
    return int(asyncio.run(value(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")))


@pytest.fixture(scope="module")
def live(postgres_url: str) -> dict[str, str]:
    return urls(postgres_url)


@pytest.fixture(scope="module")
def made(live: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub whose databases the environment names, as in docker-compose.yml."""
    data = tmp_path_factory.mktemp("made") / "hub"
    status, said = shuniu("init", "--free-ports", "--data", data, **variables(live))
    assert status == 0, said
    return data


def test_the_command_line_obeys_the_environment_as_services_do(made: Path, live: dict[str, str]) -> None:
    """`init` and `migrate` bring the schemas to where the services look for them, and nowhere else."""
    assert shuniu("migrate", "--data", made, **variables(live))[0] == 0
    assert all(tables(url) > 10 for url in live.values())
    assert not list((made / "db").iterdir())


def test_a_hub_on_postgresql_is_backed_up_and_restored_into_empty_databases(
    made: Path, live: dict[str, str], postgres_url: str, tmp_path: Path
) -> None:
    """With everything in it; the databases in use stay as they are, and those that are filled begin a new epoch."""
    file, place = tmp_path / "b.tar.gz", tmp_path / "place"
    status, said = shuniu("backup", file, "--json", "--data", made, **variables(live))
    assert status == 0, said
    assert json.loads(said)["left_out"] == []
    with tarfile.open(file) as found:
        assert {f"db/{service}.dump" for service in PACKAGES} < set(found.getnames())
    # The environment still names the databases in use.
    status, said = shuniu("restore", file, "--data", place, **variables(live))
    assert (status, "not empty" in said, place.exists()) == (EX_CONFIG, True, False)
    assert {epoch(url) for url in live.values()} == {1}
    fresh = urls(postgres_url)
    given = [word for service, url in fresh.items() for word in ("--database", f"{service}={url}")]
    status, said = shuniu("restore", file, "--data", place, *given)
    assert status == 0, said
    assert {epoch(url) for url in live.values()} == {1}
    assert {epoch(url) for url in fresh.values()} == {2}
    assert [tables(url) for url in fresh.values()] == [tables(url) for url in live.values()]
    assert shuniu("audit", "verify", "--data", place)[0] == 0
    # Of one that fails half-way nothing stays: the first database is empty again.
    more = urls(postgres_url)
    mixed = {**more, "esign": live["esign"]}
    given = [word for service, url in mixed.items() for word in ("--database", f"{service}={url}")]
    assert shuniu("restore", file, "--data", tmp_path / "half", *given)[0] == EX_CONFIG
    assert not (tmp_path / "half").exists()
    assert {tables(url) for service, url in more.items()} == {0}
    assert epoch(live["esign"]) == 1


def test_a_backup_without_its_databases_says_so(made: Path, live: dict[str, str], tmp_path: Path) -> None:
    """Where PostgreSQL's programs are missing the command fails; by name they can be left out, and then a restore asks
    where they are now.
    """
    file, place = tmp_path / "b.tar.gz", tmp_path / "place"
    password = {**variables(live), "SHUNIU_VAULT_DATABASE_URL": "postgresql://shuniu:s3cret@127.0.0.1:9/vault"}
    status, said = shuniu("backup", file, "--data", made, **password)
    assert (status, "vault" in said, "s3cret" in said, file.exists()) == (EX_CONFIG, True, False, False)
    status, said = shuniu("backup", file, "--without-databases", "--json", "--data", made, **variables(live))
    assert (status, set(json.loads(said)["left_out"])) == (0, set(PACKAGES))
    status, said = shuniu("restore", file, "--data", place, **variables(live))
    assert (status, "--database" in said, place.exists()) == (EX_CONFIG, True, False)
    assert {epoch(url) for url in live.values()} == {1}
