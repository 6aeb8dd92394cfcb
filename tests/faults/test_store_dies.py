"""What the store promises when something under it dies."""

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, Text, func, insert, select

from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store, StoreLockedError, kit_tables
from shuniu.kit.testing import ManualClock, eventually
from shuniu.kit.testing.postgresql import MISSING, PostgresServer
from tests.faults import write_forever

PROGRAM = write_forever.__file__
MIB = 1 << 20

metadata = MetaData()
kit_tables(metadata)
blob = Table("blob", metadata, Column("id", Text, primary_key=True), Column("body", LargeBinary, nullable=False))


def put(conn: Connection, name: str, size: int) -> None:
    conn.execute(insert(blob), {"id": name, "body": os.urandom(size)})


def count(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(blob)).scalar_one()


async def new_store(url: str, tables: MetaData = metadata) -> Store:
    store = Store.unchecked(url, tables, clock=SystemClock())
    await store.create_schema()
    return store


async def start_writer(url: str, callers: int = 8) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, url, str(callers), "1000000", stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("answers", [1, 40, 400])
async def test_killed_writer_keeps_every_answered_write(store_url: str, answers: int) -> None:
    """kill -9 of a process that writes: every write it was answered is there when the store is opened again."""
    await (await new_store(store_url, write_forever.metadata)).close()
    writer = await start_writer(store_url)
    assert writer.stdout is not None
    answered = [int(await writer.stdout.readline()) for _ in range(answers)]
    writer.kill()
    rest, _ = await writer.communicate()
    answered += [int(line) for line in rest.split(b"\n")[:-1]]
    store = await Store.open(store_url, write_forever.metadata, clock=ManualClock())
    kept = await store.read(lambda conn: set(conn.execute(select(write_forever.row.c.number)).scalars()))
    await store.close()
    assert set(answered) - kept == set()


async def test_second_process_is_refused(tmp_path: Path) -> None:
    """A SQLite file has one writing process; a second one is told so, and may come when the first is gone."""
    url = f"sqlite:///{tmp_path}/one.db"
    await (await new_store(url, write_forever.metadata)).close()
    writer = await start_writer(url)
    assert writer.stdout is not None
    await writer.stdout.readline()
    with pytest.raises(StoreLockedError):
        await Store.open(url, write_forever.metadata, clock=ManualClock())
    writer.kill()
    await writer.communicate()
    await (await Store.open(url, write_forever.metadata, clock=ManualClock())).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB; where mounting is not allowed, a limit on the size of files stands in for it."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], check=False, capture_output=True)
    if mounted.returncode == 0:
        yield path
        subprocess.run(["umount", "--lazy", path], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, limits[1]))
    yield path
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def make_room(disk: Path, ballast: Path) -> None:
    ballast.unlink()
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)


@pytest.mark.parametrize("scheme", ["sqlite", "generic+sqlite"])
async def test_full_disk(small_disk: Path, scheme: str) -> None:
    """A full disk is a typed error, reads go on, readiness says so, and room on the disk ends it without a restart."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(MIB))
    store = await new_store(f"{scheme}:///{small_disk}/full.db")
    written = 0
    with pytest.raises(HubError) as full:
        while True:
            await store.write(put, f"b{written}", 100_000)
            written += 1
    assert (full.value.code, full.value.reason) == (Code.RESOURCE_EXHAUSTED, "STORE_FULL")
    assert written > 5
    assert not store.writable
    assert await store.read(count) == written

    waiting = [store.write(put, f"w{n}", 100_000) for n in range(5)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    failed = [answer for answer in answers if answer is not None]
    assert failed
    assert all(isinstance(answer, HubError) and answer.reason == "STORE_FULL" for answer in failed)
    assert await store.read(count) == written + len(answers) - len(failed)

    make_room(small_disk, ballast)
    await eventually(lambda: store.writable, message="store writable by itself")
    await store.write(put, "after", 100_000)
    assert await store.read(lambda conn: conn.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
    await store.close()


@pytest.mark.strace
async def test_fsync_comes_before_the_answer(tmp_path: Path) -> None:
    """Seen at the system calls: between writing a row to the log and answering it, the log is synced to the disk."""
    if shutil.which("strace") is None:
        pytest.skip("no strace; `make test-deps` installs it")
    url = f"sqlite:///{tmp_path}/traced.db"
    await (await new_store(url, write_forever.metadata)).close()
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,write,fsync,fdatasync"
    traced = await asyncio.create_subprocess_exec(
        "strace", "-f", "-y", "-e", calls, "-o", trace, sys.executable, PROGRAM, url, "1", "20",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await traced.wait() == 0

    answered, synced = 0, True
    for line in trace.read_text().splitlines():
        if "traced.db-wal>" in line and "pwrite64" in line:
            synced = False
        elif "traced.db-wal>" in line and re.search(r"f(data)?sync\(", line):
            synced = True
        elif re.search(r'write\(1<[^>]*>, "\d+\\n"', line):
            assert synced, f"answered before the sync: {line}"
            answered += 1
    assert answered == 20


@pytest.fixture
async def mortal_server() -> AsyncIterator[PostgresServer]:
    server = await asyncio.to_thread(PostgresServer.start_new)
    if server is None:
        pytest.skip(MISSING)
    yield server
    await asyncio.to_thread(server.remove)


@pytest.mark.postgresql
async def test_postgresql_dies_under_writers(mortal_server: PostgresServer) -> None:
    """kill -9 of PostgreSQL: typed errors while it is away, no answered write lost, writing again by itself after."""
    store = await new_store(mortal_server.url())
    answered: list[str] = []
    refused: list[HubError] = []
    going = True

    async def caller(me: int) -> None:
        number = 0
        while going:
            name = f"{me}-{number}"
            number += 1
            try:
                await store.write(put, name, 10)
                answered.append(name)
            except HubError as error:
                refused.append(error)
                # As a client does: not again at once.
                await asyncio.sleep(0.02)

    callers = [asyncio.create_task(caller(me)) for me in range(4)]
    await eventually(lambda: len(answered) > 20)
    await asyncio.to_thread(mortal_server.kill)
    await eventually(lambda: refused)
    assert not store.writable
    await asyncio.to_thread(mortal_server.start)
    before = len(answered)
    await eventually(lambda: len(answered) > before + 20 and store.writable, within=30)
    going = False
    await asyncio.gather(*callers)
    kept = await store.read(lambda conn: set(conn.execute(select(blob.c.id)).scalars()))
    await store.close()
    assert set(answered) - kept == set()
    assert {error.code for error in refused} == {Code.UNAVAILABLE}


@pytest.mark.postgresql
async def test_frozen_postgresql_hangs_nobody(mortal_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing at all, connection open: the caller hears UNAVAILABLE within its limit."""
    from shuniu.kit.store.types import Limits

    store = Store.unchecked(
        mortal_server.url(), metadata, clock=ManualClock(), limits=Limits(write=1.5, read=1.5, lock=1.0)
    )
    await store.create_schema()
    pids = await store.read(lambda conn: conn.exec_driver_sql("SELECT pg_backend_pid()").scalars().all())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(HubError) as refused:
                await store.write(put, "a", 1)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert refused.value.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}
    await eventually(lambda: store.writable)
    await store.write(put, "b", 1)
    await store.close()
