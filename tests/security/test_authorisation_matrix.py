"""Every RPC × every kind of caller, against the real guard: allowed exactly when the contract's policy says so.

The expected table is worked out here from the raw options, not by the code under test. Whose resources a caller may
touch is the services' own rule and is tested with them.
"""

import asyncio
import base64
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from shuniu.api.common.v1 import policy_pb2
from shuniu.kit.rpc.client import error_of
from shuniu.kit.rpc.server import Servicer, edge_listener, peer_listener
from shuniu.kit.rpc.sockets import peer_address
from tests.support.contract import Rpc, rpcs

TRUST = "hub.test"
FINGERPRINT = "ab" * 32
BINDING = base64.urlsafe_b64encode(bytes.fromhex(FINGERPRINT)).rstrip(b"=").decode()
ALL_SCOPES = frozenset(scope for rpc in rpcs() for scope in rpc.policy.scopes)


@dataclass(frozen=True)
class Asking:
    """A caller as the test means it: what it is and holds."""

    name: str
    kind: int
    scopes: frozenset[str] = frozenset()
    ial: int = 0
    peer: bool = False
    certificate: bool = True

    def metadata(self) -> list[tuple[str, str]]:
        """Headers as Envoy sets them for such a caller."""
        path = "operator" if self.kind == policy_pb2.CALLER_KIND_OPERATOR else "platform"
        found = []
        if self.certificate:
            found.append(("x-forwarded-client-cert", f"Hash={FINGERPRINT};URI=spiffe://{TRUST}/{path}/caller"))
        if self.kind != policy_pb2.CALLER_KIND_ANONYMOUS:
            found.append(("x-shuniu-claims", self.claims()))
        return found

    def claims(self) -> str:
        kinds = {
            policy_pb2.CALLER_KIND_PLATFORM: "platform",
            policy_pb2.CALLER_KIND_PERSON: "person",
            policy_pb2.CALLER_KIND_OPERATOR: "operator",
        }
        payload = {
            "kind": kinds[self.kind],
            "client_id": "caller",
            "sub": "somebody",
            "scope": " ".join(sorted(self.scopes)),
            "ial": self.ial,
            "cnf": {"x5t#S256": BINDING},
        }
        return base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()


PERSON = Asking("person", policy_pb2.CALLER_KIND_PERSON)
ONE_SCOPE_SHORT = [
    Asking(f"platform without {scope}", policy_pb2.CALLER_KIND_PLATFORM, ALL_SCOPES - {scope})
    for scope in sorted(ALL_SCOPES)
]
ONLY_ONE_SCOPE = [
    Asking(f"operator with {scope} only", policy_pb2.CALLER_KIND_OPERATOR, frozenset({scope}))
    for scope in sorted(ALL_SCOPES)
    if scope.startswith("admin.")
]
CALLERS = [
    Asking("nobody", policy_pb2.CALLER_KIND_ANONYMOUS, certificate=False),
    Asking("certificate without token", policy_pb2.CALLER_KIND_ANONYMOUS),
    Asking("platform with all scopes", policy_pb2.CALLER_KIND_PLATFORM, ALL_SCOPES),
    Asking("platform without scopes", policy_pb2.CALLER_KIND_PLATFORM),
    *ONE_SCOPE_SHORT,
    *(replace(PERSON, name=f"person at L{ial}", scopes=ALL_SCOPES, ial=ial) for ial in range(5)),
    replace(PERSON, name="person at L4 without scopes", ial=4),
    Asking("operator with all scopes", policy_pb2.CALLER_KIND_OPERATOR, ALL_SCOPES),
    *ONLY_ONE_SCOPE,
    Asking("operator without scopes", policy_pb2.CALLER_KIND_OPERATOR),
    *(
        Asking(name, policy_pb2.CALLER_KIND_SERVICE, peer=True)
        for name in sorted({name for rpc in rpcs() for name in rpc.policy.services})
    ),
]


def expected(rpc: Rpc, caller: Asking) -> str:
    """OK, or the reason of the refusal, worked out from the raw options of the RPC."""
    policy = rpc.policy
    allowed = set(policy.callers)
    if policy_pb2.CALLER_KIND_ANONYMOUS in allowed:
        return "OK"
    if caller.kind not in allowed:
        return "TOKEN_REQUIRED" if caller.kind == policy_pb2.CALLER_KIND_ANONYMOUS else "CALLER_KIND"
    if caller.kind == policy_pb2.CALLER_KIND_SERVICE:
        return "OK" if caller.name in policy.services else "PEER_KIND"
    if not set(policy.scopes) <= caller.scopes:
        return "SCOPE_MISSING"
    if caller.kind == policy_pb2.CALLER_KIND_PERSON and caller.ial < policy.min_ial:
        return "ASSURANCE_TOO_LOW"
    return "OK"


class EmptyAnswers:
    """Answers every RPC of a service with an empty message; so a call that arrives was let in."""

    def __init__(self) -> None:
        self.arrived: list[str] = []

    def add_to(self, rpc_names: list[Rpc], server: grpc.aio.Server) -> None:
        service = rpc_names[0].method.containing_service.full_name
        handlers = {rpc.method.name: self._handler(rpc) for rpc in rpc_names}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    def _handler(self, rpc: Rpc) -> grpc.RpcMethodHandler:
        async def answer(request: object, context: object) -> object:
            self.arrived.append(rpc.path)
            return rpc.response()

        async def stream(requests: object, context: object) -> AsyncIterator[object]:
            self.arrived.append(rpc.path)
            yield rpc.response()

        read, write = rpc.request.FromString, rpc.response.SerializeToString
        if rpc.method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(stream, read, write)
        if rpc.method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, read, write)
        return grpc.unary_unary_rpc_method_handler(answer, read, write)


@dataclass
class Hub:
    """Both listeners of a process that serves the whole contract; a channel of the edge, and one of each process."""

    edge: grpc.aio.Channel
    peers: dict[str, grpc.aio.Channel]
    answers: EmptyAnswers

    async def outcome(self, rpc: Rpc, caller: Asking) -> str:
        """OK, or the reason why the call was refused."""
        channel = self.peers[caller.name] if caller.peer else self.edge
        metadata = caller.metadata() if not caller.peer else []
        write, read = rpc.request.SerializeToString, rpc.response.FromString
        arrived = len(self.answers.arrived)
        try:
            if rpc.method.client_streaming:
                stream = channel.stream_stream(rpc.path, write, read)(metadata=metadata, timeout=10)
                await stream.done_writing()
                [_ async for _ in stream]
            elif rpc.method.server_streaming:
                [_ async for _ in channel.unary_stream(rpc.path, write, read)(rpc.request(), metadata=metadata)]
            else:
                await channel.unary_unary(rpc.path, write, read)(rpc.request(), metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as failure:
            assert len(self.answers.arrived) == arrived, "refused after it had arrived"
            return error_of(failure).reason
        assert self.answers.arrived[arrived:] == [rpc.path]
        return "OK"


@pytest.fixture
def run_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest_asyncio.fixture
async def hub(run_dir: Path) -> AsyncIterator[Hub]:
    answers = EmptyAnswers()
    by_service: dict[str, list[Rpc]] = {}
    for rpc in rpcs():
        by_service.setdefault(rpc.method.containing_service.full_name, []).append(rpc)
    servicers = [
        Servicer(
            lambda _servicer, server, names=names: answers.add_to(names, server),
            None,
            names[0].method.containing_service,
        )
        for names in by_service.values()
    ]
    edge = edge_listener(f"unix:{run_dir}/edge.sock", servicers, TRUST, lambda _caller: None)
    peer = peer_listener(f"unix:{run_dir}/peer.sock", servicers, TRUST)
    for listener in (edge, peer):
        await listener.start()
    options = [("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1)]
    async with contextlib.AsyncExitStack() as stack:

        async def connected(address: str) -> grpc.aio.Channel:
            return await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options))

        peers = {
            caller.name: await connected(peer_address(peer.address, caller.name)) for caller in CALLERS if caller.peer
        }
        yield Hub(await connected(edge.address), peers, answers)
    await asyncio.gather(edge.stop(0), peer.stop(0))


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
async def test_matrix(hub: Hub, caller: Asking) -> None:
    """This kind of caller gets into exactly those RPCs that the contract opens to it, and hears why of the others."""
    found = {rpc.name: await hub.outcome(rpc, caller) for rpc in rpcs()}
    assert found == {rpc.name: expected(rpc, caller) for rpc in rpcs()}


def test_matrix_tells_callers_apart() -> None:
    """The table is worth testing: every kind is let in somewhere and refused somewhere, for each reason there is."""
    outcomes = {caller.name: {expected(rpc, caller) for rpc in rpcs()} for caller in CALLERS}
    assert all("OK" in found and len(found) > 1 for found in outcomes.values())
    assert set().union(*outcomes.values()) == {
        "OK",
        "TOKEN_REQUIRED",
        "CALLER_KIND",
        "PEER_KIND",
        "SCOPE_MISSING",
        "ASSURANCE_TOO_LOW",
    }


@pytest.mark.parametrize("rpc", [rpc for rpc in rpcs() if rpc.internal], ids=lambda rpc: rpc.name)
async def test_internal_calls_do_not_pass_the_edge_socket(hub: Hub, rpc: Rpc) -> None:
    """A header that names a service proves nothing on the socket behind the edge."""
    forger = replace(CALLERS[2], scopes=ALL_SCOPES)
    metadata = [*forger.metadata(), ("x-shuniu-service", "identity")]
    call = hub.edge.unary_unary(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(rpc.request(), metadata=metadata, timeout=10)
    assert error_of(refused.value).reason == "CALLER_KIND"
    assert hub.answers.arrived == []
