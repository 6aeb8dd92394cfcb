"""Issuing as it is in the service, on a store, a ledger and a timestamp authority of its own; the authority can be away."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign import store
from services.esign.certification.domain import pki
from services.esign.certification.domain.issued import Issued
from services.esign.certification.domain.trust import Trust
from services.esign.config import EsignSettings
from services.esign.documents.service.certificates import CertificateService
from services.esign.documents.store import certificates as document_rows
from services.esign.domain.verdict import Verdict
from services.esign.keys import secrets as keys
from services.esign.ledger.sequencer import Sequencer
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.maker import key_context
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.proof import Proof
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.sources import Authority, OwnTimestamps, TimestampAwayError
from services.esign.wiring.documents import open_documents
from services.esign.wiring.ledger import open_ledger
from services.esign.wiring.opened import Opened
from services.esign.wiring.revocation import open_revocation
from services.esign.wiring.seals import open_seals
from services.esign.wiring.signing import open_proof
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.batching import Crowd
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall, set_current
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing.foundation import foundation_of
from tests.support.esign import certificate_data
from tests.support.of_case import of_case
from tests.support.opened import opened_with
from tests.support.verdicts import judged

CASE = "NMG202606010001"
FACTS = {"from": certificate_data().facts["from"], "to": certificate_data().facts["to"]}


@dataclass
class Switched:
    """A timestamp source that can be away."""

    source: OwnTimestamps
    away: bool = False
    asked: int = 0

    async def room(self) -> int:
        return await self.source.room()

    async def stamp(self, signature: bytes) -> bytes:
        self.asked += 1
        if self.away:
            raise TimestampAwayError("switched off")
        return await self.source.stamp(signature)


class Neighbours:
    async def parties(self, case_code: str) -> Any:
        return case_pb2.GetCasePartiesResponse(
            handler_platform="police",
            source_platform="mengsuban",
            person_id="p" * 22,
            division="150100",
            state=case_pb2.CASE_STATE_GRANTED,
            result_template=certificate_data().template,
        )

    def __init__(self) -> None:
        self.crowd = Crowd()

    async def person(self, *_: Any) -> dict[str, str]:
        return {"full_name": "巴特尔", "document_type": "111", "document_number": "150102199001010000"}


@dataclass
class Land:
    base: Foundation
    secrets: keys.Secrets
    ledger: Sequencer
    stamps: Switched
    executor: ThreadPoolExecutor
    started: list["asyncio.Task[None]"] = field(default_factory=list)
    level: str = ""
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False))

    @property
    def opened(self) -> Opened:
        return opened_with(self.base, self.secrets, self.ledger, Neighbours(), self.executor)

    def proof(self) -> Proof:
        opened = replace(self.opened, settings=EsignSettings(ses_sidecar=False, level=self.level))
        return open_proof(opened, self.stamps, open_revocation(opened).revocation, self.http)

    def issuing(self) -> CertificateService:
        """The service as it is after a start, its task running."""
        opened = self.opened
        seals = open_seals(opened, ClockGuard(self.base.clock))
        certificates = open_documents(opened, seals, self.proof()).certificates
        self.started.append(asyncio.create_task(certificates.issuing.finish_interrupted()))
        return certificates

    def judge(self, pdf: bytes, receipt: str | None = None, *, years: int = 0) -> Verdict:
        return judged(
            pdf,
            trust=Trust((self.secrets.seal_ca.root,), (self.secrets.ledger.verifier,)),
            now_us=self.base.clock.now_us() + years * 8766 * 3600 * 1_000_000,
            receipt=receipt,
        )

    async def row(self) -> document_rows.CertificateRow:
        found = await self.base.store.read(of_case, CASE)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def issue_land(where: str = "file") -> AsyncIterator[Land]:
    """`where`: where its keys lie, as `[esign] keys` has it."""
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder, ThreadPoolExecutor(1) as executor:
        data = Path(folder)
        for name in ("keys", "pki", "db"):
            (data / name).mkdir()
        hub = HubSettings("150000", "内蒙古枢纽", "hub.test", "https://hub.test", data, data)
        settings, clock = EsignSettings(ses_sidecar=False, keys=where), SystemClock()
        keys.make(hub, settings)
        secrets = keys.Secrets.load(hub, settings)
        url = f"sqlite:///{data}/db/esign.db"
        await migrate(url, "services.esign", clock)
        kept = await Store.open(url, store.METADATA, clock=clock)
        base = foundation_of("esign", hub, settings, clock, kept)
        key, now_us = ec.generate_private_key(ec.SECP256R1()), clock.now_us()
        certificate = pki.issue_seal_certificate(
            secrets.seal_ca, key.public_key(), "呼和浩特市公安局", "seal-1", now_us
        )
        wrapped = secrets.keyring.encrypt(
            key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            key_context("seal-1"),
        )
        seal = Seal("seal-1", "police", "呼和浩特市公安局", SealState.ACTIVE, now_us - 10**6, now_us + 10**13)
        await kept.write(lambda conn: seal_rows.put_seal(conn, seal, now_us))
        await kept.write(
            lambda conn: seal_rows.made(conn, seal_rows.SealRow(seal, pki.certificate_der(certificate), wrapped))
        )
        await kept.write(
            lambda conn: seal_rows.certified(conn, Issued.of(pki.certificate_der(certificate)), seal.id, now_us)
        )
        ledger = (await open_ledger(base, settings, secrets)).log
        assert secrets.tsa is not None
        set_current(
            CurrentCall("/esign/IssueCertificate", "r", "", audit=True, caller=Caller(CallerKind.PLATFORM, "police"))
        )
        found = Land(
            base, secrets, ledger, Switched(OwnTimestamps(Authority(secrets.tsa, ClockGuard(clock)))), executor
        )
        try:
            yield found
        finally:
            for task in found.started:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await found.http.aclose()
            await ledger.close()
            await kept.close()


def request() -> pb.IssueCertificateRequest:
    return pb.IssueCertificateRequest(request_id="request-0001", case_code=CASE, facts=FACTS)
