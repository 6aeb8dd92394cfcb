"""Issuing with timestamps while the authority is away: nothing is refused, nothing is sealed twice."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign import keys, store
from services.esign.app import open_ledger, open_long_term
from services.esign.clock_guard import ClockGuard
from services.esign.config import EsignSettings
from services.esign.domain import pki, verify, versions
from services.esign.domain.ledger import open_checkpoint
from services.esign.domain.pades import LastSignature
from services.esign.domain.seals import Seal, SealState
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.long_term import LongTerm
from services.esign.sequencer import Sequencer
from services.esign.service.certificates import Certificates
from services.esign.service.issuing import Issuing
from services.esign.service.revocation import Revocation
from services.esign.service.seals import key_context
from services.esign.timestamps import Authority, OwnTimestamps, TimestampAwayError
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.caller import Caller, CallerKind, CurrentCall, set_current
from shuniu.kit.clock import SystemClock
from shuniu.kit.config import ConfigError, HubSettings
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.sql import Store
from shuniu.kit.sql.migrations import migrate
from shuniu.kit.testing import eventually
from tests.support import documents as attack
from tests.support.esign import certificate_data

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

    def long_term(self) -> LongTerm | None:
        settings = EsignSettings(ses_sidecar=False, level=self.level)
        return open_long_term(
            self.base, settings, self.secrets, self.stamps, Revocation(self.base, self.secrets.seal_ca)
        )

    def issuing(self) -> Certificates:
        """The service as it is after a start, its task running."""
        neighbours: Any = Neighbours()
        issuing = Issuing(self.base, self.secrets, self.ledger, neighbours, self.executor, self.stamps)
        issuing.long_term = self.long_term()
        self.started.append(asyncio.create_task(issuing.finish_interrupted()))
        return Certificates(self.base, self.ledger, neighbours, issuing)

    def judge(self, pdf: bytes, receipt: str | None = None, *, years: int = 0) -> Verdict:
        return verify.judge(
            pdf,
            trust=verify.Trust((self.secrets.seal_ca.root,), (self.secrets.ledger.verifier,)),
            now_us=self.base.clock.now_us() + years * 8766 * 3600 * 1_000_000,
            receipt=receipt,
        )

    async def row(self) -> store.CertificateRow:
        found = await self.base.store.read(store.certificate_of_case, CASE)
        assert found is not None
        return found


@pytest_asyncio.fixture
async def land() -> AsyncIterator[Land]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder, ThreadPoolExecutor(1) as executor:
        data = Path(folder)
        for name in ("keys", "pki", "db"):
            (data / name).mkdir()
        hub = HubSettings("150000", "内蒙古枢纽", "hub.test", "https://hub.test", data, data)
        settings, clock = EsignSettings(ses_sidecar=False), SystemClock()
        keys.make(hub)
        secrets = keys.Secrets.load(hub, settings)
        url = f"sqlite:///{data}/db/esign.db"
        await migrate(url, "services.esign", clock)
        kept = await Store.open(url, store.METADATA, clock=clock)
        base = Foundation("esign", hub, settings, clock, kept, None, "esign")
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
        await kept.write(lambda conn: store.put_seal(conn, seal, now_us))
        await kept.write(lambda conn: store.made(conn, store.SealRow(seal, pki.certificate_der(certificate), wrapped)))
        await kept.write(lambda conn: store.certified(conn, certificate.serial_number, seal.id, now_us))
        ledger = await open_ledger(base, secrets, settings)
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
            await ledger.close()
            await kept.close()


def request() -> pb.IssueCertificateRequest:
    return pb.IssueCertificateRequest(request_id="request-0001", case_code=CASE, facts=FACTS)


async def test_a_document_gets_its_timestamp_before_anybody_sees_it(land: Land) -> None:
    """The bytes that are logged and handed out carry the timestamp, and judge as VALID by it."""
    answer = await land.issuing().IssueCertificate(request(), None)
    row = await land.row()
    assert answer.certificate.sha256 == sha256(row.pdf).hexdigest()
    assert LastSignature.of(row.pdf).has_timestamp
    verdict = verify.judge(
        row.pdf,
        trust=verify.Trust((land.secrets.seal_ca.root,), (land.secrets.ledger.verifier,)),
        now_us=land.base.clock.now_us(),
        receipt=row.receipt,
    )
    assert verdict.outcome is Outcome.VALID
    assert "TIME_STAMPED" in {step.reason for step in verdict.steps}


async def test_a_document_waits_for_the_authority_and_is_released_by_itself(land: Land) -> None:
    """Authority away: sealed once, not released, said so; back: stamped, logged, released without being asked again."""
    issuing = land.issuing()
    land.stamps.away = True
    with pytest.raises(HubError) as refused:
        await issuing.IssueCertificate(request(), None)
    assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "TIMESTAMP_PENDING")
    waiting = await land.row()
    assert (waiting.stage, waiting.ledger_index) == (store.SEALED, -1)
    land.stamps.away = False

    async def released() -> bool:
        return (await land.row()).stage == store.ISSUED

    await eventually(released, within=10)
    row = await land.row()
    before, after = LastSignature.of(waiting.pdf), LastSignature.of(row.pdf)
    assert after.has_timestamp
    assert after.value == before.value
    answer = await issuing.IssueCertificate(request(), None)
    assert (answer.certificate.number, answer.certificate.sha256) == (row.number, row.sha256)
    assert open_checkpoint(land.ledger.checkpoint_text, [land.secrets.ledger.verifier]).size == 1


async def test_a_document_that_waited_is_released_after_a_restart(land: Land) -> None:
    """The process ends while documents wait: the next one stamps and releases the same seal."""
    first = land.issuing()
    land.stamps.away = True
    with pytest.raises(HubError):
        await first.IssueCertificate(request(), None)
    waiting = LastSignature.of((await land.row()).pdf)
    land.started.pop().cancel()
    land.stamps.away = False
    land.issuing()

    async def released() -> bool:
        return (await land.row()).stage == store.ISSUED

    await eventually(released, within=10)
    assert LastSignature.of((await land.row()).pdf).value == waiting.value


@pytest.mark.parametrize("level", ["B-LT", "B-LTA"])
async def test_the_level_that_is_set_is_reached_before_the_ledger(land: Land, level: str) -> None:
    """Validation data, and at B-LTA a document timestamp, are in the bytes that are logged and handed out; repeated
    requests change nothing.
    """
    land.level = level
    issuing = land.issuing()
    answer = await issuing.IssueCertificate(request(), None)
    row = await land.row()
    assert answer.certificate.sha256 == sha256(row.pdf).hexdigest()
    again = await issuing.IssueCertificate(pb.IssueCertificateRequest(request_id="request-0002", case_code=CASE), None)
    assert again.certificate.sha256 == answer.certificate.sha256
    reasons = {step.step: step.reason for step in land.judge(row.pdf, row.receipt).steps}
    assert land.judge(row.pdf, row.receipt).outcome is Outcome.VALID
    assert (reasons["changes"], reasons["ledger"]) == ("RENEWED", "LOGGED")
    # Without the receipt the document answers for the seal itself.
    alone = {step.step: step.reason for step in land.judge(row.pdf, years=3).steps}
    assert (alone["seal_then"], alone["time"]) == ("CERTIFICATE_GOOD", "TIME_STAMPED")
    assert land.judge(row.pdf, years=3).outcome is Outcome.VALID
    assert (b"/DocTimeStamp" in row.pdf) is (level == "B-LTA")


async def test_a_document_that_waited_is_raised_when_the_authority_is_back(land: Land) -> None:
    """Away while sealing: released later, stamped and with its validation data, once."""
    land.level = "B-LTA"
    issuing = land.issuing()
    land.stamps.away = True
    with pytest.raises(HubError):
        await issuing.IssueCertificate(request(), None)
    land.stamps.away = False

    async def released() -> bool:
        return (await land.row()).stage == store.ISSUED

    await eventually(released, within=10)
    row = await land.row()
    assert land.judge(row.pdf, row.receipt).outcome is Outcome.VALID
    assert row.pdf.count(b"/DocTimeStamp") == 1


async def test_a_renewed_document_is_known_by_what_was_logged(land: Land) -> None:
    """Renewed after release: the receipt is of the bytes before, and the verdict says so; anything but a renewal is
    not excused by it.
    """
    await land.issuing().IssueCertificate(request(), None)
    row = await land.row()
    land.level = "B-LTA"
    long_term = land.long_term()
    assert long_term is not None
    renewed = await long_term.raised(row.pdf)
    found = land.judge(renewed, row.receipt)
    reasons = {step.step: step.reason for step in found.steps}
    assert (found.outcome, reasons["ledger"]) == (Outcome.VALID, "LOGGED_BEFORE_RENEWAL")
    assert list(versions.digests(renewed))[1] == row.sha256
    changed = attack.update(renewed, {900: b"<<>>"})
    spoiled = land.judge(changed, row.receipt)
    assert spoiled.outcome is Outcome.INVALID
    assert {s.step: s.reason for s in spoiled.steps}["ledger"] == "RECEIPT_OF_ANOTHER"


def test_a_level_that_cannot_be_is_refused_at_start(land: Land) -> None:
    """A name that is none, and validation data without timestamps."""
    land.level = "B-X"
    with pytest.raises(ConfigError):
        land.long_term()
    land.level, land.stamps = "B-LT", None  # type: ignore[assignment]
    with pytest.raises(ConfigError):
        land.long_term()
