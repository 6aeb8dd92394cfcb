"""`shuniu platform enrol|list|suspend|resume|test`: platforms of the hub, through its public API as an operator."""

import argparse
import asyncio
import json
import os
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import nats
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.json_format import MessageToDict

from shuniu.api.identity.v1 import platform_pb2 as pb
from shuniu.api.identity.v1 import platform_pb2_grpc as rpc
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.cli.syntax.platform import ROLE_SCOPES
from shuniu.kit.crypto import pem_files, sealing
from shuniu.kit.errors import Code, HubError
from shuniu.kit.rpc.client import error_of

T = TypeVar("T")


class Edge:
    """The hub's public API as one enrolled client (operator or platform)."""

    def __init__(self, place: Place, name: str, directory: Path) -> None:
        self.edge = place.edge()
        self.name = name
        self.directory = directory
        self.trust = pem_files.certificates_pem(place.trust)
        certificate = pem_files.certificates_pem(directory / "cert.pem")
        key = pem_files.key_pem(directory / "key.pem")
        self.channel = grpc.aio.secure_channel(
            self.edge.platforms, grpc.ssl_channel_credentials(self.trust, key, certificate)
        )
        self.tls = ssl.create_default_context(cadata=self.trust.decode())
        self.tls.load_cert_chain(directory / "cert.pem", directory / "key.pem")
        self._token = ""

    async def token(self) -> str:
        if not self._token:
            async with httpx.AsyncClient(verify=self.tls, timeout=10) as client:
                try:
                    answer = await client.post(
                        f"https://{self.edge.platforms}/oauth2/token",
                        data={"grant_type": "client_credentials", "client_id": self.name},
                    )
                except httpx.TransportError as error:
                    raise _edge_away(type(error).__name__) from None
            refused = _refusal(answer)
            if refused is not None:
                raise refused
            if answer.status_code != 200:
                raise HubError(
                    Code.UNAUTHENTICATED,
                    "TOKEN_REFUSED",
                    f"The hub gave no token ({answer.status_code}): {answer.text[:200]}",
                    f"枢纽拒绝发放令牌（{answer.status_code}）。",
                )
            self._token = str(answer.json()["access_token"])
        return self._token

    async def call(self, method: Callable[..., Awaitable[T]], request: Any) -> T:
        try:
            return await method(request, metadata=(("authorization", f"Bearer {await self.token()}"),), timeout=30)
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from None


def _refusal(answer: httpx.Response) -> HubError | None:
    """The hub's own words, where the answer has them: why it is, and not only that there is no token."""
    if answer.status_code == 200:
        return None
    try:
        details = {one["@type"].rpartition(".")[2]: one for one in answer.json()["details"]}
        said = {one["locale"]: one["message"] for one in answer.json()["details"] if "locale" in one}
        reason, en = str(details["ErrorInfo"]["reason"]), str(answer.json()["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return HubError(Code.UNAUTHENTICATED, reason, en, said.get("zh-CN", en))


def _edge_away(detail: str) -> HubError:
    return HubError(
        Code.UNAVAILABLE,
        "EDGE_AWAY",
        f"The edge does not answer ({detail}); is the hub running (shuniu up)?",
        "边缘网关无应答，枢纽是否已启动（shuniu up）？",
    )


def operator(place: Place, name: str) -> Edge:
    return Edge(place, name, place.operator(name))


def request_id() -> str:
    return str(uuid.uuid4())


def enrol(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    scopes = sorted(
        {scope for role in arguments.role or ["bureau"] for scope in ROLE_SCOPES[role]} | set(arguments.scope)
    )
    wanted = pb.Platform(
        code=arguments.code,
        name=arguments.name,
        kind=pb.PlatformKind.Value(f"PLATFORM_KIND_{arguments.kind.upper()}"),
        division=arguments.division or place.hub().code,
        uscc=arguments.uscc,
        scopes=scopes,
        redirect_uris=arguments.redirect_uri,
        sector=arguments.code,
        zone=arguments.zone,
        secrecy=arguments.secrecy,
    )
    directory = arguments.out or place.data / "platforms" / arguments.code

    async def work() -> str:
        admin = operator(place, "system")
        created = await admin.call(
            rpc.PlatformAdminServiceStub(admin.channel).CreatePlatform,
            pb.CreatePlatformRequest(request_id=request_id(), platform=wanted),
        )
        if not arguments.token_only:
            await redeem(place, arguments.code, created.enrolment_token, directory)
        return created.enrolment_token

    token = asyncio.run(work())
    if arguments.token_only:
        out({"code": arguments.code, "enrolment_token": token}, token, as_json=arguments.json)
    else:
        out(
            {"code": arguments.code, "credentials": str(directory)},
            f"已接入 / enrolled: {arguments.code}; 凭据 / credentials: {directory}",
            as_json=arguments.json,
        )
    return 0


async def redeem(place: Place, code: str, token: str, directory: Path) -> None:
    """Turns a one-time token into credentials in `directory` (0700)."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, code)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    receiving = sealing.new_key(f"{code}-1")
    trust = pem_files.certificates_pem(place.trust)
    request = pb.EnrolRequest(
        request_id=request_id(),
        code=code,
        token=token,
        csr_pem=csr.public_bytes(serialization.Encoding.PEM).decode(),
        jwks=json.dumps({"keys": [receiving.as_dict(private=False)]}),
    )
    async with grpc.aio.secure_channel(place.edge().people, grpc.ssl_channel_credentials(trust)) as opened:
        try:
            answer = await rpc.EnrolmentServiceStub(opened).Enrol(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from None
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {
        "key.pem": pem,
        "cert.pem": answer.certificate_pem.encode(),
        "trust.pem": answer.trust_pem.encode(),
        "bus.creds": answer.nats_creds.encode(),
        "sealing.jwk": json.dumps(receiving.as_dict(private=True)).encode(),
    }
    for name, content in files.items():
        (directory / name).unlink(missing_ok=True)
        with os.fdopen(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)


def listing(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())

    async def work() -> list[pb.Platform]:
        admin = operator(place, "system")
        stub = rpc.PlatformServiceStub(admin.channel)
        rows: list[pb.Platform] = []
        token = ""
        while True:
            page = await admin.call(stub.ListPlatforms, pb.ListPlatformsRequest(page_size=500, page_token=token))
            rows += page.platforms
            token = page.next_page_token
            if not token:
                return rows

    rows = asyncio.run(work())
    text = table(
        ["代码 code", "名称 name", "类别 kind", "区划 division", "状态 state", "证书到期 certificate until"],
        [
            [
                row.code,
                row.name,
                pb.PlatformKind.Name(row.kind).removeprefix("PLATFORM_KIND_").lower(),
                row.division,
                pb.PlatformState.Name(row.state).removeprefix("PLATFORM_STATE_"),
                row.certificate_not_after.ToJsonString() if row.HasField("certificate_not_after") else "-",
            ]
            for row in rows
        ],
    )
    out(
        {"platforms": [MessageToDict(row, preserving_proto_field_name=True) for row in rows]},
        text,
        as_json=arguments.json,
    )
    return 0


def switch(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())

    async def work() -> pb.Platform:
        admin = operator(place, "security")
        stub = rpc.PlatformAdminServiceStub(admin.channel)
        if arguments.verb == "suspend":
            request = pb.SuspendPlatformRequest(request_id=request_id(), code=arguments.code, reason=arguments.reason)
            return (await admin.call(stub.SuspendPlatform, request)).platform
        resume = pb.ResumePlatformRequest(request_id=request_id(), code=arguments.code)
        return (await admin.call(stub.ResumePlatform, resume)).platform

    row = asyncio.run(work())
    state = pb.PlatformState.Name(row.state).removeprefix("PLATFORM_STATE_")
    out({"code": row.code, "state": state}, f"{row.code}: {state}", as_json=arguments.json)
    return 0


def probe(arguments: argparse.Namespace) -> int:
    """Token, call, REST, bus: each with its time or its failure."""
    place = Place(arguments.data.resolve())
    directory = arguments.credentials or place.data / "platforms" / arguments.code
    steps: list[dict[str, Any]] = []

    async def step(name: str, work: Callable[[], Awaitable[object]]) -> None:
        started = time.perf_counter()
        try:
            await work()
            problem = ""
        except HubError as error:
            problem = f"{error.reason}: {error.zh}"
        except Exception as error:  # noqa: BLE001 — a probe reports whatever goes wrong
            problem = type(error).__name__
        steps.append(
            {
                "step": name,
                "ok": not problem,
                "ms": round((time.perf_counter() - started) * 1000, 1),
                "problem": problem,
            }
        )

    async def work() -> None:
        client = Edge(place, arguments.code, directory)
        await step("token", client.token)
        stub = rpc.PlatformServiceStub(client.channel)
        await step("grpc", lambda: client.call(stub.GetPlatform, pb.GetPlatformRequest(code=arguments.code)))

        async def rest() -> None:
            async with httpx.AsyncClient(verify=client.tls, timeout=10) as http:
                url = f"https://{client.edge.platforms}/v1/platforms/{arguments.code}"
                answer = await http.get(url, headers={"authorization": f"Bearer {await client.token()}"})
                answer.raise_for_status()

        await step("rest", rest)

        async def bus() -> None:
            connection = await nats.connect(
                f"nats://{place.bus().listen}",
                user_credentials=str(directory / "bus.creds"),
                connect_timeout=5,
                allow_reconnect=False,
            )
            try:
                await connection.jetstream().stream_info("INBOX")
            finally:
                await connection.close()

        await step("bus", bus)

    asyncio.run(work())
    text = table(
        ["步骤 step", "结果 result", "毫秒 ms", "问题 problem"],
        [[one["step"], "✓" if one["ok"] else "✗", one["ms"], one["problem"]] for one in steps],
    )
    ok = all(one["ok"] for one in steps)
    out({"code": arguments.code, "ok": ok, "steps": steps}, text, as_json=arguments.json)
    return 0 if ok else 1
