"""Seals behind a real gRPC server on a temporary data directory: owners, persons, operators, documents, OCSP and CRL."""

import atexit
import base64
import contextlib
import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
from sqlalchemy import Connection

from services.esign import store
from services.esign.config import EsignSettings
from services.esign.documents.issuing import Issuing
from services.esign.flows.register import flow_of
from services.esign.keys import secrets as keys
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain import ledger as ledger_rules
from services.esign.ledger.domain.ledger import Entry
from services.esign.ledger.sequencer import Sequencer
from services.esign.seals.once_keys import OnceKeys
from services.esign.seals.service.owners import SealService
from services.esign.seals.slots import Slots
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.proof import Proof
from services.esign.verification.service.verification import VerificationService
from services.esign.verification.workers.verifier import Verifier
from services.esign.wiring.documents import open_documents
from services.esign.wiring.ledger import open_ledger
from services.esign.wiring.opened import Opened
from services.esign.wiring.revocation import open_revocation
from services.esign.wiring.seals import open_seals
from services.esign.wiring.timestamps import TimestampsPart, open_timestamps
from services.esign.wiring.upkeep import open_register_of_ledger
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc, seal_pb2, seal_pb2_grpc, timestamp_pb2, timestamp_pb2_grpc
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.crypto import sm
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.batching import Crowd
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.server import Listener, edge_listener, servicer
from shuniu.kit.rpc.stages import nobody_refused
from shuniu.kit.rpc.uploads import Carries, UploadRoom, busy
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing.foundation import foundation_of
from tests.support.opened import opened_with

TRUST = "hub.test"
POLICE = "police"
ORGANISATION = "呼和浩特市公安局"
FACTS = {"from": "2006年1月1日", "to": "2026年5月31日"}
YEAR_US = 365 * 86_400 * 1_000_000
PERSON_ID, PERSON_NAME = "p" * 22, "巴特尔"


def rid() -> str:
    return uuid.uuid4().hex


@dataclass
class MovableClock:
    """The machine's clock, and what somebody turned it by (µs)."""

    moved_us: int = 0
    _real: SystemClock = field(default_factory=SystemClock)

    def now_us(self) -> int:
        return self._real.now_us() + self.moved_us


class Neighbours:
    """Every case is granted to the police; everybody is the same person."""

    def __init__(self) -> None:
        self.crowd = Crowd()

    async def parties(self, case_code: str) -> Any:
        return case_pb2.GetCasePartiesResponse(
            handler_platform=POLICE,
            source_platform="app",
            person_id=PERSON_ID,
            division="150100",
            state=case_pb2.CASE_STATE_GRANTED,
            result_template="no_criminal_record",
        )

    async def person(self, *_: Any) -> dict[str, str]:
        return {"full_name": PERSON_NAME, "document_type": "111", "document_number": "150102199001010000"}

    async def person_id(self, platform: str, subject: str) -> str:
        return PERSON_ID if subject == "somebody" else "q" * 22

    async def name_for_seal(self, person_id: str, receiving: Any) -> str:
        return PERSON_NAME


def headers(kind: str, code: str, scope: str, subject: str = "") -> tuple[tuple[str, str], ...]:
    """What the edge would say of one certificate and token."""
    digest = hashlib.sha256(code.encode()).digest()
    claims = {
        "kind": kind,
        "client_id": code,
        "scope": scope,
        "sub": subject or code,
        "ial": 3,
        "aal": 3,
        "cnf": {"x5t#S256": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()},
    }
    path = "operator" if kind == "operator" else "platform"
    return (
        ("x-forwarded-client-cert", f"Hash={digest.hex()};URI=spiffe://{TRUST}/{path}/{code}"),
        ("x-shuniu-claims", base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()),
    )


AGENCY = headers("platform", POLICE, "seal.use")
SYSTEM = headers("operator", "system", "admin.system")
SECURITY = headers("operator", "security", "admin.security")
OTHER_SECURITY = headers("operator", "second", "admin.security")
AUDIT = headers("operator", "audit", "admin.audit")
PERSON = headers("person", "app", "case.apply case.read", "somebody")
ANOTHER = headers("person", "app", "case.apply case.read", "somebody-else")


@dataclass
class SealLand:
    base: Foundation
    secrets: Secrets
    clock: MovableClock
    ledger: Sequencer
    seals: SealService
    issuing: Issuing
    slots: Slots
    once: OnceKeys
    channel: grpc.aio.Channel
    listener: Listener
    folder: Path
    timestamps: TimestampsPart
    opened: Opened

    @property
    def owner(self) -> Any:
        return esign_pb2_grpc.SealServiceStub(self.channel)

    @property
    def admin(self) -> Any:
        return seal_pb2_grpc.SealAdminServiceStub(self.channel)

    @property
    def personal(self) -> Any:
        return seal_pb2_grpc.PersonalSealServiceStub(self.channel)

    @property
    def documents(self) -> Any:
        return esign_pb2_grpc.CertificateServiceStub(self.channel)

    @property
    def verification(self) -> Any:
        return esign_pb2_grpc.VerificationServiceStub(self.channel)

    @property
    def revocation(self) -> Any:
        return timestamp_pb2_grpc.RevocationServiceStub(self.channel)

    async def applied(self, **more: Any) -> Any:
        request = esign_pb2.ApplySealRequest(request_id=rid(), name=ORGANISATION, **more)
        return (await self.owner.ApplySeal(request, metadata=AGENCY)).seal

    async def reviewed(self, seal_id: str, by: Any = SYSTEM) -> Any:
        accept = seal_pb2.REVIEW_DECISION_ACCEPT
        request = seal_pb2.ReviewSealRequest(request_id=rid(), id=seal_id, decision=accept)
        return (await self.admin.ReviewSeal(request, metadata=by)).seal

    async def made(self, seal_id: str, by: Any = SECURITY) -> Any:
        return (await self.admin.MakeSeal(seal_pb2.MakeSealRequest(request_id=rid(), id=seal_id), metadata=by)).seal

    async def activated(self, seal_id: str, by: Any = SECURITY) -> Any:
        request = seal_pb2.ActivateSealRequest(request_id=rid(), id=seal_id)
        return (await self.admin.ActivateSeal(request, metadata=by)).seal

    async def active(self, **more: Any) -> Any:
        """A seal on the long way to its use."""
        seal = await self.applied(**more)
        await self.reviewed(seal.id)
        await self.made(seal.id)
        return await self.activated(seal.id)

    async def changed(self, seal_id: str, state: int) -> Any:
        request = esign_pb2.ChangeSealStateRequest(request_id=rid(), id=seal_id, state=state, reason="测试")
        return (await self.owner.ChangeSealState(request, metadata=SECURITY)).seal

    async def revoked(self, seal_id: str, since_us: int = 0, reason: int = 1) -> Any:
        request = seal_pb2.RevokeSealRequest(request_id=rid(), id=seal_id, reason_code=reason, reason="私钥被盗")
        if since_us:
            request.invalid_since.FromMicroseconds(since_us)
        return (await self.admin.RevokeSeal(request, metadata=SECURITY)).seal

    async def issue(self, case: str, seal_id: str = "") -> Any:
        request = esign_pb2.IssueCertificateRequest(request_id=rid(), case_code=case, seal_id=seal_id, facts=FACTS)
        return (await self.documents.IssueCertificate(request, metadata=AGENCY)).certificate

    async def downloaded(self, number: str) -> Any:
        request = esign_pb2.DownloadCertificateRequest(number=number)
        return await self.documents.DownloadCertificate(request, metadata=headers("platform", POLICE, "case.read"))

    async def verdict(self, pdf: bytes, proof: str = "") -> Any:
        request = esign_pb2.VerifyDocumentRequest(pdf=pdf, tlog_proof=proof)
        return (await self.verification.VerifyDocument(request)).verdict

    async def crl(self, family: str = "") -> bytes:
        request = timestamp_pb2.GetCrlRequest(family=family)
        return bytes((await self.revocation.GetCrl(request, metadata=AGENCY)).der)

    async def state(self, seal_id: str) -> str:
        found = await self.base.store.read(seal_rows.find_seal_by_id, seal_id)
        assert found is not None
        return found.seal.state.value

    async def entries(self) -> list[Entry]:
        receipts = await self.ledger.receipts(range(self.ledger.size))
        return [ledger_rules.decode(receipt.entry) for receipt in receipts]

    async def rows(self, work: Any) -> Any:
        def unit(conn: Connection) -> Any:
            return work(conn)

        return await self.base.store.read(unit)


_made: list[Path] = []


def _hub(data: Path) -> HubSettings:
    return HubSettings("150000", "内蒙古枢纽", TRUST, "https://hub.test", data, data)


async def _make_hub(data: Path) -> None:
    for name in ("keys", "pki", "db"):
        (data / name).mkdir(exist_ok=True)
    keys.make(_hub(data))
    await migrate(f"sqlite:///{data}/db/esign.db", "services.esign", SystemClock())


async def _new_hub() -> Path:
    """Keys and an empty store, made once and copied for each test."""
    if not _made:
        data = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
        atexit.register(shutil.rmtree, data, ignore_errors=True)
        await _make_hub(data)
        _made.append(data)
    return _made[0]


@contextlib.asynccontextmanager
async def seal_land(
    *,
    two_operators: bool = False,
    sm2: bool | None = False,
    days: int = 730,
    kept: Path | None = None,
    moved_us: int = 0,
) -> AsyncIterator[SealLand]:
    """`sm2` None: where this machine can. `kept`: a folder that stays, for a next life. `moved_us`: how far off the clock
    is at the start.
    """
    passing = (
        tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") if kept is None else contextlib.nullcontext(str(kept))
    )
    with passing as folder, ThreadPoolExecutor(1) as executor:
        data, clock = Path(folder), MovableClock(moved_us)
        if kept is None:
            shutil.copytree(await _new_hub(), data, dirs_exist_ok=True)
        else:
            await _make_hub(data)
        hub = _hub(data)
        settings = EsignSettings(
            ses_sidecar=sm2 if sm2 is not None else sm.available(),
            timestamp=False,
            seal_days=days,
            seal_two_operators=two_operators,
            revocation_url="http://hub.test",
            licence_issuers=(POLICE,),
        )
        secrets = Secrets.load(hub, settings)
        url = f"sqlite:///{data}/db/esign.db"
        rows = await Store.open(url, store.METADATA, clock=clock)
        rows.use_cipher(secrets.keyring)
        base = foundation_of("esign", hub, settings, clock, rows)
        ledger = await open_ledger(base, settings, secrets)
        await open_register_of_ledger(base, secrets, ledger.log)
        opened = opened_with(base, secrets, ledger.log, Neighbours(), executor)
        timestamps = open_timestamps(opened)
        sealing = open_seals(opened, timestamps.guard)
        documents = open_documents(opened, sealing, Proof(stamps=timestamps.stamps, long_term=None))
        with Verifier(10.0) as verifier:
            judging = VerificationService(base, secrets, verifier, 1 << 24, ledger=ledger.log, registers=(flow_of,))
            uploads = UploadRoom(settings.uploads_most_bytes, busy)
            servicers = [
                *sealing.edge,
                *documents.edge,
                servicer(judging, {"VerifyDocument": Carries(uploads)}),
                *open_revocation(opened).edge,
            ]
            listener = edge_listener(f"unix:{data}/e.sock", servicers, TRUST, nobody_refused)
            await listener.start()
            channel = grpc.aio.insecure_channel(f"unix:{data}/e.sock")
            once = OnceKeys(base, secrets.seal_ca, ledger.log, sealing.slots)
            found = SealLand(
                base,
                secrets,
                clock,
                ledger.log,
                sealing.seals,
                documents.certificates.issuing,
                sealing.slots,
                once,
                channel,
                listener,
                data,
                timestamps,
                opened,
            )
            try:
                yield found
            finally:
                await channel.close()
                await listener.stop(0)
                # A test may have opened it again.
                await found.ledger.close()
                await timestamps.http.aclose()
                await rows.close()
                secrets.close()


def digest_of(document: bytes) -> str:
    return sha256(document).hexdigest()
