"""How a store begins a session on PostgreSQL: also behind a pooler, and with any password."""

import asyncio
import contextlib
import struct

import pytest
from sqlalchemy import Connection, MetaData, make_url, text

from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store

# What PgBouncer takes from a client by default (its manual, `ignore_startup_parameters`).
TAKEN = {
    "user",
    "database",
    "client_encoding",
    "datestyle",
    "timezone",
    "standard_conforming_strings",
    "application_name",
}
CLEAR_TEXT_PASSWORD = struct.pack(">cii", b"R", 8, 3)


class Asked:
    """A server that asks for the password in clear, and remembers what it was told."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.password = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            length, version = struct.unpack(">ii", await reader.readexactly(8))
            if version == 80877103:  # Does it speak TLS?
                writer.write(b"N")
                length, version = struct.unpack(">ii", await reader.readexactly(8))
            words = (await reader.readexactly(length - 8)).decode().rstrip("\0").split("\0")
            self.parameters = dict(zip(words[::2], words[1::2], strict=True))
            writer.write(CLEAR_TEXT_PASSWORD)
            _, length = struct.unpack(">ci", await reader.readexactly(5))
            self.password = (await reader.readexactly(length - 4)).decode().rstrip("\0")
        writer.close()


async def told(url: str) -> Asked:
    found = Asked()
    server = await asyncio.start_server(found, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = Store.unchecked(url.format(port=port), MetaData(), clock=SystemClock())
    with pytest.raises(HubError, match="STORE_UNAVAILABLE"):
        await store.empty()
    await store.close()
    server.close()
    await server.wait_closed()
    return found


async def test_a_session_begins_with_what_poolers_take() -> None:
    """Limits of time are set afterwards: among the first parameters PgBouncer would refuse them, and no service start."""
    found = await told("postgresql://shuniu:x@127.0.0.1:{port}/identity?ssl=disable")
    assert found.parameters["user"] == "shuniu"
    assert set(found.parameters) <= TAKEN


@pytest.mark.parametrize("password", ["p@ss", "a:b/c?d", "口令 100%"])
async def test_the_password_of_the_environment_reaches_the_server(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """As docker-compose.yml hands it on: in no address, so with any characters."""
    monkeypatch.setenv("PGPASSWORD", password)
    assert (await told("postgresql://shuniu@127.0.0.1:{port}/identity?ssl=disable")).password == password


@pytest.mark.postgresql
async def test_every_session_has_its_limits_of_time(postgres_database: str) -> None:
    """For reading and for writing, for all its transactions; and what was answered is on the disk."""

    def settings(conn: Connection) -> list[str]:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
        return [str(conn.execute(text(f"SHOW {name}")).scalar()) for name in names]

    store = Store.unchecked(postgres_database, MetaData(), clock=SystemClock(), writer="main")
    try:
        first = await store.write(settings)
        assert all(limit not in {"0", ""} for limit in first[:3])
        assert first[3] == "on"
        assert await store.read(settings) == first
        assert await store.write(settings) == first
    finally:
        await store.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("wrong", ["user", "database"])
async def test_a_login_that_is_refused_is_told(postgres_database: str, wrong: str) -> None:
    """A user or a database that is not there is a mistake in the settings, and no internal error."""
    address = make_url(postgres_database)
    other = address.set(username="nobody_at_all") if wrong == "user" else address.set(database="no_such_database")
    store = Store.unchecked(other.render_as_string(hide_password=False), MetaData(), clock=SystemClock(), writer="main")
    try:
        with pytest.raises(HubError) as refused:
            await store.read(lambda conn: conn.execute(text("SELECT 1")).scalar())
    finally:
        await store.close()
    assert refused.value.reason == "STORE_REFUSED"
    assert "database_url" in refused.value.zh
