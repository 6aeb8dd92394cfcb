"""A whole hub on real engines, with a region set up on it, for tests that need everything."""

import asyncio
import contextlib
import dataclasses
import gc
import json
import os
import signal
import sqlite3
import tempfile
import tomllib
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from examples.city_bureau.bureau import Bureau
from examples.demo.hub import COMMAND, RunningHub, shuniu
from examples.demo.journeys import Outcome, Stage, citizens_of, serve_all, set_stage
from examples.demo.progress import Progress, Times
from examples.demo.setup import CERTIFICATE_ITEM
from examples.hub_client.session import Session
from examples.inner_mongolia.load import Region, load
from examples.inner_mongolia.people import Person, people
from examples.provincial_app.citizen import Citizen
from shuniu.api.esign.v1 import esign_pb2
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.testing import eventually

# nats-py over WebSocket hands aiohttp a timeout in the old way, and forgets a client when a connection attempt fails.
NATS_WEBSOCKET = (
    pytest.mark.filterwarnings("ignore:parameter 'timeout' of type 'float':DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed client session:ResourceWarning"),
)
# Nor does it close a connection on which the server said nothing.
NATS_HANGS = tuple(
    pytest.mark.filterwarnings(f"ignore:{text}:ResourceWarning")
    for text in ("unclosed <StreamWriter", "unclosed transport", "unclosed <socket")
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command of `shuniu` did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def program(*arguments: str) -> Ran:
    """Runs a program, whatever its exit status. Whoever stops waiting for it stops it, and is told what it had said."""
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    end = asyncio.ensure_future(process.communicate())
    try:
        out, err = await asyncio.shield(end)
    except asyncio.CancelledError as cancelled:
        process.kill()
        out, err = await end
        raise asyncio.CancelledError(f"{arguments[0]} was stopped after it said: {out!r} {err!r}") from cancelled
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def command(*arguments: str) -> Ran:
    """Runs `shuniu`, whatever its exit status."""
    return await program(str(COMMAND), *arguments)


def details_of(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str], dict[str, str]]:
    """(ErrorInfo reason, its metadata, BadRequest violations as field → reason) of a refusal."""
    trailers = {**dict(error.initial_metadata() or ()), **dict(error.trailing_metadata() or ())}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for target in (info, bad):
            if detail.Is(target.DESCRIPTOR):
                detail.Unpack(target)
    return info.reason, dict(info.metadata), {one.field: one.reason for one in bad.field_violations}


async def refusal(call: Awaitable[Any], reason: str) -> grpc.aio.AioRpcError:
    """The error of a call that must be refused for this reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert reason == details_of(caught.value)[0], caught.value
    return caught.value


def only_the_certificate(region: Region) -> Region:
    """The region with the one item that the tests need, which is set up in a tenth of the time."""
    return dataclasses.replace(region, items=(region.item(CERTIFICATE_ITEM),))


@dataclass(frozen=True, slots=True)
class Journey:
    """A person with a delivered case who is still signed in."""

    citizen: Citizen
    token: str
    case: case_pb2.Case
    document: esign_pb2.DownloadCertificateResponse

    @property
    def number(self) -> str:
        return self.document.certificate.number


@dataclass(slots=True)
class Land:
    """A running hub, its region and people who were not served yet."""

    running: RunningHub
    stage: Stage
    people: Sequence[Person]
    waiting: list[Citizen]
    certificates: Path
    times: Times

    def next_citizens(self, count: int) -> list[Citizen]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        assert len(taken) == count, "make more people"
        return taken

    async def serve(self, count: int, concurrency: int = 8) -> Outcome:
        return await serve_all(self.stage, self.next_citizens(count), concurrency, Progress(count))

    async def shuniu(self, *arguments: str) -> str:
        return await shuniu(*arguments, "--data", str(self.running.data))

    async def command(self, *arguments: str) -> Ran:
        return await command(*arguments, "--data", str(self.running.data))

    def session(self, code: str) -> Session:
        """The session of a platform or operator of the region."""
        return next(one for one in self.stage.sessions if one.credentials.code == code)

    def bureau(self, code: str) -> Bureau:
        return next(one for one in self.stage.bureaus if one.session.credentials.code == code)

    def other_bureau(self, code: str) -> Bureau:
        return next(one for one in self.stage.bureaus if one.session.credentials.code != code)

    async def sign_in(self, citizen: Citizen) -> str:
        """A new person's access token at the app."""
        return await self.stage.app._sign_in(citizen)

    async def apply(self, citizen: Citizen, token: str) -> case_pb2.Case:
        app = self.stage.app
        return await app._apply(citizen, token, await app._find_item(citizen))

    async def journey(self, citizen: Citizen) -> Journey:
        """Everything but the evaluation."""
        app = self.stage.app
        token = await self.sign_in(citizen)
        case = await app._follow((await self.apply(citizen, token)).case_code, token)
        return Journey(citizen, token, case, await app._download(case, token))

    @property
    def settings(self) -> dict[str, Any]:
        return tomllib.loads((self.running.data / "hub.toml").read_text("utf-8"))

    @property
    def run_dir(self) -> Path:
        return Path(self.settings["hub"]["run_dir"])

    def parts(self) -> dict[str, dict[str, Any]]:
        """What the supervisor knows of each part."""
        found = json.loads((self.run_dir / "supervisor.json").read_text())
        return {part["name"]: part for part in found["parts"]}

    async def kill(self, part: str) -> None:
        """kill -9, then waits until it serves again."""
        before = self.parts()[part]
        os.kill(before["pid"], signal.SIGKILL)

        def back() -> bool:
            now = self.parts()[part]
            return bool(now["restarts"] > before["restarts"] and now["state"] == "READY")

        await eventually(back, within=30, message=f"{part} did not come back")

    async def counts(self) -> tuple[int, int, int]:
        """(deliveries to organisations, of those without receipt, distinct events received)."""
        # Its exit status tells that a part is away; what it prints counts.
        status = (await self.command("status", "--json")).json
        published = sum(part.get("organisation_deliveries", 0) for part in status["parts"])
        still_open = sum(part.get("organisation_open", 0) for part in status["parts"])
        return published, still_open, self.stage.received

    async def settled(self, within: float = 90) -> None:
        """Waits until every delivery has its receipt, then checks that nothing was lost or doubled."""

        async def equal() -> bool:
            published, still_open, received = await self.counts()
            return bool(still_open == 0 and published == received)

        try:
            await eventually(equal, within=within, message="deliveries without receipt remain")
        except AssertionError as error:
            raise AssertionError(f"{error}; {await self.counts()}; {self._open_deliveries()}") from error
        assert self.stage.doubled == 0

    def _open_deliveries(self) -> list[tuple[Any, ...]]:
        """Those that have no receipt: service, target, state, tries, last cause and topic."""
        found: list[tuple[Any, ...]] = []
        for path in sorted((self.running.data / "db").glob("*.db")):
            with contextlib.closing(sqlite3.connect(path)) as store:
                names = {row[1] for row in store.execute("PRAGMA table_info(outbox_delivery)")}
                if names:
                    rows = store.execute(
                        "SELECT * FROM outbox_delivery WHERE state NOT IN ('RECEIPTED') AND target NOT IN ('evt')"
                    )
                    found += [(path.stem, *row) for row in rows.fetchmany(5)]
        return found


@asynccontextmanager
async def hub_with_region(
    count: int, region: Region | None = None, run_elsewhere: Collection[str] = (), profile: str = "international"
) -> AsyncIterator[Land]:
    """Starts a hub in a temporary directory and sets a region of `count` people up on it, of one item when not given."""
    region = region or only_the_certificate(load())
    everybody = people(count)
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp", ignore_cleanup_errors=True) as work:
        certificates = Path(work) / "certificates"
        certificates.mkdir()
        times = Times()
        running = await RunningHub.start(Path(work) / "hub", profile)
        try:
            stage = await set_stage(running, region, everybody, certificates, times, run_elsewhere)
            land = Land(running, stage, everybody, citizens_of(everybody), certificates, times)
            try:
                yield land
            except BaseException:
                # Of whoever stopped working, the test sees only what did not come.
                print("".join(stage.ended), land._open_deliveries())
                raise
            finally:
                del land
                await stage.strike()
                # Here, where the warnings of NATS_WEBSOCKET are expected, and not in somebody else's test.
                del stage
                gc.collect()
        finally:
            await running.stop()
