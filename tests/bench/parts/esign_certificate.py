"""`esign.certificate`: documents issued by the real service through gRPC, a second of its time on the processor.

Counted is what the kernel charges the service's process for, all threads, user and system: one IssueCertificate for
each document, CONCURRENCY of them under way (and CROWD of them in a row of its own). Identity, exchange and the agency
are in this process and not counted: identity and exchange are small servicers of the same contract. No bus: events
wait in the outbox, as they do when it is away. The split by step is wall time at CONCURRENCY, waiting for neighbours,
disk and ledger window included.

Names are of common characters, as people's are: one that the process has not yet written costs 0.13 ms more, once.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
import re
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import structlog

from services.esign import commands
from services.identity.bus import admin as bus_admin
from shuniu.api.common.v1 import envelope_pb2, registry_pb2, registry_pb2_grpc
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc
from shuniu.kit.crypto import sealing
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc import client
from shuniu.kit.rpc.server import Servicer, peer_listener
from shuniu.kit.store.migrations import migrate
from tests.support.bus_land import KEYS

ROUNDS = 5
DOCUMENTS = 256
CONCURRENCY = 64
CROWD = 256
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉玲华红建国志海燕春梅雪峰云飞鹏浩宇轩子涵欣怡佳琪雨泽"
    "晨曦博思远梓萱诗嘉怀瑾俊熙紫若瑞祥永福安康宁德才巴特尔乌兰托娅其木格那仁苏日娜额尔敦图雅布和吉达阿"
)
TRUST = "hub.bench"
AGENCY = "bureau"
OPERATOR = "root"
_STEP = re.compile(r'shuniu_esign_issue_seconds_(sum|count)\{step="(\w+)"\} (\S+)')


class Identity(registry_pb2_grpc.RegistryFeedServiceServicer, person_pb2_grpc.PersonServiceServicer):
    """One platform; everybody has a name and a number."""

    async def PullRegistry(self, request: Any, context: Any) -> registry_pb2.PullRegistryResponse:
        if request.after_version >= 1:
            await asyncio.sleep(request.wait_seconds)
            return registry_pb2.PullRegistryResponse(version=1, epoch=1)
        entry = registry_pb2.PlatformEntry(
            code=AGENCY,
            name=AGENCY,
            state="ACTIVE",
            division="150100",
            zone="government-extranet",
            secrecy="sensitive",
            jwks=json.dumps({"keys": [sealing.new_key("bureau-1").as_dict(private=False)]}),
            version=1,
        )
        return registry_pb2.PullRegistryResponse(platforms=[entry], version=1, epoch=1)

    async def SealPerson(self, request: Any, context: Any) -> person_pb2.SealPersonResponse:
        return self._sealed(request)

    async def BatchSealPerson(self, request: Any, context: Any) -> person_pb2.BatchSealPersonResponse:
        return person_pb2.BatchSealPersonResponse(responses=[self._sealed(one) for one in request.requests])

    def _sealed(self, request: person_pb2.SealPersonRequest) -> person_pb2.SealPersonResponse:
        public = json.loads(request.receiver_jwk)
        number = int(request.person_id)
        person = {
            "full_name": f"王{GIVEN[number % len(GIVEN)]}{GIVEN[number // len(GIVEN) % len(GIVEN)]}",
            "document_type": "111",
            "document_number": f"15010219900101{number:04d}",
        }
        sealed = sealing.seal(public, {name: person.get(name, "") for name in request.fields})
        return person_pb2.SealPersonResponse(
            sealed=envelope_pb2.SealedData(jwe=sealed, receiver="esign", kid=public["kid"])
        )


class Exchange(case_pb2_grpc.CaseRegistryServiceServicer):
    """Every case is granted; its code ends with its person."""

    async def GetCaseParties(self, request: Any, context: Any) -> case_pb2.GetCasePartiesResponse:
        return self._parties(request.case_code)

    async def BatchGetCaseParties(self, request: Any, context: Any) -> case_pb2.BatchGetCasePartiesResponse:
        return case_pb2.BatchGetCasePartiesResponse(parties=[self._parties(code) for code in request.case_codes])

    def _parties(self, case_code: str) -> case_pb2.GetCasePartiesResponse:
        return case_pb2.GetCasePartiesResponse(
            person_id=case_code.rpartition("-")[2],
            handler_platform=AGENCY,
            source_platform="app",
            item_title="无犯罪记录证明",
            division="150100",
            state=case_pb2.CASE_STATE_GRANTED,
            result_template="no_criminal_record",
        )


def caller(kind: str, code: str, scope: str) -> tuple[tuple[str, str], ...]:
    """What the edge would say of one certificate and token."""
    digest = hashlib.sha256(code.encode()).digest()
    claims = {
        "kind": kind,
        "client_id": code,
        "scope": scope,
        "sub": code,
        "ial": 3,
        "aal": 3,
        "cnf": {"x5t#S256": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()},
    }
    return (
        ("x-forwarded-client-cert", f"Hash={digest.hex()};URI=spiffe://{TRUST}/{kind}/{code}"),
        ("x-shuniu-claims", base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()),
    )


@contextlib.asynccontextmanager
async def peers(run: Path) -> AsyncIterator[None]:
    identity = Identity()
    registry = registry_pb2.DESCRIPTOR.services_by_name["RegistryFeedService"]
    person = person_pb2.DESCRIPTOR.services_by_name["PersonService"]
    cases = case_pb2.DESCRIPTOR.services_by_name["CaseRegistryService"]
    groups = {
        "identity": [
            Servicer(registry_pb2_grpc.add_RegistryFeedServiceServicer_to_server, identity, registry),
            Servicer(person_pb2_grpc.add_PersonServiceServicer_to_server, identity, person),
        ],
        "exchange": [Servicer(case_pb2_grpc.add_CaseRegistryServiceServicer_to_server, Exchange(), cases)],
    }
    listeners = [peer_listener(f"unix:{run}/{name}.peer.sock", group, TRUST) for name, group in groups.items()]
    for listener in listeners:
        await listener.start()
    try:
        yield
    finally:
        await asyncio.gather(*(listener.stop(0) for listener in listeners))


@contextlib.asynccontextmanager
async def service(directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    for name in ("run", "db", "keys", "pki"):
        (directory / name).mkdir(mode=0o700)
    config = directory / "hub.toml"
    config.write_text(
        f'[hub]\ncode = "150000"\nname = "bench"\ntrust_domain = "{TRUST}"\nissuer = "https://hub.bench"\n'
        f'data_dir = "{directory}"\nrun_dir = "{directory}/run"\n\n'
        '[esign]\nbus_url = "nats://127.0.0.1:9"\nses_sidecar = false\n'
    )
    commands.initialise(config)
    creds = directory / "keys" / "bus-esign.creds"
    creds.touch(mode=0o600)
    creds.write_text(bus_admin.service_credentials(KEYS, "esign", now_s=SystemClock().now_us() // 1_000_000))
    await migrate(f"sqlite:///{directory}/db/esign.db", "services.esign", SystemClock())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.esign", "--config", str(config)),
        # One log line a call, as in production, but nobody reads it.
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def make_seal(channel: grpc.aio.Channel, agency: Any) -> None:
    seals = esign_pb2_grpc.SealServiceStub(channel)
    apply = esign_pb2.ApplySealRequest(request_id=uuid.uuid4().hex, name="呼和浩特市公安局")
    # The registry arrives a moment after the service answers.
    for _ in range(100):
        try:
            made = (await seals.ApplySeal(apply, metadata=agency, timeout=10)).seal
            break
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)
    else:
        raise RuntimeError("the service does not know its platform")
    approve = esign_pb2.ApproveSealRequest(request_id=uuid.uuid4().hex, id=made.id)
    await seals.ApproveSeal(approve, metadata=caller("operator", OPERATOR, "admin.security"), timeout=60)


def steps(ops: str) -> dict[str, tuple[float, float]]:
    with urlopen(f"http://{ops}/metrics", timeout=10) as answer:
        found = _STEP.findall(answer.read().decode())
    sums = {step: float(value) for kind, step, value in found if kind == "sum"}
    counts = {step: float(value) for kind, step, value in found if kind == "count"}
    return {step: (sums[step], counts[step]) for step in sums}


async def run() -> list[dict[str, Any]]:
    # The stand-ins live in this process; their log lines belong to nobody.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as work:
        directory = Path(work)
        async with contextlib.AsyncExitStack() as stack:
            process = await stack.enter_async_context(service(directory))
            await stack.enter_async_context(peers(directory / "run"))
            channel = client.socket_channel(f"unix:{directory}/run/esign.edge.sock")
            stack.push_async_callback(channel.close)
            agency = caller("platform", AGENCY, "seal.use")
            async with asyncio.timeout(60):
                await channel.channel_ready()
            await make_seal(channel, agency)
            stub = esign_pb2_grpc.CertificateServiceStub(channel)

            async def issue(number: int) -> None:
                request = esign_pb2.IssueCertificateRequest(
                    request_id=uuid.uuid4().hex,
                    case_code=f"B{number:06d}-{number}",
                    facts={"from": "2006年1月1日", "to": "2026年5月31日"},
                )
                await stub.IssueCertificate(request, metadata=agency, timeout=60)

            async def batch(first: int, count: int, callers: int = CONCURRENCY) -> None:
                waiting = iter(range(first, first + count))

                async def work_off() -> None:
                    for number in waiting:
                        await issue(number)

                await asyncio.gather(*(work_off() for _ in range(callers)))

            # The process reads characters, statements and templates for the first time.
            await batch(1, DOCUMENTS)
            ops = (directory / "run" / "esign.ops").read_text("ascii").strip()
            before = await asyncio.to_thread(steps, ops)
            cores, walls = [], []
            for turn in range(ROUNDS):
                used, began = processor_seconds(process.pid), time.perf_counter()
                await batch((turn + 2) * DOCUMENTS, DOCUMENTS)
                walls.append(DOCUMENTS / (time.perf_counter() - began))
                cores.append(DOCUMENTS / (processor_seconds(process.pid) - used))
            after = await asyncio.to_thread(steps, ops)
            crowded = []
            for turn in range(ROUNDS):
                used = processor_seconds(process.pid)
                await batch((ROUNDS + turn + 2) * DOCUMENTS, DOCUMENTS, CROWD)
                crowded.append(DOCUMENTS / (processor_seconds(process.pid) - used))
    rows = [
        {"name": "esign.certificate", "value": statistics.median(cores), "unit": "documents/s/core"},
        {"name": f"esign.certificate.crowd{CROWD}", "value": statistics.median(crowded), "unit": "documents/s/core"},
        {"name": "esign.certificate.wall", "value": statistics.median(walls), "unit": "documents/s"},
    ]
    for step, (total, count) in after.items():
        earlier = before.get(step, (0.0, 0.0))
        mean = (total - earlier[0]) / max(count - earlier[1], 1)
        rows.append({"name": f"esign.certificate.{step}", "value": mean * 1000, "unit": "ms"})
    return rows
