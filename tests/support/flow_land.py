"""Esign as a process of its own, with active seals, behind small stand-ins for identity and exchange."""

import asyncio
import base64
import contextlib
import hashlib
import json
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from services.esign import commands, store
from services.esign.certification.domain import pki, sm2_pki
from services.esign.certification.domain.holders import SealKind
from services.esign.config import EsignSettings
from services.esign.domain.digests import SM3
from services.esign.flows import scenario_files
from services.esign.flows.domain.scenarios import Actor, Scenario
from services.esign.keys import secrets as keys
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.maker import key_context
from services.esign.seals.store import seals as seal_rows
from services.identity.bus import admin as bus_admin
from services.identity.openid.domain.claims import Life
from services.identity.signing import domain as signing
from shuniu import signing_list
from shuniu.api.common.v1 import envelope_pb2, registry_pb2, registry_pb2_grpc
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.api.esign.v1 import flow_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc, signin_pb2, signin_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.crypto import sealing, sm
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.rpc import client
from shuniu.kit.rpc.server import Servicer, peer_listener
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from tests.support.bus_land import KEYS

TRUST, ISSUER = "hub.test", "https://hub.test"
BUREAU, OTHER, APP = "bureau", "other", "app"
SEALS = {BUREAU: "呼和浩特市公安局", OTHER: "包头市公安局"}
SCENARIOS: Mapping[str, Scenario] = scenario_files.load([scenario_files.OWN])
# People with a seal of their own.
OFFICERS = ("officer1", "officer2", "officer3")


def request_id() -> str:
    return uuid.uuid4().hex


def person_of(subject: str) -> str:
    return f"p-{subject}".ljust(22, "0")


def name_of(person_id: str) -> str:
    return "张王李赵刘陈"[sum(person_id.encode()) % 6] + "某某"


class Identity(
    registry_pb2_grpc.RegistryFeedServiceServicer,
    person_pb2_grpc.PersonServiceServicer,
    signin_pb2_grpc.OpenIdServiceServicer,
):
    """Three platforms; every subject is somebody, and the same one everywhere."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"}, private=True)

    async def PullRegistry(self, request: Any, context: Any) -> registry_pb2.PullRegistryResponse:
        if request.after_version >= 3:
            await asyncio.sleep(request.wait_seconds)
            return registry_pb2.PullRegistryResponse(version=3, epoch=1)
        entries = [
            registry_pb2.PlatformEntry(
                code=code,
                name=code,
                state="ACTIVE",
                division="150100",
                zone="government-extranet",
                secrecy="sensitive",
                version=version,
            )
            for version, code in enumerate((BUREAU, OTHER, APP), 1)
        ]
        return registry_pb2.PullRegistryResponse(platforms=entries, version=3, epoch=1)

    async def ResolveSubject(self, request: Any, context: Any) -> person_pb2.ResolveSubjectResponse:
        if request.subject.startswith("nobody"):
            raise errors.not_found("SUBJECT_UNKNOWN", "Nobody.", "没有此用户标识。")
        return person_pb2.ResolveSubjectResponse(person_id=person_of(request.subject), ial=2)

    async def SealPerson(self, request: Any, context: Any) -> person_pb2.SealPersonResponse:
        return self._sealed(request)

    async def BatchSealPerson(self, request: Any, context: Any) -> person_pb2.BatchSealPersonResponse:
        return person_pb2.BatchSealPersonResponse(responses=[self._sealed(one) for one in request.requests])

    def _sealed(self, request: person_pb2.SealPersonRequest) -> person_pb2.SealPersonResponse:
        public = json.loads(request.receiver_jwk)
        sealed = sealing.seal(public, {"full_name": name_of(request.person_id)})
        return person_pb2.SealPersonResponse(
            sealed=envelope_pb2.SealedData(jwe=sealed, receiver="esign", kid=public["kid"])
        )

    async def GetProviderDocuments(self, request: Any, context: Any) -> signin_pb2.GetProviderDocumentsResponse:
        jwks = {"keys": [self.key.as_dict(private=False)]}
        return signin_pb2.GetProviderDocumentsResponse(jwks=json.dumps(jwks).encode(), discovery=b"{}")

    def assertion(
        self,
        subject: str,
        items: Sequence[tuple[str, str, str]] = (),
        *,
        hashes: Sequence[bytes] = (),
        platform: str = APP,
        ial: int = 2,
        aal: int = 1,
        age: int = 0,
        key: ECKey | None = None,
        typ: str = signing_list.TYPE,
        **changed: Any,
    ) -> str:
        """As identity's AuthoriseSigning makes it; `age` seconds ago, with some claims changed."""
        now = int(time.time()) - age
        claims = signing.assertion(
            ISSUER,
            signing.Signer(platform, subject, "sid", ial, aal, now),
            [signing.Item(*item) for item in items],
            list(hashes),
            Life(now, now + signing_list.LIFE_S, uuid.uuid4().hex),
        )
        header = {"alg": "ES256", "kid": "k1", "typ": typ}
        return jwt.encode(header, claims | changed, key or self.key, algorithms=["ES256"])


def caller(kind: str, code: str, subject: str = "", scope: str = "seal.use flow.sign", ial: int = 2) -> Any:
    """What the edge says of one certificate and token."""
    digest = hashlib.sha256(code.encode()).digest()
    claims = {
        "kind": kind,
        "client_id": code,
        "scope": scope,
        "sub": subject or code,
        "ial": ial,
        "aal": 1,
        "cnf": {"x5t#S256": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()},
    }
    path = "operator" if kind == "operator" else "platform"
    return (
        ("x-forwarded-client-cert", f"Hash={digest.hex()};URI=spiffe://{TRUST}/{path}/{code}"),
        ("x-shuniu-claims", base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()),
    )


@contextlib.asynccontextmanager
async def standing_in(run: Path, identity: Identity) -> AsyncIterator[None]:
    described = [
        (registry_pb2_grpc.add_RegistryFeedServiceServicer_to_server, registry_pb2, "RegistryFeedService"),
        (person_pb2_grpc.add_PersonServiceServicer_to_server, person_pb2, "PersonService"),
        (signin_pb2_grpc.add_OpenIdServiceServicer_to_server, signin_pb2, "OpenIdService"),
    ]
    servicers = [Servicer(add, identity, module.DESCRIPTOR.services_by_name[name]) for add, module, name in described]
    listener = peer_listener(f"unix:{run}/identity.peer.sock", servicers, TRUST)
    await listener.start()
    try:
        yield
    finally:
        await listener.stop(0)


def made(secrets: keys.Secrets, seal_id: str, name: str, kind: SealKind, now_us: int) -> tuple[bytes, bytes]:
    """A seal's certificate and key, both DER, in the profile of the hub."""
    if secrets.digest is SM3:
        assert secrets.sm is not None
        private = sm.PrivateKey.generate()
        spki = private.public.spki
        return sm2_pki.issue_seal_certificate(secrets.sm.seal_ca, spki, name, seal_id, now_us, kind=kind), private.der
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(secrets.seal_ca, key.public_key(), name, seal_id, now_us, kind=kind)
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pki.certificate_der(certificate), plain


async def put_seals(url: str, secrets: keys.Secrets, clock: SystemClock) -> None:
    """An active seal for each platform that has one, and for each officer."""
    kept = await Store.open(url, store.METADATA, clock=clock)
    kept.use_cipher(secrets.keyring)
    now_us = clock.now_us()
    wanted = [(f"seal-{code}", code, name, SealKind.ORGANISATION, "") for code, name in SEALS.items()]
    wanted += [(f"seal-{one}", BUREAU, name_of(person_of(one)), SealKind.PERSON, person_of(one)) for one in OFFICERS]
    try:
        for seal_id, owner, name, kind, person in wanted:
            certificate, plain = made(secrets, seal_id, name, kind, now_us)
            wrapped = secrets.keyring.encrypt(plain, key_context(seal_id))
            shown = name if kind is SealKind.ORGANISATION else ""
            seal = Seal(
                seal_id, owner, shown, SealState.ACTIVE, now_us - 10**6, now_us + 10**13, kind=kind, person=person
            )
            row = seal_rows.SealRow(seal, certificate, wrapped)
            await kept.write(seal_rows.put_seal, seal, now_us)
            await kept.write(seal_rows.made, row)
    finally:
        await kept.close()


@dataclass
class FlowLand:
    """The running service and its neighbours."""

    root: Path
    identity: Identity = field(default_factory=Identity)
    # Further lines of [esign].
    extra: str = ""
    profile: str = "international"
    process: "asyncio.subprocess.Process | None" = None
    channel: grpc.aio.Channel | None = None

    @property
    def config(self) -> Path:
        return self.root / "hub.toml"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.root}/db/esign.db"

    @property
    def secrets(self) -> keys.Secrets:
        return keys.Secrets.load(load(HubSettings, self.config, "hub"), load(EsignSettings, self.config, "esign"))

    @property
    def flows(self) -> flow_pb2_grpc.FlowServiceStub:
        return flow_pb2_grpc.FlowServiceStub(self.channel)

    @property
    def remote(self) -> flow_pb2_grpc.RemoteSignatureServiceStub:
        return flow_pb2_grpc.RemoteSignatureServiceStub(self.channel)

    async def prepare(self) -> None:
        for name in ("run", "db", "keys", "pki"):
            (self.root / name).mkdir(mode=0o700)
        self.config.write_text(
            f'[hub]\ncode = "150000"\nname = "test"\ntrust_domain = "{TRUST}"\nissuer = "{ISSUER}"\n'
            f'data_dir = "{self.root}"\nrun_dir = "{self.root}/run"\nprofile = "{self.profile}"\n\n'
            f'[esign]\nbus_url = "nats://127.0.0.1:9"\nses_sidecar = false\n{self.extra}'
        )
        commands.initialise(self.config)
        clock = SystemClock()
        creds = self.root / "keys" / "bus-esign.creds"
        creds.touch(mode=0o600)
        creds.write_text(bus_admin.service_credentials(KEYS, "esign", now_s=clock.now_us() // 1_000_000))
        await migrate(self.database, "services.esign", clock)
        await put_seals(self.database, self.secrets, clock)

    async def start(self) -> None:
        log = (self.root / "esign.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.esign", "--config", str(self.config)), stdout=log, stderr=log
        )
        log.close()
        self.channel = client.socket_channel(f"unix:{self.root}/run/esign.edge.sock")
        for _ in range(600):
            assert self.process.returncode is None, (self.root / "esign.log").read_text()[-3000:]
            # The registry arrives a moment after the service answers: then the facts are missing and not the platform.
            probe = beginning("case_receipt", facts={})
            try:
                await self.flows.BeginFlow(probe, metadata=caller("platform", BUREAU), timeout=5)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                    return
            await asyncio.sleep(0.05)
        raise AssertionError((self.root / "esign.log").read_text()[-3000:])

    async def kill(self) -> None:
        assert self.process is not None
        assert self.channel is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await self.channel.close()
        for left in (self.root / "run").glob("esign.*"):
            left.unlink()

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()
        if self.channel is not None:
            await self.channel.close()

    # What parties do.

    async def begin(self, scenario: str, platform: str = BUREAU, **changed: Any) -> pb.Flow:
        request = beginning(scenario, **changed)
        answer = await self.flows.BeginFlow(request, metadata=caller("platform", platform), timeout=30)
        return answer.flow

    async def get(self, flow_id: str, platform: str = BUREAU) -> pb.Flow:
        answer = await self.flows.GetFlow(
            pb.GetFlowRequest(id=flow_id), metadata=caller("platform", platform), timeout=10
        )
        return answer.flow

    async def sign(self, flow: pb.Flow, step: str, **changed: Any) -> pb.Flow:
        """The step's party signs: a platform by its call, a person with a fresh assertion."""
        place = SCENARIOS[flow.scenario].step(step)
        assert place is not None
        item = (flow.id, step, changed.pop("document_sha256", flow.document_sha256))
        subject = changed.pop("subject", subject_for(step))
        request = pb.SignStepsRequest(
            request_id=changed.pop("request_id", request_id()),
            steps=[pb.StepToSign(flow=item[0], step=item[1], document_sha256=item[2])],
        )
        if place.actor is Actor.PERSON:
            request.authorisation = changed.pop("authorisation", "") or self.identity.assertion(
                subject, [item], **changed
            )
            who = caller("person", APP, subject)
        else:
            who = caller("platform", changed.pop("platform", platform_for(step)))
        answer = await self.flows.SignSteps(request, metadata=who, timeout=30)
        return answer.flows[0]

    async def completed(self, flow_id: str, within: float = 20) -> pb.Flow:
        return await self.reaches(flow_id, pb.FLOW_STATE_COMPLETED, within)

    async def reaches(self, flow_id: str, state: int, within: float = 20) -> pb.Flow:
        until = time.monotonic() + within
        while True:
            flow = await self.get(flow_id)
            if flow.state == state:
                return flow
            assert time.monotonic() < until, flow
            await asyncio.sleep(0.02)

    async def download(self, flow_id: str, who: Any = None) -> pb.DownloadFlowResponse:
        request = pb.DownloadFlowRequest(id=flow_id)
        return await self.flows.DownloadFlow(request, metadata=who or caller("platform", BUREAU), timeout=10)


def subject_for(step: str) -> str:
    """Officers have seals of their own; everybody else is called as his place."""
    officers = {
        "first_officer": "officer1",
        "second_officer": "officer2",
        "recorder": "officer3",
        "mediator": "officer1",
        "officer": "officer1",
    }
    return officers.get(step, f"subject-{step}")


def platform_for(step: str) -> str:
    return OTHER if step in {"company", "provider", "office", "supervisor", "archive"} else BUREAU


def beginning(scenario: str, *, without: Sequence[str] = (), **changed: Any) -> pb.BeginFlowRequest:
    """A request with a fact for every fact and a party for every place but `without`."""
    found = SCENARIOS[scenario]
    parties = [
        pb.Party(key=step.key, platform=platform_for(step.key))
        if step.actor is Actor.PLATFORM
        else pb.Party(key=step.key, platform=APP, subject=subject_for(step.key))
        for step in found.steps
        if step.key not in without
    ]
    fields: dict[str, Any] = {
        "request_id": request_id(),
        "scenario": scenario,
        "facts": {fact.name: f"某{fact.label}" for fact in found.facts},
        "parties": parties,
    }
    return pb.BeginFlowRequest(**(fields | changed))


@contextlib.asynccontextmanager
async def flow_land(extra: str = "ledger_window_ms = 5\n", profile: str = "international") -> AsyncIterator[FlowLand]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        land = FlowLand(Path(folder), extra=extra, profile=profile)
        await land.prepare()
        async with standing_in(land.root / "run", land.identity):
            await land.start()
            try:
                yield land
            finally:
                await land.stop()
