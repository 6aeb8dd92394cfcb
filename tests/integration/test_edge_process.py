"""The edge's process: start, suspension from the registry, certificates that change, drain, death."""

import asyncio
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

from gateway.envoy import contract, process, render
from gateway.envoy.suspension import RegistryPoll, SuspendedFile, replace
from gateway.envoy.testing import ISSUER, TRUST_DOMAIN, EdgeWorld
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc
from shuniu.kit.testing.clock import eventually


class Registry(platform_pb2_grpc.PlatformServiceServicer):
    """Identity's registry, in pages of two."""

    def __init__(self) -> None:
        codes = ("bureau", "city", "ministry", "province", "zone")
        self.states = dict.fromkeys(codes, platform_pb2.PLATFORM_STATE_ACTIVE)

    async def ListPlatforms(self, request, context):
        codes = sorted(self.states)
        start = int(request.page_token or 0)
        following = start + 2
        return platform_pb2.ListPlatformsResponse(
            platforms=[platform_pb2.Platform(code=code, state=self.states[code]) for code in codes[start:following]],
            next_page_token=str(following) if following < len(codes) else "",
        )


class Started:
    """`python -m gateway.envoy` on a directory of its own."""

    def __init__(self, world: EdgeWorld, registry: Registry) -> None:
        self.world = world
        self.registry = registry
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

    def http(self, listener: str, code: str | None = None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cadata=self.world.server_authority.certificate.decode())
        if code is not None:
            identity = self.world.platforms.platform(code)
            pem = self.world.root / f"{code}.pem"
            pem.write_bytes(identity.certificate + identity.key)
            context.load_cert_chain(pem)
        return httpx.AsyncClient(verify=context, base_url=f"https://127.0.0.1:{self.port(listener)}", trust_env=False)


@pytest_asyncio.fixture
async def started() -> AsyncIterator[Started]:
    root = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    world = EdgeWorld(root)
    registry = Registry()
    server = grpc.aio.server()
    platform_pb2_grpc.add_PlatformServiceServicer_to_server(registry, server)
    server.add_insecure_port(f"unix:{world.run}/identity.peer.sock")
    await server.start()
    edge = Started(world, registry)
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
    async with started.http("platforms", "bureau") as client:
        assert (await client.get("/oauth2/jwks")).status_code == 200
        for state, status in (
            (platform_pb2.PLATFORM_STATE_SUSPENDED, 403),
            (platform_pb2.PLATFORM_STATE_ACTIVE, 200),
            (platform_pb2.PLATFORM_STATE_RETIRED, 403),
        ):
            began = time.monotonic()
            started.registry.states["bureau"] = state

            async def answered(status: int = status) -> bool:
                return (await client.get("/oauth2/jwks")).status_code == status

            await eventually(answered, within=5.0)
            assert time.monotonic() - began < 1.0


async def test_suspension_outlives_a_restart_without_identity(started):
    """Who is cut off stays cut off when the edge starts while identity is away."""
    started.registry.states["zone"] = platform_pb2.PLATFORM_STATE_SUSPENDED
    memory = started.world.data / "edge" / "suspended.json"
    await eventually(lambda: memory.exists() and json.loads(memory.read_text()) == ["zone"])
    started.child.kill()
    await started.child.wait()
    (started.world.run / "identity.peer.sock").unlink()
    (started.world.run / "edge.ops").unlink()
    await started.start()
    async with started.http("platforms", "zone") as suspended, started.http("platforms", "city") as active:
        assert (await suspended.get("/oauth2/jwks")).status_code == 403
        assert (await active.get("/oauth2/jwks")).status_code == 200


async def test_sigterm_drains_and_ends_well(started):
    """Asked to end, the edge lets go of its ports and ends with 0; nothing of it stays."""
    envoy = started.envoy_pid()
    started.child.terminate()
    assert await asyncio.wait_for(started.child.wait(), 10) == 0
    assert gone(envoy)


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


async def test_new_certificate_without_restart(started):
    """A renewed certificate is served on new connections within seconds, by the same Envoy."""
    envoy = started.envoy_pid()
    world = started.world
    renewed = world.server_authority.issue(
        x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")), to_days=2.0
    )
    replace(world.data / "keys" / "edge.key", renewed.key)
    replace(world.data / "pki" / "edge.pem", renewed.certificate)

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
    """While identity is away the last answer stands; when it is back its word counts again."""
    address = f"unix:{tmp_path}/peer.sock"
    registry = Registry()
    registry.states["city"] = platform_pb2.PLATFORM_STATE_SUSPENDED

    async def serve() -> grpc.aio.Server:
        server = grpc.aio.server()
        platform_pb2_grpc.add_PlatformServiceServicer_to_server(registry, server)
        server.add_insecure_port(address)
        await server.start()
        return server

    options = [("grpc.max_reconnect_backoff_ms", 200), ("grpc.use_local_subchannel_pool", 1)]
    file = SuspendedFile(tmp_path, TRUST_DOMAIN)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        feed = RegistryPoll(channel).suspended_platforms()
        server = await serve()
        file.apply_suspended(await anext(feed))
        assert file.remembered() == {"city"}
        await server.stop(None)
        following = asyncio.ensure_future(anext(feed))
        registry.states["zone"] = platform_pb2.PLATFORM_STATE_SUSPENDED
        server = await serve()
        file.apply_suspended(await asyncio.wait_for(following, 10))
        assert file.remembered() == {"city", "zone"}
        await feed.aclose()
        await server.stop(None)
