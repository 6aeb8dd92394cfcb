"""The hub issues documents as OFD beside PDF: one number, one entry of the ledger, two seals."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from cryptography import x509

from services.esign.certification.domain.trust import Trust
from services.esign.config import EsignSettings
from services.esign.documents.packages import open_packages
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import ofd as ofd_store
from services.esign.domain.errors import EsignError
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.ledger.domain import ledger
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.ses import document as ses_document
from services.esign.verification.domain.ofd.judge import judge_ofd
from services.esign.verification.domain.register_steps import Known
from services.esign.verification.service.register import known
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit.crypto import sm
from shuniu.kit.process.config import ConfigError
from tests.support import ofd_java
from tests.support.of_case import of_case
from tests.support.ofd import PAGE, packed, unpacked
from tests.support.seal_land import POLICE, SealLand, headers, seal_land

pytestmark = pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")
OFD = pb.CERTIFICATE_FORM_OFD


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    """A hub with an active seal that makes OFD too."""
    async with seal_land(sm2=True) as found:
        with ThreadPoolExecutor(1) as pool:
            settings = EsignSettings(ofd=True)
            found.issuing.packages = open_packages(settings, found.issuing.sidecars, pool, found.secrets.qr.host)
            await found.active()
            yield found


async def downloaded(land: SealLand, number: str, form: int = OFD) -> pb.DownloadCertificateResponse:
    request = pb.DownloadCertificateRequest(number=number, form=form)
    return await land.documents.DownloadCertificate(request, metadata=headers("platform", POLICE, "case.read"))


async def test_either_form_is_known_by_every_digest(land: SealLand) -> None:
    """SHA-256 and SM3 of the PDF and of the OFD, whole or their ends beside the number: VALID by each, and none counts
    as a wrong try.
    """
    document = await downloaded(land, (await land.issue("NMG202606010001")).number, pb.CERTIFICATE_FORM_PDF)
    number = document.certificate.number
    forms = [document.pdf, (await downloaded(land, number)).ofd]
    digests = [digest for form in forms for digest in (sha256(form).hexdigest(), sm.sm3(form).hex())]
    for digest in digests * 5:
        asked = pb.VerifyByNumberRequest(number=number, hash_tail=digest[-8:])
        assert (await land.verification.VerifyByNumber(asked)).verdict.verdict == "VALID"
    for digest in digests:
        answer = await land.verification.VerifyByHash(pb.VerifyByHashRequest(hash=digest))
        assert answer.verdict.verdict == "VALID"


async def judged(land: SealLand, document: bytes, receipt: str | None = None, *, online: bool = False) -> Verdict:
    assert land.secrets.sm is not None
    sm_trust = ses_document.trust(x509.load_pem_x509_certificates(land.secrets.sm.trust_pem))
    trust = Trust((), tuple(key for key in land.secrets.ledger_keys))
    return judge_ofd(
        document,
        trust=trust,
        sm_trust=sm_trust,
        now_us=land.clock.now_us(),
        receipt=receipt,
        known=await registered(land, document) if online else None,
    )


async def registered(land: SealLand, document: bytes) -> Known:
    """What the register says, as the service asks it: by the file's digest, and with the seal's SM2 certificate."""
    digest = sha256(document).hexdigest()
    number = (await land.base.store.read(ofd_store.numbers_of, [digest])).get(digest)
    assert number is not None
    row = await land.base.store.read(document_rows.find_certificate_by_number, number)
    assert row is not None
    seal = await land.base.store.read(seal_rows.find_seal_by_id, row.seal_id)
    beside = await land.base.store.read(ses_store.find_sm2_seal, row.seal_id)
    assert beside is not None
    found = known(row, seal)
    return Known(found.document, found.seal_then, found.seal_now, sha256(beside.certificate).hexdigest())


async def test_both_forms_of_a_document(land: SealLand, tmp_path: Path) -> None:
    """The same number, receipt and QR code; each form is VALID by itself, offline and by the register."""
    issued = await land.issue("1500001000000000000001")
    pdf, ofd = await downloaded(land, issued.number, pb.CERTIFICATE_FORM_PDF), await downloaded(land, issued.number)
    assert (pdf.certificate, pdf.tlog_proof) == (ofd.certificate, ofd.tlog_proof)
    assert (bool(pdf.pdf), pdf.ofd, ofd.pdf, ofd.ses) == (True, b"", b"", b"")
    verdict = await judged(land, ofd.ofd, ofd.tlog_proof)
    assert verdict.outcome is Outcome.VALID
    assert verdict.step("ledger").reason == "LOGGED"
    online = await judged(land, ofd.ofd, ofd.tlog_proof, online=True)
    assert online.outcome is Outcome.VALID
    assert {step.status.value for step in online.steps} == {"valid"}
    for uploaded in (pdf.pdf, ofd.ofd):
        found = await land.verdict(uploaded)
        assert (found.verdict, found.document["number"]) == ("VALID", issued.number)
    by_hash = pb.VerifyByHashRequest(hash=sha256(ofd.ofd).hexdigest())
    told = (await land.verification.VerifyByHash(by_hash)).verdict
    assert (told.verdict, dict(told.document)) == ("VALID", {})


async def test_one_entry_commits_to_both_files(land: SealLand) -> None:
    """The receipt is of the PDF and of the OFD, and of no changed one."""
    issued = await land.issue("1500001000000000000002")
    pdf, ofd = await downloaded(land, issued.number, pb.CERTIFICATE_FORM_PDF), await downloaded(land, issued.number)
    entry = ledger.decode(ledger.parse_receipt(ofd.tlog_proof).entry)
    assert (entry.is_of(pdf.pdf), entry.is_of_ofd(ofd.ofd)) == (True, True)
    other = await land.issue("1500001000000000000003")
    receipt = (await downloaded(land, other.number)).tlog_proof
    assert (await judged(land, ofd.ofd, receipt)).step("ledger").reason == "RECEIPT_OF_ANOTHER"


async def test_an_independent_judge_agrees(land: SealLand, tmp_path: Path) -> None:
    """Java's ZIP and XML, BouncyCastle's SM2 and SM3: digests, seal, maker; PDFBox draws every letter. A changed page is
    told by both. ofdrw, where it is at hand (`ofd_java.ofdrw`), says the same: its 2.3 (August 2026) was asked when this
    was written, called these files good, and drew the page as the PDF has it.
    """
    issued = await land.issue("1500001000000000000004")
    document = (await downloaded(land, issued.number)).ofd
    good, bad = tmp_path / "good.ofd", tmp_path / "bad.ofd"
    good.write_bytes(document)
    files = unpacked(document)
    bad.write_bytes(packed({**files, PAGE: files[PAGE].replace("未发现有".encode(), "发现有".encode())}))
    said = ofd_java.judged(good, bad)
    words = said["good.ofd"].split()
    assert words[:3] == ["GOOD", "9", "files,"]
    assert words[3] == words[5] != "0"
    assert said["bad.ofd"] == f"CHANGED {PAGE}"
    assert (await judged(land, bad.read_bytes())).outcome is Outcome.INVALID
    assert ofd_java.ofdrw(good) in {None, "GOOD"}


async def test_what_an_ofd_cannot_show_is_issued_as_pdf(land: SealLand) -> None:
    """A sign that only the second font draws: the document is there, and says which form it has."""
    asked = pb.IssueCertificateRequest(
        request_id="q" * 22, case_code="1500001000000000000009", facts={"purpose": "核对甲≒乙"}
    )
    issued = (
        await land.documents.IssueCertificate(asked, metadata=headers("platform", POLICE, "seal.use"))
    ).certificate
    with pytest.raises(grpc.aio.AioRpcError):
        await downloaded(land, issued.number)
    assert (await land.verdict((await downloaded(land, issued.number, pb.CERTIFICATE_FORM_PDF)).pdf)).verdict == "VALID"


async def test_off_there_is_none(land: SealLand) -> None:
    """Without the setting nothing is made or kept, and the download says which form there is."""
    land.issuing.packages = None
    issued = await land.issue("1500001000000000000005")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await downloaded(land, issued.number)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "PDF" in str(refused.value.details())
    receipt = (await downloaded(land, issued.number, pb.CERTIFICATE_FORM_PDF)).tlog_proof
    assert ledger.decode(ledger.parse_receipt(receipt).entry).kind == ""


async def test_what_was_sealed_before_a_crash_is_logged_with_both(land: SealLand, monkeypatch) -> None:
    """The ledger is away after sealing; whoever goes on logs the very OFD that was kept."""
    append = land.issuing.ledger.append

    async def away(_entry: object) -> object:
        raise EsignError("LEDGER_AWAY", "away", "暂不可用")

    monkeypatch.setattr(land.issuing.ledger, "append", away, raising=False)
    case = "1500001000000000000006"
    with pytest.raises(grpc.aio.AioRpcError):
        await land.issue(case)
    row = await land.base.store.read(of_case, case)
    assert row is not None
    kept = await land.base.store.read(ofd_store.ofd_of, row.number)
    monkeypatch.setattr(land.issuing.ledger, "append", append, raising=False)
    land.issuing.packages = None
    issued = await land.issue(case)
    found = await downloaded(land, issued.number)
    assert found.ofd == kept
    assert (await judged(land, found.ofd, found.tlog_proof)).step("ledger").reason == "LOGGED"


async def test_a_withdrawn_document_is_withdrawn_in_both_forms(land: SealLand) -> None:
    """One document, one state."""
    issued = await land.issue("1500001000000000000007")
    document = await downloaded(land, issued.number)
    request = pb.RevokeCertificateRequest(request_id="r" * 22, number=issued.number, reason="出具有误")
    await land.documents.RevokeCertificate(request, metadata=headers("platform", POLICE, "seal.use"))
    verdict = await judged(land, document.ofd, document.tlog_proof, online=True)
    assert (verdict.outcome, verdict.step("document").reason) == (Outcome.INVALID, "DOCUMENT_REVOKED")


async def test_a_stolen_seal_key_makes_no_valid_ofd(land: SealLand) -> None:
    """What a seal signed from its invalidity date on is INVALID offline with the hub's SM2 list."""
    issued = await land.issue("1500001000000000000008")
    document = (await downloaded(land, issued.number)).ofd
    row = await land.base.store.read(document_rows.find_certificate_by_number, issued.number)
    assert row is not None
    await land.revoked(row.seal_id, since_us=row.signed_us - 1_000_000)
    assert land.secrets.sm is not None
    sm_trust = ses_document.trust(x509.load_pem_x509_certificates(land.secrets.sm.trust_pem))
    lists = (await land.crl("SM2"),)
    verdict = judge_ofd(document, trust=Trust(crls=lists), sm_trust=sm_trust, now_us=land.clock.now_us() + 1_000_000)
    assert (verdict.outcome, verdict.step("seal_then").reason) == (Outcome.INVALID, "CERTIFICATE_REVOKED")


def test_without_sm2_the_setting_is_refused() -> None:
    """A hub that cannot seal an OFD says so at its start."""
    assert open_packages(EsignSettings(), None, ThreadPoolExecutor(1), "hub.test") is None
    with pytest.raises(ConfigError, match="SM2"):
        open_packages(EsignSettings(ofd=True), None, ThreadPoolExecutor(1), "hub.test")
