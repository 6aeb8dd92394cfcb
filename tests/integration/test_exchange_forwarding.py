"""Questions between replicas on different machines: TCP with mutual TLS, each replica by its own certificate."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest
from cryptography import x509

from gateway.envoy.testing import Authority
from services.exchange.queries import forwarding
from services.exchange.queries import store as query_store
from services.exchange.queries.forwarding import Forwarding
from services.exchange.queries.service.replicas import ProviderStreamService
from services.exchange.queries.store import StreamRow
from services.exchange.queries.streams import ProviderStreams
from services.exchange.store import METADATA
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.server import Tls, peer_listener, servicer
from shuniu.kit.service_settings import ServiceSettings
from shuniu.kit.store import Store
from shuniu.kit.testing.foundation import foundation_of

TRUST = "hub.test"
RECORDS = frozenset({"records"})
QUESTION = pb.ServeResponse(call_id="c1", resource="records", purpose="开具证明")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Machines:
    """A replica `here` that asks, and the certificates of others."""

    def __init__(self, directory: Path, store: Store, caller: str) -> None:
        self.directory = directory
        self.store = store
        self.authority = Authority("services CA")
        self.roots = directory / "roots.pem"
        self.roots.write_bytes(self.authority.certificate)
        certificate, key = self.files(caller)
        settings = ServiceSettings(tls_certificate=certificate, tls_key=key, tls_roots=self.roots)
        hub = HubSettings("150000", "枢纽", TRUST, "https://hub.test", directory, directory)
        base = foundation_of("exchange", hub, settings, SystemClock(), store, writer="here")
        self.forwarding = Forwarding(base, "")

    def files(self, name: str) -> tuple[Path, Path]:
        uri = x509.UniformResourceIdentifier(f"spiffe://{TRUST}/service/{name}")
        identity = self.authority.issue(x509.DNSName("localhost"), uri)
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        certificate.write_bytes(identity.certificate)
        key.write_bytes(identity.key)
        key.chmod(0o600)
        return certificate, key

    @contextlib.asynccontextmanager
    async def replica(self, name: str):
        """Another replica, registered with a stream of the ministry; yields its streams."""
        certificate, key = self.files("exchange")
        streams, port = ProviderStreams(5.0, 5.0), free_port()
        served = [servicer(ProviderStreamService(streams))]
        listener = peer_listener(f"127.0.0.1:{port}", served, TRUST, tls=Tls(certificate, key, self.roots))
        await listener.start()
        await self.register(name, f"localhost:{port}")
        try:
            yield streams
        finally:
            await listener.stop(0.0)

    async def register(self, name: str, address: str) -> None:
        rows = [StreamRow(f"stream of {name}", "ministry", RECORDS)]
        await self.store.write(query_store.hold_streams, name, address, rows, 60_000_000)

    async def ask(self, seconds: float = 5.0) -> pb.ServeAnswer:
        return await self.forwarding.ask(QUESTION, "ministry", asyncio.get_running_loop().time() + seconds)

    async def refused(self, seconds: float = 5.0) -> tuple[str, Code]:
        with pytest.raises(HubError) as caught:
            await self.ask(seconds)
        return caught.value.reason, caught.value.code


@pytest.fixture
async def opened(tmp_path, request):
    store = Store.unchecked(f"sqlite:///{tmp_path}/s.db", METADATA, clock=SystemClock())
    await store.create_schema()
    machines = Machines(tmp_path, store, getattr(request, "param", "exchange"))
    yield machines
    await machines.forwarding.close()
    await store.close()


async def answered(streams: ProviderStreams) -> list[pb.ServeResponse]:
    """Answers every question on a new stream; returns those that came."""
    stream = streams.open("ministry", RECORDS, 4)
    questions = []
    async for question in stream.questions():
        questions.append(question)
        streams.answered(stream, pb.ServeAnswer(call_id=question.call_id, result="OK", answer_json=b'{"a": 1.0}'))
    return questions


async def test_a_question_goes_to_the_machine_that_holds_the_stream(opened):
    """Question and answer arrive byte for byte, and the question has a deadline of its own there."""
    async with opened.replica("there") as streams:
        providing = asyncio.create_task(answered(streams))
        answer = await opened.ask()
        streams.drain()
        questions = await providing
    assert (answer.result, answer.answer_json) == ("OK", b'{"a": 1.0}')
    assert [each.SerializeToString() for each in questions] == [QUESTION.SerializeToString()]


@pytest.mark.parametrize("opened", ["esign"], indirect=True)
async def test_only_replicas_of_exchange_may_ask(opened):
    """A certificate of another process of the hub is turned away by the contract's policy."""
    async with opened.replica("there") as streams:
        assert await opened.refused() == ("PEER_KIND", Code.PERMISSION_DENIED)
        assert not streams.held()


async def test_a_machine_that_is_gone_is_passed_over(opened):
    """A replica that does not listen or does not answer is passed over. When none is left, the asker gets the error in
    time. An error of a replica reaches the asker unchanged.
    """
    assert await opened.refused() == ("PROVIDER_AWAY", Code.UNAVAILABLE)
    await opened.register("dead", f"localhost:{free_port()}")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        await opened.register("mute", f"localhost:{mute.getsockname()[1]}")
        assert await opened.refused() == ("PROVIDER_AWAY", Code.UNAVAILABLE)
        async with opened.replica("there") as streams:
            assert await opened.refused() == ("PROVIDER_AWAY", Code.UNAVAILABLE)
            providing = asyncio.create_task(answered(streams))
            assert (await opened.ask()).result == "OK"
            streams.drain()
            await providing
            for each in streams.held():
                streams.close(each)
            silent = streams.open("ministry", RECORDS, 4)
            assert await opened.refused(0.5) == ("PROVIDER_SLOW", Code.DEADLINE_EXCEEDED)
            silent.breaker.open(asyncio.get_running_loop().time())
            assert await opened.refused() == ("PROVIDER_STALLED", Code.UNAVAILABLE)


async def test_channels_to_replicas_of_before_are_closed(opened, monkeypatch):
    """Each start may have an address of its own; only the last ones keep a channel, and they still work."""
    monkeypatch.setattr(forwarding, "_MOST_CHANNELS", 1)
    async with opened.replica("one") as first, opened.replica("two") as second:
        providing = [asyncio.create_task(answered(each)) for each in (first, second)]
        for _ in range(6):
            assert (await opened.ask()).result == "OK"
        assert len(opened.forwarding._channels) == 1
        for each in (first, second):
            each.drain()
        assert sum(len(each) for each in await asyncio.gather(*providing)) == 6
