"""Identity and vault as real processes on a real bus, in a directory of their own."""

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from services.identity import commands
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc, query_pb2, query_pb2_grpc
from shuniu.kit.crypto import sealing
from shuniu.kit.events import bus_server
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc import client
from shuniu.kit.rpc.sockets import peer_address
from tests.support.ports import free_port
from tests.support.stopped_stores import migrate

TRUST = "hub.test"
ISSUER = "https://hub.test:8443"
AUTHORITY = "mps"
RESOURCE = "mps.real-name"


def request_id() -> str:
    return uuid.uuid4().hex


@dataclass
class Certificate:
    """A client certificate as the edge sees it."""

    uri: str
    sha256: str

    @property
    def header(self) -> str:
        return f"Hash={self.sha256};URI={self.uri}"

    @property
    def binding(self) -> str:
        return base64.urlsafe_b64encode(bytes.fromhex(self.sha256)).rstrip(b"=").decode()


def certificate_of(pem: bytes) -> Certificate:
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    return Certificate(uri, certificate.fingerprint(hashes.SHA256()).hex())


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def headers(certificate: Certificate, claims: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What Envoy adds to a call."""
    found = [("x-forwarded-client-cert", certificate.header)]
    if claims is not None:
        encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        found.append(("x-shuniu-claims", encoded))
    return found


def new_request(key: ec.EllipticCurvePrivateKey, name: str = "ignored") -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class PlatformKeys:
    """What a platform makes before it enrols."""

    code: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    sealing: ECKey = field(init=False)

    def __post_init__(self) -> None:
        self.sealing = ECKey.generate_key("P-256", {"use": "enc", "kid": f"{self.code}-1"}, private=True)

    @property
    def jwks(self) -> str:
        return json.dumps({"keys": [self.sealing.as_dict(private=False)]})

    @property
    def csr(self) -> str:
        return new_request(self.key)


@dataclass
class IdentityLand:
    """The processes and how to reach them."""

    root: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def config(self) -> Path:
        return self.data / "hub.toml"

    def operator(self, name: str) -> Certificate:
        return certificate_of((self.data / "operators" / name / "cert.pem").read_bytes())

    def as_operator(self, role: str) -> list[tuple[str, str]]:
        """Headers of an operator's call; `role` is system, security or audit."""
        certificate = self.operator(role)
        claims = {
            "kind": "operator",
            "client_id": role,
            "scope": f"admin.{role}",
            "cnf": {"x5t#S256": certificate.binding},
        }
        return headers(certificate, claims)

    def channel(self, socket_name: str, service: str = "web") -> grpc.aio.Channel:
        address = f"unix:{self.run}/{socket_name}.sock"
        return client.channel(address, service=service) if "peer" in socket_name else client.socket_channel(address)

    def write_config(self, identity: Mapping[str, object], vault: Mapping[str, object]) -> None:
        extra, kept = (
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in section.items())
            for section in (identity, vault)
        )
        self.config.write_text(
            f'[hub]\ncode = "150000"\nname = "test"\ntrust_domain = "{TRUST}"\nissuer = "{ISSUER}"\n'
            f'data_dir = "{self.data}"\nrun_dir = "{self.run}"\n'
            f'[identity]\nbus_url = "nats://127.0.0.1:{self.ports["listen"]}"\n'
            f'authority_platform = "{AUTHORITY}"\nauthority_resource = "{RESOURCE}"\n{extra}[vault]\n{kept}'
        )

    def start(self, name: str) -> None:
        module = {"identity": "services.identity", "vault": "services.identity.vault"}.get(name)
        argv = (
            [sys.executable, "-m", module, "--config", str(self.config)]
            if module
            else [str(bus_server.server_binary()), "-c", str(self.data / "nats.conf")]
        )
        log = (self.root / f"{name}.log").open("ab")
        (self.run / f"{name}.ops").unlink(missing_ok=True)
        self.processes[name] = subprocess.Popen(argv, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
        log.close()

    def wait_ready(self, name: str, within: float = 30.0) -> None:
        until = time.monotonic() + within
        ops = self.run / f"{name}.ops"
        while time.monotonic() < until:
            if self.processes[name].poll() is not None:
                break
            with contextlib.suppress(OSError):
                address = ops.read_text().strip()
                with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            time.sleep(0.02)
        raise AssertionError(f"{name} is not ready:\n{self.log(name)[-4000:]}")

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text()

    def stop(self, name: str, sig: signal.Signals = signal.SIGTERM) -> int:
        process = self.processes.pop(name)
        process.send_signal(sig)
        return process.wait(timeout=20)

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def _edge_roots(path: Path) -> None:
    from shuniu.kit.crypto import x509 as hub_x509

    path.write_bytes(hub_x509.new_authority("Edge CA", "test", dt.datetime.now(dt.UTC)).pem())


async def _fill(land: IdentityLand) -> None:
    await migrate(land.config, "identity", "services.identity")
    await migrate(land.config, "vault", "services.identity.vault")
    for role in ("system", "security", "audit"):
        directory = land.data / "operators" / role
        await commands.create_operator(land.config, role, (f"admin.{role}",), directory, SystemClock())


@contextlib.contextmanager
def identity_land(
    vault: Mapping[str, object] | None = None,
    parts: tuple[str, ...] = ("nats", "vault", "identity"),
    **identity: object,
) -> Iterator[IdentityLand]:
    land = IdentityLand(Path(tempfile.mkdtemp(prefix="sn", dir="/tmp")))
    try:
        land.data.mkdir()
        land.run.mkdir(mode=0o700)
        (land.data / "db").mkdir()
        land.ports = {name: free_port() for name in ("listen", "websocket", "monitoring")}
        land.write_config(identity, vault or {})
        commands.initialise(land.config)
        _edge_roots(land.data / "pki" / "edge-ca.pem")
        commands.write_bus_config(
            land.config,
            land.data / "nats.conf",
            **{name: f"127.0.0.1:{port}" for name, port in land.ports.items()},
        )
        asyncio.run(_fill(land))
        for name in parts:
            land.start(name)
        for name in parts:
            if name != "nats":
                land.wait_ready(name)
        yield land
    finally:
        land.close()


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class StandInExchange(query_pb2_grpc.AuthorityServiceServicer, case_pb2_grpc.CaseRegistryServiceServicer):
    """The two calls that identity makes to exchange, answered on exchange's own socket."""

    def __init__(self, land: IdentityLand, authority: PlatformKeys) -> None:
        self._authority = authority
        self.register: dict[tuple[str, str], str] = {}
        """(document type, number) → name: what the authority knows."""
        self.asked: list[dict[str, Any]] = []
        self.cases: dict[str, case_pb2.GetCasePartiesResponse] = {}
        self.away = False
        self._server = grpc.server(ThreadPoolExecutor(4))
        query_pb2_grpc.add_AuthorityServiceServicer_to_server(self, self._server)
        case_pb2_grpc.add_CaseRegistryServiceServicer_to_server(self, self._server)
        mine = peer_address(f"unix:{land.run}/exchange.peer.sock", "identity")
        Path(mine.removeprefix("unix:")).parent.mkdir(parents=True, exist_ok=True)
        self._server.add_insecure_port(mine)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait()

    def VerifySubject(self, request, context):
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        assert request.resource == RESOURCE
        subject = sealing.unseal(self._authority.sealing, request.subject.jwe)
        self.asked.append(subject)
        known = self.register.get((subject["document_type"], subject["document_number"]))
        result = "NOT_FOUND" if known is None else "MATCH" if known == subject["full_name"] else "MISMATCH"
        return query_pb2.VerifySubjectResponse(
            result=result, transaction_id=f"T{len(self.asked)}", evidence_sha256=sha256_hex(result.encode())
        )

    def GetCaseParties(self, request, context):
        found = self.cases.get(request.case_code)
        if found is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        return found
