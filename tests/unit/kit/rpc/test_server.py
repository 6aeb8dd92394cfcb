"""Servers and channels between the hub's own processes: who may connect, over what, and what a call always has."""

import asyncio
import contextlib
import datetime as dt
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.common.v1 import operations_pb2_grpc, registry_pb2, registry_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.crypto import x509
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc import client, server
from shuniu.kit.rpc.caller import current_caller
from shuniu.kit.rpc.client import ClientTls, ask, ask_again
from shuniu.kit.rpc.server import Listener, Tls, peer_listener, servicer
from shuniu.kit.rpc.sockets import peer_address
from shuniu.kit.testing import eventually
from shuniu.rules import Violation
from tests.support.guarded import short_directory

TRUST = "hub.test"


class Asked(operations_pb2_grpc.OperationsServiceServicer):
    """Answers with who called, and keeps what it saw of the call."""

    def __init__(self) -> None:
        self.times: list[float | None] = []
        self.failures: list[HubError] = []

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:
        self.times.append(context.time_remaining())
        if self.failures:
            raise self.failures.pop(0)
        return pb.GetStatusResponse(service=current_caller().platform)


def listener(address: str, asked: Asked, tls: Tls | None = None) -> Listener:
    return peer_listener(address, [servicer(asked)], TRUST, tls=tls)


class Both(Asked, registry_pb2_grpc.RegistryFeedServiceServicer):
    """Two services in one object: which of them is meant cannot be told."""


def test_a_servicer_is_served_by_its_generated_base_class() -> None:
    """Whatever stands between: its descriptor, and how it is added."""

    class Further(Asked):
        """A subclass serves the same."""

    asked = Further()
    found = servicer(asked)
    assert found.servicer is asked
    assert found.descriptor is pb.DESCRIPTOR.services_by_name["OperationsService"]
    assert found.add is operations_pb2_grpc.add_OperationsServiceServicer_to_server


@pytest.mark.parametrize("served", [object(), Both()], ids=["none", "two"])
def test_what_is_not_one_servicer_is_refused(served: object) -> None:
    """Told by name, at start."""
    with pytest.raises(TypeError, match=f"{type(served).__name__}: exactly one generated servicer base class"):
        servicer(served)


@contextlib.asynccontextmanager
async def serving(address: str, asked: Asked, tls: Tls | None = None) -> AsyncIterator[None]:
    found = listener(address, asked, tls)
    await found.start()
    try:
        yield
    finally:
        await found.stop(0)


async def caller_name(address: str, tls: ClientTls | None, service: str = "cli") -> str:
    """How the server sees a caller that connects anew."""
    async with client.channel(address, service=service, tls=tls) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        answer = await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)
        return str(answer.service)


@pytest.fixture
def socket_address() -> Iterator[str]:
    with short_directory() as directory:
        yield f"unix:{directory}/s"


@pytest.fixture
def tcp_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@dataclass
class Pki:
    """A CA and the files of processes that it vouches for."""

    place: Path
    name: str

    def __post_init__(self) -> None:
        self.now = dt.datetime.now(dt.UTC)
        self.authority = x509.new_authority(self.name, "枢纽", self.now)
        (self.place / f"{self.name}.pem").write_bytes(self.authority.pem())

    @property
    def roots(self) -> Path:
        return self.place / f"{self.name}.pem"

    def _write(self, name: str, certificate: Any, key: Any) -> tuple[Path, Path]:
        paths = self.place / f"{name}.crt", self.place / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(x509.private_pem(key))
        return paths

    def server(self) -> Tls:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = x509.issue_server(self.authority, key.public_key(), ["127.0.0.1"], self.now, 1)
        return Tls(*self._write("server", certificate, key), self.roots)

    def client(self, uri: str, roots: Path | None = None) -> ClientTls:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = x509.issue_client(self.authority, key.public_key(), uri, self.now, 1)
        name = uri.rsplit("/", 1)[-1]
        return ClientTls(*self._write(f"{self.name}-{name}", certificate, key), roots or self.roots)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path, "ca")


async def test_over_tcp_the_certificate_says_who_calls(pki: Pki, tcp_address: str) -> None:
    """Between machines a caller is its certificate's name, whatever it calls itself."""
    async with serving(tcp_address, Asked(), pki.server()):
        tls = pki.client(f"spiffe://{TRUST}/service/cli")
        assert await caller_name(tcp_address, tls, service="identity") == "cli"


async def test_over_tcp_a_platforms_certificate_is_no_process(pki: Pki, tcp_address: str) -> None:
    """A certificate of the right CA with another kind of name gets in nowhere."""
    async with serving(tcp_address, Asked(), pki.server()):
        with pytest.raises(HubError, match="CALLER_UNPROVED"):
            await caller_name(tcp_address, pki.client(f"spiffe://{TRUST}/platform/esign"))


async def test_over_tcp_strangers_cannot_connect(pki: Pki, tcp_address: str, tmp_path: Path) -> None:
    """A certificate of another CA, or none, ends in the handshake."""
    stranger = Pki(tmp_path, "other").client(f"spiffe://{TRUST}/service/cli", roots=pki.roots)
    async with serving(tcp_address, Asked(), pki.server()):
        with pytest.raises(HubError) as refused:
            await caller_name(tcp_address, stranger)
        assert refused.value.code is Code.UNAVAILABLE
        credentials = grpc.ssl_channel_credentials(pki.roots.read_bytes())
        async with grpc.aio.secure_channel(tcp_address, credentials) as channel:
            stub = operations_pb2_grpc.OperationsServiceStub(channel)
            with pytest.raises(HubError) as nameless:
                await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)
            assert nameless.value.code is Code.UNAVAILABLE


async def test_renewed_certificates_are_taken_without_a_restart(pki: Pki, tcp_address: str, tmp_path: Path) -> None:
    """When the server's files are replaced, the next connection gets the new ones; open connections go on."""
    tls = pki.server()
    mine = pki.client(f"spiffe://{TRUST}/service/cli")
    renewed = Pki(tmp_path, "renewed")
    async with (
        serving(tcp_address, Asked(), tls),
        client.channel(tcp_address, service="cli", tls=mine) as open_channel,
    ):
        stub = operations_pb2_grpc.OperationsServiceStub(open_channel)
        await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)
        trusting_renewed = ClientTls(mine.certificate, mine.key, renewed.roots)
        with pytest.raises(HubError):
            await caller_name(tcp_address, trusting_renewed)
        renewed.server()
        assert await caller_name(tcp_address, trusting_renewed) == "cli"
        await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)


async def test_a_channel_takes_its_own_renewed_certificate(pki: Pki, tcp_address: str) -> None:
    """A channel and the stubs on it go on under a renewed certificate, without a restart."""
    tls = pki.server()
    mine = pki.client(f"spiffe://{TRUST}/service/cli")
    async with (
        serving(tcp_address, Asked(), tls),
        client.channel(tcp_address, service="x", tls=mine) as channel,
    ):
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        assert (await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)).service == "cli"
        other = pki.client(f"spiffe://{TRUST}/service/exchange")
        for new, known in ((other.key, mine.key), (other.certificate, mine.certificate)):
            new.replace(known)
        with pytest.raises(HubError, match="PEER_KIND") as refused:
            await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)
        assert refused.value.metadata == {"process": "exchange"}


@pytest.mark.parametrize("kind", ["listener", "channel"])
async def test_nothing_goes_over_tcp_in_clear(kind: str, tcp_address: str) -> None:
    """Without certificates there is neither a TCP listener nor a TCP channel."""
    with pytest.raises(ValueError, match="needs TLS"):
        if kind == "listener":
            listener(tcp_address, Asked())
        else:
            client.channel(tcp_address, service="cli")


TAKE = """
import socket, sys
with socket.socket() as other:
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    other.bind(("127.0.0.1", int(sys.argv[1])))
"""


async def test_a_second_process_cannot_take_the_port(pki: Pki, tcp_address: str) -> None:
    """A port that is served cannot be bound again, not even by a process that asks to share it."""
    async with serving(tcp_address, Asked(), pki.server()):
        with pytest.raises(RuntimeError):
            listener(tcp_address, Asked(), pki.server())
        port = tcp_address.rpartition(":")[2]
        taken = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", TAKE, port], capture_output=True, text=True, check=False, timeout=30
        )
        assert "Address already in use" in taken.stderr


async def test_a_served_socket_cannot_be_taken(socket_address: str) -> None:
    """A Unix socket that somebody answers on is not taken away; one left behind by a killed process is."""
    async with serving(socket_address, Asked()):
        with pytest.raises(OSError, match="in use"):
            listener(socket_address, Asked())
        assert await caller_name(socket_address, None) == "cli"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(peer_address(socket_address, "cli").removeprefix("unix:"))
    async with serving(socket_address, Asked()):
        assert await caller_name(socket_address, None) == "cli"


async def test_every_call_has_a_deadline_and_a_name(socket_address: str) -> None:
    """A call whose author forgot the deadline has one, and the server knows which process calls."""
    servicer = Asked()
    async with serving(socket_address, servicer), client.channel(socket_address, service="cli") as channel:
        answer = await operations_pb2_grpc.OperationsServiceStub(channel).GetStatus(pb.GetStatusRequest())
    assert answer.service == "cli"
    (remaining,) = servicer.times
    assert remaining is not None
    assert 0 < remaining < 11


@pytest.mark.parametrize("how", ["socket", "header", "certificate"])
async def test_a_peer_call_takes_the_processes_that_the_contract_names(
    how: str, pki: Pki, socket_address: str, tcp_address: str
) -> None:
    """Another process of the hub has no socket there, over TCP its certificate is refused, and a name that it writes
    counts for nothing.
    """
    if how == "certificate":
        async with serving(tcp_address, Asked(), pki.server()):
            with pytest.raises(HubError, match="PEER_KIND"):
                await caller_name(tcp_address, pki.client(f"spiffe://{TRUST}/service/esign"))
        return
    async with serving(socket_address, Asked()):
        assert not Path(peer_address(socket_address, "esign").removeprefix("unix:")).exists()
        for channel in (client.channel(socket_address, service="esign"), client.socket_channel(socket_address)):
            async with channel:
                call = operations_pb2_grpc.OperationsServiceStub(channel).GetStatus
                with pytest.raises(grpc.aio.AioRpcError) as away:
                    await call(pb.GetStatusRequest(), metadata=(("x-shuniu-service", "cli"),), timeout=2)
            assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        folder = Path(peer_address(socket_address, "cli").removeprefix("unix:")).parent
        assert folder.stat().st_mode & 0o077 == 0


async def test_an_error_passes_through_whole(socket_address: str) -> None:
    """What one process says of an error another can pass on: status, reason, texts, metadata and violations."""
    said = errors.invalid([Violation("a.b", "BAD", "Mend it.", "请改。"), Violation("c", "BAD", "Mend it.", "请改。")])
    said.metadata["key"] = "值"
    servicer = Asked()
    servicer.failures = [said]
    async with serving(socket_address, servicer):
        with pytest.raises(HubError) as heard:
            await caller_name(socket_address, None)
    parts = [
        (error.code, error.reason, error.en, error.zh, error.metadata, error.violations)
        for error in (said, heard.value)
    ]
    assert parts[0] == parts[1]


async def test_only_what_is_safe_is_asked_again(socket_address: str) -> None:
    """`ask_again` repeats UNAVAILABLE until it is answered, and nothing else."""
    servicer = Asked()
    away = errors.unavailable("AWAY", "Away.", "不可用。")
    async with serving(socket_address, servicer), client.channel(socket_address, service="cli") as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        servicer.failures = [away, away]
        assert (await ask_again(stub.GetStatus, pb.GetStatusRequest())).service == "cli"
        assert len(servicer.times) == 3
        servicer.failures = [errors.conflict("REQUEST_ID_REUSED", "No.", "否。")] * 2
        with pytest.raises(HubError, match="REQUEST_ID_REUSED"):
            await ask_again(stub.GetStatus, pb.GetStatusRequest())
        assert len(servicer.times) == 4


async def test_a_call_that_its_service_did_not_finish_is_asked_again(socket_address: str) -> None:
    """The process ends while it answers: its gRPC says CANCELLED, and the next process is asked."""
    begun, tries = asyncio.Event(), 0

    class Ending(Asked):
        async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:
            nonlocal tries
            tries += 1
            begun.set()
            if tries == 1:
                await asyncio.Event().wait()
            return pb.GetStatusResponse(service="next")

    async with client.channel(socket_address, service="cli") as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        asked = Ending()
        first = listener(socket_address, asked)
        await first.start()
        asking = asyncio.create_task(ask_again(stub.GetStatus, pb.GetStatusRequest()))
        await begun.wait()
        await first.stop(0)
        second = listener(socket_address, asked)
        await second.start()
        assert (await asking).service == "next"
        await second.stop(0)


async def test_a_peer_that_comes_back_is_found(socket_address: str) -> None:
    """A call to a process that is away waits within its time, and succeeds once the process is there."""
    async with client.channel(socket_address, service="cli") as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        with pytest.raises(HubError) as away:
            await ask(stub.GetStatus, pb.GetStatusRequest(), timeout=5)
        assert away.value.code is Code.UNAVAILABLE
        waiting = asyncio.create_task(ask_again(stub.GetStatus, pb.GetStatusRequest()))
        async with serving(socket_address, Asked()):
            assert (await waiting).service == "cli"


class Waits(registry_pb2_grpc.RegistryFeedServiceServicer):
    """Counts who is in, and lets nobody go before it is told."""

    def __init__(self) -> None:
        self.here = 0
        self.gate = asyncio.Event()

    async def PullRegistry(self, request: Any, context: Any) -> registry_pb2.PullRegistryResponse:
        self.here += 1
        await self.gate.wait()
        return registry_pb2.PullRegistryResponse()


async def test_calls_are_bounded_over_all_sockets_together(
    socket_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes that may call share one number of calls under way; whoever has its part hears so, in the hub's words."""
    monkeypatch.setattr(server, "_CALLS", 64)
    waits = Waits()
    found = peer_listener(socket_address, [servicer(waits)], TRUST)
    await found.start()
    names = [path.name for path in (Path(socket_address.removeprefix("unix:")).parent / "from").iterdir()]
    try:
        async with contextlib.AsyncExitStack() as opened:
            calls = []
            for name in names:
                channel = await opened.enter_async_context(client.channel(socket_address, service=name))
                stub = registry_pb2_grpc.RegistryFeedServiceStub(channel)
                request = registry_pb2.PullRegistryRequest()
                calls += [asyncio.ensure_future(ask(stub.PullRegistry, request, timeout=10)) for _ in range(64)]
            await eventually(lambda: sum(call.done() for call in calls) + waits.here == len(calls))
            assert len(names) > 1
            assert 0 < waits.here <= 64
            waits.gate.set()
            said = await asyncio.gather(*calls, return_exceptions=True)
            refused = [each for each in said if isinstance(each, HubError)]
            assert len(refused) == len(calls) - waits.here
            assert "TOO_MANY_CALLS" in {each.reason for each in refused}
    finally:
        waits.gate.set()
        await found.stop(0)
