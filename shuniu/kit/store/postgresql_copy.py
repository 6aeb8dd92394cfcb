"""A PostgreSQL database as a whole, by PostgreSQL's own programs: dumped while it is in use, and filled from a dump."""

import os
import shutil
import subprocess
from pathlib import Path

import asyncpg
from sqlalchemy import make_url


class CopyError(Exception):
    """The program is missing or failed. Its text is one line and holds no password."""


def dump(url: str, target: Path) -> None:
    """One consistent state of a database into a file. Raises CopyError."""
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}", "--dbname")


def fill(url: str, source: Path) -> None:
    """An empty database from such a file, all or nothing. Raises CopyError."""
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--schema=public")
    _run("pg_restore", url, *options, str(source), "--dbname")


async def clear(url: str) -> None:
    """Takes everything out of a database that was empty before it was filled."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


def _run(program: str, url: str, *options: str) -> None:
    parsed = make_url(url)
    # The list of processes shows arguments to everybody, the environment to nobody else.
    environment = {**os.environ, **({"PGPASSWORD": str(parsed.password)} if parsed.password else {})}
    shown = parsed.set(password=None).render_as_string()
    try:
        done = subprocess.run(
            [_found(program), *options, shown], env=environment, capture_output=True, text=True, check=False
        )
    except OSError as cause:
        raise CopyError(f"{program}: {cause.strerror}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise CopyError(said[0] if said else f"{program}: exit {done.returncode}")


def _found(program: str) -> str:
    """On PATH, or where Debian puts the newest. Raises CopyError."""
    below = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    newest = max(below, key=lambda path: float(path.parent.parent.name), default=None)
    found = shutil.which(program) or ("" if newest is None else str(newest))
    if not found:
        raise CopyError(f"{program}: not installed (Debian: postgresql-client)")
    return found
