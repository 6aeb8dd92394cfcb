"""The edge's process: start, suspension from the registry, certificates that change, drain, death."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import os
import shutil
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio
from cryptography import x509

from gateway.envoy import contract, control, process, render
from gateway.envoy.suspension import follow
from gateway.envoy.testing import ISSUER, TRUST_DOMAIN, EdgeWorld, Identity
from shuniu.api.common.v1 import registry_pb2, registry_pb2_grpc
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.durable import replace_private
from shuniu.kit.rpc import client
from shuniu.kit.rpc.sockets import peer_address
from shuniu.kit.testing.clock import eventually


class Feed(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Identity's registry feed, in pages of two."""

    def __init__(self) -> None:
        self._entries: dict[str, registry_pb2.PlatformEntry] = {}
        self._changed = asyncio.Condition()
        self._version = 0

    async def set(self, code: str, state: str) -> None:
        async with self._changed:
            self._version += 1
            self._entries[code] = registry_pb2.PlatformEntry(code=code, state=state, version=self._version)
            self._changed.notify_all()

    async def PullRegistry(self, request, context):
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(request.wait_seconds):
                    await self._changed.wait_for(lambda: self._version > request.after_version)
        after = 0 if request.epoch != 1 else request.after_version
        later = sorted((entry for entry in self._entries.values() if entry.version > after), key=lambda e: e.version)
        page = later[:2]
        return registry_pb2.PullRegistryResponse(
            platforms=page,
            version=page[-1].version if page else after,
            epoch=1,
            reset=request.epoch != 1,
            more=len(later) > 2,
        )


async def serve(feed: Feed, address: str) -> grpc.aio.Server:
    server = grpc.aio.server()
    registry_pb2_grpc.add_RegistryFeedServiceServicer_to_server(feed, server)
    mine = peer_address(address, "edge")
    Path(mine.removeprefix("unix:")).parent.mkdir(parents=True, exist_ok=True)
    server.add_insecure_port(mine)
    await server.start()
    return server


class Started:
    """`python -m gateway.envoy` on a directory of its own."""

    def __init__(self, world: EdgeWorld, feed: Feed) -> None:
        self.world = world
        self.feed = feed
        self.config = world.root / "hub.toml"
        self.child: asyncio.subprocess.Process

    async def start(self) -> None:
        self.config.write_text(
            f"""
[hub]
code = "150000"
name = "test"
trust_domain = "{TRUST_DOMAIN}"
issuer = "{ISSUER}"
data_dir = "{self.world.data}"
run_dir = "{self.world.run}"

[edge]
people = "127.0.0.1:0"
platforms = "127.0.0.1:0"
drain_seconds = 2
"""
        )
        with (self.world.root / "edge.log").open("ab") as log:
            self.child = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "gateway.envoy", "--config", str(self.config)),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        await eventually((self.world.run / "edge.ops").exists, within=20.0)

    def port(self, listener: str) -> int:
        return int((self.world.run / f"edge.{listener}").read_text().rpartition(":")[2])

    def envoy_pid(self) -> int:
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        return int(children[0])

    def http(self, listener: str, identity: Identity | None = None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cadata=self.world.server_authority.certificate.decode())
        if identity is not None:
            pem = self.world.root / "client.pem"
            pem.write_bytes(identity.certificate + identity.key)
            context.load_cert_chain(pem)
        return httpx.AsyncClient(verify=context, base_url=f"https://127.0.0.1:{self.port(listener)}", trust_env=False)


@pytest_asyncio.fixture
async def started() -> AsyncIterator[Started]:
    root = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    world = EdgeWorld(root)
    feed = Feed()
    for code in ("bureau", "city", "ministry", "province", "zone"):
        await feed.set(code, "ACTIVE")
    server = await serve(feed, f"unix:{world.run}/identity.peer.sock")
    edge = Started(world, feed)
    async with world.web():
        await edge.start()
        yield edge
        if edge.child.returncode is None:
            edge.child.kill()
            await edge.child.wait()
    await server.stop(None)
    shutil.rmtree(root)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_suspension_in_the_registry_closes_the_edge_within_a_second(started):
    """From identity's word to the refusal on an open connection: less than a second; and back."""
    async with started.http("platforms", started.world.platforms.platform("bureau")) as client:
        assert (await client.get("/oauth2/jwks")).status_code == 200
        for state, status in (
            ("SUSPENDED", 403),
            ("ACTIVE", 200),
            ("RETIRED", 403),
        ):
            began = time.monotonic()
            await started.feed.set("bureau", state)

            async def answered(status: int = status) -> bool:
                return (await client.get("/oauth2/jwks")).status_code == status

            await eventually(answered, within=5.0)
            assert time.monotonic() - began < 1.0


async def test_suspension_outlives_a_restart_without_identity(started):
    """Who is cut off stays cut off when the edge starts while identity is away."""
    await started.feed.set("zone", "SUSPENDED")
    memory = started.world.data / "edge" / "suspended.json"
    await eventually(lambda: memory.exists() and json.loads(memory.read_text()) == ["zone"])
    started.child.kill()
    await started.child.wait()
    (started.world.run / "from" / "edge" / "identity.peer.sock").unlink()
    (started.world.run / "edge.ops").unlink()
    await started.start()
    zone, city = (started.world.platforms.platform(code) for code in ("zone", "city"))
    async with started.http("platforms", zone) as suspended, started.http("platforms", city) as active:
        assert (await suspended.get("/oauth2/jwks")).status_code == 403
        assert (await active.get("/oauth2/jwks")).status_code == 200


async def test_sigterm_drains_and_ends_well(started):
    """Asked to end, the edge lets go of its ports and ends with 0; nothing of it stays."""
    envoy = started.envoy_pid()
    started.child.terminate()
    assert await asyncio.wait_for(started.child.wait(), 10) == 0
    assert gone(envoy)


async def test_drain_lets_calls_end(started):
    """A call under way when the edge is told to end gets its answer."""
    async with started.http("people") as client:
        call = asyncio.create_task(client.get("/verify/slow"))
        address = (started.world.run / "edge.ops").read_text().strip()
        async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as ops:

            async def under_way() -> bool:
                metrics = (await ops.get("/metrics")).text
                return 'downstream_rq_active{envoy_http_conn_manager_prefix="people"} 1' in metrics

            await eventually(under_way)
            started.child.terminate()

            async def not_ready() -> bool:
                return (await ops.get("/readyz")).status_code == 503

            await eventually(not_ready)
        started.world.release.set()
        assert (await call).status_code == 200
    assert await asyncio.wait_for(started.child.wait(), 10) == 0


async def test_service_away(started):
    """A call whose service is away gets a typed UNAVAILABLE at once."""
    identity = started.world.platforms.platform("bureau")
    token = started.world.signer.token("bureau", identity)
    async with started.http("platforms", identity) as client:
        answer = await client.get("/v1/inbox", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["details"][0]["reason"] == "SERVICE_AWAY"


async def test_edge_ends_when_envoy_dies(started):
    """The supervisor starts both again: a control process without Envoy is no edge."""
    os.kill(started.envoy_pid(), signal.SIGKILL)
    assert await asyncio.wait_for(started.child.wait(), 10) == 1


async def test_envoy_dies_with_its_control_process(started):
    """kill -9 of the control process leaves no Envoy behind that would hold the ports."""
    envoy = started.envoy_pid()
    started.child.kill()
    await started.child.wait()
    await eventually(lambda: gone(envoy))


async def test_taken_port_is_not_shared(started):
    """A second edge on the same port ends; it does not take half of the connections in silence."""
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as directory:
        second = EdgeWorld(Path(directory))
        async with second.web():
            with pytest.raises(process.EnvoyNotServingError):
                async with control.running(second.settings(people=f"127.0.0.1:{started.port('people')}")):
                    pass


async def test_new_certificate_without_restart(started):
    """A renewed certificate is served on new connections within seconds, by the same Envoy."""
    envoy = started.envoy_pid()
    world = started.world
    renewed = world.server_authority.issue(
        x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")), to_days=2.0
    )
    replace_private(world.data / "keys" / "edge.key", renewed.key)
    replace_private(world.data / "pki" / "edge.pem", renewed.certificate)

    async def served() -> bool:
        address = ("127.0.0.1", started.port("people"))
        pem = await asyncio.to_thread(ssl.get_server_certificate, address)
        days = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc - dt.datetime.now(dt.UTC)
        return days > dt.timedelta(days=1.5)

    await eventually(served)
    assert started.envoy_pid() == envoy


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('workers = "two"', "[edge] workers: must be of type int"),
        ("colour = 1", "[edge] colour: unknown key"),
        ('web = "nowhere"', "[edge] web: 'nowhere' is neither host:port nor unix:/path"),
        ('platform_ca = "/nowhere/ca.pem"', "/nowhere/ca.pem"),
    ],
)
async def test_settings_that_cannot_work_exit_78(tmp_path, setting, expected):
    """One line names what is wrong, and the exit status tells a supervisor not to try again."""
    world = EdgeWorld(tmp_path)
    config = tmp_path / "hub.toml"
    config.write_text(
        f"""
[hub]
code = "150000"
name = "test"
trust_domain = "{TRUST_DOMAIN}"
issuer = "{ISSUER}"
data_dir = "{world.data}"
run_dir = "{world.run}"

[edge]
{setting}
"""
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway.envoy", "--config", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 78
    assert expected in output.decode().splitlines()[-1]


async def test_rendered_configuration_is_valid(tmp_path):
    """`envoy --mode validate` accepts what is rendered, for one machine and for many."""
    world = EdgeWorld(tmp_path)
    certificate, key = world.data / "pki" / "edge.pem", world.data / "keys" / "edge.key"
    many = {f"{name}": f"{name}.internal:7443" for name in ("web", "identity", "catalogue", "exchange", "esign")}
    for settings in (
        world.settings(),
        world.settings(access_log="-"),
        world.settings(access_log=""),
        world.settings(
            **many, upstream_certificate=certificate, upstream_key=key, upstream_ca=world.data / "pki" / "edge.pem"
        ),
    ):
        settings.directory.mkdir(exist_ok=True)
        for name, content in render.render(settings, contract.shipped(), frozenset({"a"})).items():
            (settings.directory / name).write_bytes(content)
        await process.validate(settings.directory / render.BOOTSTRAP)


async def test_registry_away_and_back(tmp_path):
    """While identity is away the last word stands; when it is back its word counts again, and never half of it."""
    address = f"unix:{tmp_path}/peer.sock"
    feed = Feed()
    for code, state in (("a", "ACTIVE"), ("b", "SUSPENDED"), ("c", "ACTIVE"), ("d", "RETIRED"), ("e", "ACTIVE")):
        await feed.set(code, state)
    said: list[frozenset[str]] = []
    async with client.channel(address, service="edge") as channel:
        server = await serve(feed, address)
        following = asyncio.create_task(follow(Registry(channel, None, SystemClock()), said.append))
        await eventually(lambda: said == [{"b", "d"}])
        await server.stop(None)
        await feed.set("e", "SUSPENDED")
        server = await serve(feed, address)
        await eventually(lambda: said[-1] == {"b", "d", "e"})
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await server.stop(None)
