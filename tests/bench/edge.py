"""`edge.unary`: calls through the edge with mutual TLS, token and policy, against the service's Unix socket directly."""

import asyncio
import base64
import contextlib
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from gateway.envoy import control
from gateway.envoy.testing import TRUST_DOMAIN, EdgeWorld, Identity
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc

ROUNDS = 5
SECONDS = 2.0
CALLERS = 64


class Cases(case_pb2_grpc.CaseServiceServicer):
    """A service that does nothing but pass the kit's whole chain, policy check included."""

    async def GetCase(self, request: case_pb2.GetCaseRequest, context: Any) -> case_pb2.GetCaseResponse:
        return case_pb2.GetCaseResponse(case=case_pb2.Case(case_code=request.case_code))


async def serve(socket: str) -> None:
    """The service's process: the kit's server behind the socket that only the edge reaches."""
    from shuniu.kit.process import log
    from shuniu.kit.rpc import server

    log.configure("bench")

    cases = server.Servicer(
        case_pb2_grpc.add_CaseServiceServicer_to_server, Cases(), case_pb2.DESCRIPTOR.services_by_name["CaseService"]
    )
    listener = server.edge_listener(f"unix:{socket}", [cases], TRUST_DOMAIN, lambda _caller: None)
    await listener.start()
    print("serving", flush=True)
    # Ends with whoever started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await listener.stop(0.0)


@contextlib.asynccontextmanager
async def service(socket: Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.edge", str(socket)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # One log line a call, as in production, but nobody reads it.
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()
    try:
        yield
    finally:
        process.stdin.close()
        await process.wait()


async def calls_per_second(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> float:
    """Answered calls in a second of `CALLERS` callers on one channel, each calling again as soon as it was answered."""
    stub = case_pb2_grpc.CaseServiceStub(channel)
    request = case_pb2.GetCaseRequest(case_code="1500002026000000001")
    answered = 0
    began = time.perf_counter()
    until = began + SECONDS

    async def caller() -> None:
        nonlocal answered
        while time.perf_counter() < until:
            await stub.GetCase(request, metadata=metadata, timeout=10)
            answered += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return answered / (time.perf_counter() - began)


def directly(identity: Identity, token: str) -> tuple[tuple[str, str], ...]:
    """What the edge would have told the service of the same caller."""
    claims = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))
    uri = f"spiffe://{TRUST_DOMAIN}/platform/bench"
    return (("x-forwarded-client-cert", f"Hash={identity.sha256};URI={uri}"), ("x-shuniu-claims", claims))


async def run() -> list[dict[str, Any]]:
    """Five interleaved rounds of each, median."""
    root = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    world = EdgeWorld(root)
    identity = world.platforms.platform("bench")
    token = world.signer.token("bench", identity)
    settings = world.settings(rate_read=1_000_000)
    credentials = grpc.ssl_channel_credentials(world.server_authority.certificate, identity.key, identity.certificate)
    socket = world.run / "exchange.edge.sock"
    through: list[float] = []
    direct: list[float] = []
    async with world.web(), service(socket), control.running(settings) as edge:
        target = f"127.0.0.1:{edge.port('platforms')}"
        straight = [("grpc.default_authority", "localhost")]
        async with (
            grpc.aio.secure_channel(target, credentials) as by_edge,
            grpc.aio.insecure_channel(f"unix:{socket}", options=straight) as by_socket,
        ):
            bearer = (("authorization", f"Bearer {token}"),)
            told = directly(identity, token)
            for _ in range(ROUNDS):
                through.append(await calls_per_second(by_edge, bearer))
                direct.append(await calls_per_second(by_socket, told))
    shutil.rmtree(root)
    value, against = statistics.median(through), statistics.median(direct)
    return [
        {
            "name": "edge.unary",
            "value": round(value),
            "unit": "calls/s",
            "against": round(against),
            "ratio": round(value / against, 2),
        }
    ]


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
