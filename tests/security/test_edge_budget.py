"""What a stranger can hold of the edge's memory: computed from the rendered configuration, and attacked on a real Envoy."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.envoy import contract, control, render
from gateway.envoy.settings import Edge, EdgeSettings
from gateway.envoy.testing import EdgeWorld
from shuniu.kit.process.config import HubSettings
from shuniu.kit.testing.clock import eventually

pytestmark = pytest.mark.asyncio
MIB = 1024 * 1024
# The smallest that the settings take: one sender has room for one document in JSON.
BUDGET = 96 * MIB
# An idle Envoy with its configuration, a connection with TLS, copies of a body (its JSON and its message): measured 10 MiB,
# 13 KiB and 1.8, with room. Of a connection's buffers 64 KiB are counted with its requests.
IDLE, CONNECTION, COPIES, BUFFERS = 64 * MIB, 48 * 1024, 2, 64 * 1024


class Attack:
    """Requests whose bodies never end, each from an address of its choice."""

    def __init__(self, port: int, context: ssl.SSLContext, *headers: str) -> None:
        self._port, self._context = port, context
        self._headers = "\r\n".join(headers or ["content-type: application/json"])
        self._writers: list[asyncio.StreamWriter] = []

    async def begin(
        self, sender: str, path: str, announced: int | None, body: bytes = b"", method: str = "POST"
    ) -> asyncio.StreamReader:
        """Sends a request's head and the first part of its body."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._context, server_hostname="localhost", local_addr=(sender, 0)
        )
        self._writers.append(writer)
        length = "transfer-encoding: chunked" if announced is None else f"content-length: {announced}"
        head = f"{method} {path} HTTP/1.1\r\nhost: h\r\n{self._headers}\r\n{length}\r\n\r\n"
        part = body if announced is not None else b"%x\r\n%s\r\n" % (len(body), body)
        writer.write(head.encode() + part)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return reader

    def leave(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


async def status(reader: asyncio.StreamReader, seconds: float = 0.5) -> int | None:
    """The answer's status; None while the edge goes on reading."""
    try:
        line = await asyncio.wait_for(reader.readline(), seconds)
    except TimeoutError:
        return None
    except ConnectionError:
        return 0
    return int(line.split()[1]) if line else 0


async def statuses(readers: list[asyncio.StreamReader]) -> list[int | None]:
    return list(await asyncio.gather(*(status(reader) for reader in readers)))


async def allocated(tmp_path: Path) -> int:
    """Bytes that Envoy holds now; its own statistics of that are seconds old."""
    transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "w" / "run" / "edge.admin.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as admin:
        return int((await admin.get("/memory")).json()["allocated"])


@contextlib.asynccontextmanager
async def attacked(tmp_path: Path, **changed: Any) -> AsyncIterator[tuple[Attack, control.RunningEdge, ssl.SSLContext]]:
    world = EdgeWorld(tmp_path / "w")
    context = ssl.create_default_context(cadata=world.server_authority.certificate.decode())
    settings = world.settings(**{"people_body_bytes": BUDGET, "platforms_body_bytes": BUDGET, **changed})
    async with world.web(), control.running(settings) as edge:
        attack = Attack(edge.port("people"), context)
        try:
            yield attack, edge, context
        finally:
            attack.leave()


@contextlib.asynccontextmanager
async def attacked_by_platform(tmp_path: Path, **changed: Any) -> AsyncIterator[tuple[Attack, control.RunningEdge]]:
    """The platforms' listener, and calls by gRPC of one platform."""
    world = EdgeWorld(tmp_path / "w")
    identity, pem = world.platforms.platform("bureau"), tmp_path / "bureau.pem"
    pem.write_bytes(identity.certificate + identity.key)
    context = ssl.create_default_context(cadata=world.server_authority.certificate.decode())
    context.load_cert_chain(pem)
    async with world.web(), control.running(world.settings(**changed)) as edge:
        token = world.signer.token("bureau", identity)
        attack = Attack(
            edge.port("platforms"), context, "content-type: application/grpc", f"authorization: Bearer {token}"
        )
        try:
            yield attack, edge
        finally:
            attack.leave()


def _budgets(bootstrap: str) -> list[int]:
    return [int(found) for found in re.findall(r"local BUDGET = (\d+)", bootstrap)]


async def test_the_worst_case_fits_the_memory() -> None:
    """All bodies that may be under way, and all connections, fit under the point where the heap guard begins to shed; every
    route but of streams gathers a bounded body and ends.
    """
    hub = HubSettings("150000", "h", "hub.test.example", "https://hub.test.example", Path("/d"), Path("/r"))
    text = render.render(Edge(hub, EdgeSettings()), contract.shipped(), frozenset())[render.BOOTSTRAP].decode()
    bootstrap = yaml.safe_load(text)
    overload = bootstrap["overload_manager"]
    heap, connections = (monitor["typed_config"] for monitor in overload["resource_monitors"])
    triggers = {action["name"].rpartition(".")[2]: action["triggers"][0] for action in overload["actions"]}
    sheds = triggers["reset_high_memory_stream"]["scaled"]["scaling_threshold"] * heap["max_heap_size_bytes"]
    bodies = sum(_budgets(text)) * COPIES
    assert len(_budgets(text)) == 2
    most = connections["max_active_downstream_connections"]
    limit = "envoy.resource_limits.listener.platforms.connection_limit"
    of_platforms = bootstrap["layered_runtime"]["layers"][0]["static_layer"][limit]
    people, platforms = (
        each["per_connection_buffer_limit_bytes"] for each in bootstrap["static_resources"]["listeners"][:2]
    )
    assert people <= BUFFERS
    assert IDLE + bodies + CONNECTION * most + (platforms - BUFFERS) * of_platforms < sheds
    assert triggers["stop_accepting_requests"]["threshold"]["value"] < 1
    for listener in bootstrap["static_resources"]["listeners"][:2]:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        names = [found["name"] for found in manager["http_filters"]]
        # Nothing that gathers a body comes before the budget.
        assert names.index("budget") < min(names.index("transcoder"), names.index("size"))
        largest = 0
        for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
            size = route["typed_per_filter_config"]["size"]
            most = size["buffer"]["max_request_bytes"] if "buffer" in size else 0
            assert route["metadata"]["filter_metadata"]["budget"]["bytes"] == most
            assert (route["route"]["max_stream_duration"]["max_stream_duration"] == "0s") == (most == 0)
            largest = max(largest, most)
        # One sender alone may send the largest document; two thirds are left to others then.
        assert 3 * (largest + render.REQUEST_BYTES) <= min(_budgets(text))


async def test_slow_uploads_of_one_sender_leave_room_for_others(tmp_path: Path) -> None:
    """Forty slow uploads of one address, to any path, hold no more than its share; neighbours and strangers get in."""
    async with attacked(tmp_path) as (attack, _, _):
        uploads = [await attack.begin("127.0.0.2", "/verify/upload", 10 * MIB, b"x" * MIB) for _ in range(40)]
        found = await statuses(uploads)
        assert found.count(None) == 3
        # A refused sender that goes on sending may lose the connection before it reads the answer.
        assert found.count(429) + found.count(0) == 37
        assert await status(await attack.begin("127.0.0.3", "/verify/upload", 10 * MIB, b"x")) is None
        assert await status(await attack.begin("127.0.9.9", "/verify/upload", 15 * MIB, b"x")) is None
        assert await status(await attack.begin("127.0.0.9", "/verify", 0, method="GET"), 5) == 200
        assert await allocated(tmp_path) < IDLE + 3 * 10 * MIB


async def test_a_rented_block_is_one_neighbourhood(tmp_path: Path) -> None:
    """The 250 addresses of a /24 together leave as much free as they hold."""
    async with attacked(tmp_path) as (attack, _, _):
        uploads = [await attack.begin(f"127.0.0.{n}", "/verify/upload", 5 * MIB, b"x") for n in range(2, 42)]
        assert (await statuses(uploads)).count(None) * 5 * MIB <= BUDGET // 2
        strangers = [await attack.begin("127.1.0.2", "/verify/upload", 10 * MIB, b"x") for _ in range(2)]
        assert None in await statuses(strangers)


@pytest.mark.parametrize(
    ("path", "announced", "most"),
    [
        ("/sign-in", 20 * MIB, 64 * 1024),
        ("/nowhere", 20 * MIB, 64 * 1024),
        ("/verify/upload", None, 21 * MIB),
        ("/v1/verification:document", None, 30 * MIB),
    ],
)
async def test_what_is_not_announced_is_counted_at_its_most(
    tmp_path: Path, path: str, announced: int | None, most: int
) -> None:
    """A body of unknown size holds the most that its path takes; a page's form 64 KiB, whatever it announces."""
    async with attacked(tmp_path) as (attack, _, _):
        share = BUDGET // 3 // (most + render.REQUEST_BYTES)
        opened = [await attack.begin("127.0.0.2", path, announced, b"x") for _ in range(min(share + 3, 40))]
        assert (await statuses(opened)).count(None) == min(share, 40)


async def test_a_page_takes_64_kib(tmp_path: Path) -> None:
    """More is refused when so much has arrived."""
    async with attacked(tmp_path) as (attack, edge, _):
        found = await statuses([await attack.begin("127.0.0.2", "/sign-in", 8 * MIB, b"x" * 300_000) for _ in range(8)])
        assert set(found) <= {413, 0}
        assert await edge.envoy.counter("http.people.downstream_rq_4xx") == 8


async def test_a_slow_body_ends_in_time_and_gives_its_room_back(tmp_path: Path) -> None:
    """After `body_seconds` an upload is over, with 408, and its sender has room again; so it is after its answer."""
    async with attacked(tmp_path, body_seconds=1) as (attack, _, context):
        slow = [await attack.begin("127.0.0.2", "/verify/upload", 20 * MIB, b"x") for _ in range(2)]
        assert sorted([await status(reader, 5) or 0 for reader in slow]) == [408, 429]
        base = f"https://127.0.0.1:{attack._port}"
        async with httpx.AsyncClient(verify=context, base_url=base, trust_env=False) as client:
            for _ in range(4):
                answer = await client.post("/verify/upload", content=b"x" * 20 * MIB)
                assert answer.json()["bytes"] == 20 * MIB


async def test_room_of_those_who_left_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody tells the edge's script of a client that left; its room is free once no request can last longer."""
    monkeypatch.setattr(render, "_CALL_SECONDS", {"read": 1, "write": 1, "heavy": 1, "stream": 1})
    async with attacked(tmp_path, body_seconds=1) as (attack, _, _):
        assert await status(await attack.begin("127.0.0.2", "/verify/upload", 20 * MIB, b"x")) is None
        attack.leave()
        assert await status(await attack.begin("127.0.0.2", "/verify/upload", 20 * MIB, b"x")) == 429

        async def free() -> bool:
            return await status(await attack.begin("127.0.0.2", "/verify/upload", 20 * MIB, b"x"), 0.2) is None

        await eventually(free, within=15)


async def test_heap_guard_sheds_and_recovers(tmp_path: Path) -> None:
    """With the memory used up the largest requests end and new ones hear 503; metrics go on, and afterwards all does."""
    async with attacked(tmp_path, people_body_bytes=4096 * MIB, max_heap_bytes=96 * MIB) as (attack, edge, _):
        for n in range(24):
            await attack.begin(f"127.0.{n}.2", "/verify/upload", 20 * MIB, b"x" * 12 * MIB)
        assert await allocated(tmp_path) < 160 * MIB
        ended = await edge.envoy.counter("overload.envoy.overload_actions.reset_high_memory_stream.count")
        refused = await edge.envoy.counter("http.people.downstream_rq_overload_close")
        assert ended + refused > 0
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{edge.port('ops')}/metrics", timeout=5)).status_code == 200
        attack.leave()

        async def serves() -> bool:
            with contextlib.suppress(ConnectionError):
                return await status(await attack.begin("127.9.0.1", "/verify", 0, method="GET"), 2) == 200
            return False

        await eventually(serves, within=15)


async def test_a_platform_has_twenty_bodies_that_have_not_arrived(tmp_path: Path) -> None:
    """A call by gRPC announces no size, so it holds the most until its body is there: twenty at a time, as documented."""
    async with attacked_by_platform(tmp_path) as (attack, _):
        path = "/shuniu.api.catalogue.v1.ItemEditService/CreateItem"
        opened = [await attack.begin("127.0.0.2", path, None, b"x") for _ in range(24)]
        found = await statuses(opened)
        # By gRPC a refusal has the status 200 of HTTP.
        assert (found.count(None), found.count(200)) == (20, 4)


async def test_connections_of_platforms_are_bounded_apart(tmp_path: Path) -> None:
    """Their buffers are larger, so there are fewer of them; connections of people are others."""
    async with attacked_by_platform(tmp_path, max_platform_connections=2) as (attack, edge):
        path = "/oauth2/jwks"
        assert [await status(await attack.begin("127.0.0.2", path, 0, method="GET"), 5) for _ in range(2)] == [200, 200]
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await attack.begin("127.0.0.2", path, 0, method="GET")
        assert await edge.envoy.counter("listener.*downstream_cx_overflow") == 1
        attack.leave()

        async def serves() -> bool:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                return await status(await attack.begin("127.0.0.2", path, 0, method="GET"), 5) == 200
            return False

        await eventually(serves, within=15)
