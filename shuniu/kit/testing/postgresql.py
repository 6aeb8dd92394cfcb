"""A PostgreSQL server for tests: found where Debian puts it, run as an unprivileged user, gone afterwards."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

import asyncpg

# The server refuses to run as root; tests in a container often do.
_UNPRIVILEGED: Final = ("postgres", "nobody")

# How long the children of a killed server may take to go, s.
_PATIENCE: Final = 20.0

MISSING: Final = "no PostgreSQL server found; `make test-deps` installs one"


def find_binaries() -> Path | None:
    """The directory of initdb and postgres: on PATH, or the newest below /usr/lib/postgresql."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(installed, key=lambda path: float(path.parent.name), default=None)


class PostgresServer:
    """One server in a temporary directory, reached by a Unix socket only."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # Short, because a Unix socket's path must stay under 108 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="snpg", dir="/tmp"))
        self._user = _user()
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(self._directory, self._user)
        self._run(
            "initdb",
            "--pgdata",
            str(self.data),
            "--username=shuniu",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        )

    @classmethod
    def start_new(cls) -> Self | None:
        """A running server; None when none is installed."""
        binaries = find_binaries()
        if binaries is None:
            return None
        server = cls(binaries)
        server.start()
        return server

    @property
    def data(self) -> Path:
        return self._directory / "data"

    def start(self) -> None:
        """Start, also after `kill`; returns when it accepts connections."""
        until = time.monotonic() + _PATIENCE
        while not self._accepts():
            if self._process is None or self._process.poll() is not None:
                # After a kill the server's children hold its shared memory for a moment, and a new one refuses.
                self._process = self._spawn()
            if time.monotonic() > until:
                raise RuntimeError((self._directory / "log").read_text())

    def kill(self) -> None:
        """SIGKILL for the postmaster; its children notice and go."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Stop at once and leave nothing behind."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {"listen_addresses": "", "unix_socket_directories": self._directory}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data, *options],
                user=self._user,
                cwd=self._directory,
                stdout=log,
                stderr=log,
            )

    def _accepts(self) -> bool:
        if self._process is None:
            return False
        asked = [str(self._binaries / "pg_isready"), "--host", str(self._directory), "--quiet"]
        return subprocess.run(asked, check=False).returncode == 0

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE)
            self._process = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://shuniu@/{database}?host={self._directory}"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *arguments],
            user=self._user,
            cwd=self._directory,
            capture_output=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=90,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


async def new_database(server_url: str) -> str:
    """The URL of a fresh, empty database on a server."""
    name = f"test_{secrets.token_hex(6)}"
    await execute(server_url, f"CREATE DATABASE {name}")
    before, _, query = server_url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


async def execute(url: str, statement: str) -> None:
    """Run one statement outside of any store."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)
