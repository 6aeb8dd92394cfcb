"""Issuing with timestamps while the authority is away: nothing is refused, nothing is sealed twice."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
import pytest_asyncio

from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import ValidationData
from services.esign.documents.store import certificates as document_rows
from services.esign.domain.pdf import versions
from services.esign.domain.verdict import Outcome
from services.esign.flows.work import Work
from services.esign.ledger.domain.ledger import open_checkpoint
from services.esign.signing.domain.pades import LastSignature
from services.esign.verification.service.verification import VerificationService
from services.esign.verification.workers.verifier import Verifier
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.config import ConfigError
from shuniu.kit.testing import eventually
from tests.support import documents as attack
from tests.support.esign import setting
from tests.support.issue_land import CASE, Land, issue_land, request
from tests.support.multisign import both
from tests.support.verdicts import judged


@pytest_asyncio.fixture
async def land() -> AsyncIterator[Land]:
    async with issue_land() as found:
        yield found


async def test_a_document_gets_its_timestamp_before_anybody_sees_it(land: Land) -> None:
    """The bytes that are logged and handed out carry the timestamp, and judge as VALID by it."""
    answer = await land.issuing().IssueCertificate(request(), None)
    row = await land.row()
    assert answer.certificate.sha256 == sha256(row.pdf).hexdigest()
    assert LastSignature.of(row.pdf).has_timestamp
    verdict = judged(
        row.pdf,
        trust=Trust((land.secrets.seal_ca.root,), (land.secrets.ledger.verifier,)),
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
    assert (waiting.stage, waiting.ledger_index) == (document_rows.SEALED, -1)
    land.stamps.away = False

    async def released() -> bool:
        return (await land.row()).stage == document_rows.ISSUED

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
        return (await land.row()).stage == document_rows.ISSUED

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
        return (await land.row()).stage == document_rows.ISSUED

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
    long_term = land.proof().long_term
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
        land.proof()
    land.level, land.stamps = "B-LT", None  # type: ignore[assignment]
    with pytest.raises(ConfigError):
        land.proof()


async def test_whoever_uploads_a_renewed_document_is_told_that_it_stands(land: Land) -> None:
    """The service finds the document by what it was before its renewal: VALID while it stands, INVALID once its issuer
    withdraws it, and never VALID for what is no renewal.
    """
    await land.issuing().IssueCertificate(request(), None)
    row = await land.row()
    land.level = "B-LTA"
    long_term = land.proof().long_term
    assert long_term is not None
    renewed = await long_term.raised(row.pdf)
    with Verifier(30.0) as verifier:
        asked = VerificationService(land.base, land.secrets, verifier, 20_000_000, land.ledger)

        async def verdict(pdf: bytes) -> pb.Verdict:
            return (await asked.VerifyDocument(pb.VerifyDocumentRequest(pdf=pdf), None)).verdict

        found = await verdict(renewed)
        reasons = {step.step: step.reason for step in found.steps}
        assert (found.verdict, reasons["ledger"]) == ("VALID", "LOGGED_BEFORE_RENEWAL")
        assert (reasons["document"], found.document["number"]) == ("DOCUMENT_STANDS", row.number)
        assert (await verdict(attack.update(row.pdf, {900: b"<<>>"}))).verdict == "INVALID"
        await land.base.write(lambda conn: document_rows.revoke(conn, row.number, "test", land.base.clock.now_us()))
        assert (await verdict(renewed)).verdict == "INVALID"


@pytest.mark.parametrize("level", ["", "B-LT", "B-LTA"])
async def test_what_several_signed_is_closed_at_the_level_that_is_set(land: Land, level: str) -> None:
    """One document timestamp closes it; at B-LT and B-LTA the document carries who signed and stamped."""
    land.level = level
    long_term = land.proof().long_term
    if long_term is not None:
        long_term.roots = (*long_term.roots, setting().root.certificate)
    parts: Any = None
    work = Work(land.base, land.ledger, parts, parts, parts, land.executor, land.stamps, long_term=long_term)
    closed = await work._closed(both("layout"))
    assert closed.count(b"/DocTimeStamp") == 1
    assert bool(ValidationData.of(attack.read(closed)).certificates) is bool(level)
    # The timestamp covers the validation data at B-LTA only.
    assert (closed.rindex(b"/DocTimeStamp") > closed.rfind(b"/DSS")) is (level != "B-LT")
