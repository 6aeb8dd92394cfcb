"""A document is revoked while its verdict is under way: nobody is answered after the commit with what was true before."""

import asyncio
import hashlib

import grpc
import pytest

from services.esign.verification.cache import VerdictCache
from services.esign.verification.service import uploaded
from services.esign.verification.service.register import RegisterQuestions
from services.esign.verification.service.uploaded import UploadedDocuments
from services.esign.verification.workers.verifier import Here
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit.rpc.client import error_of
from tests.support.documents import update
from tests.support.seal_land import POLICE, headers, rid, seal_land


async def test_a_verdict_that_waited_is_of_the_register_as_it_stands(monkeypatch) -> None:
    """It is judged anew when the register says something else than before, and once where it says the same."""
    monkeypatch.setattr(uploaded, "_WAITED_SECONDS", 0.0)
    judge, judged = Here.judge, 0
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slow(self, question):
        nonlocal judged
        judged += 1
        found = await judge(self, question)
        begun.set()
        await gate.wait()
        return found

    monkeypatch.setattr(Here, "judge", slow)
    async with seal_land() as land:
        seal = await land.active()
        number = (await land.issue("NMG202606010003", seal.id)).number
        pdf = (await land.downloaded(number)).pdf
        asking = asyncio.create_task(land.verdict(pdf))
        await begun.wait()
        request = esign_pb2.RevokeCertificateRequest(request_id=rid(), number=number, reason="测试")
        await land.documents.RevokeCertificate(request, metadata=headers("platform", POLICE, "seal.use"))
        gate.set()
        assert (await asking).verdict == "INVALID"
        assert judged == 2
        assert (await land.verdict(pdf)).verdict == "INVALID"
        assert judged == 2


async def test_a_register_that_changes_with_every_verdict_gives_none(monkeypatch) -> None:
    """Every verdict is out of date when it is there: VERIFY_AWAY, and never one of those. When the register rests, the
    same document gets its verdict.
    """
    monkeypatch.setattr(uploaded, "_WAITED_SECONDS", 0.0)
    judge = Here.judge
    async with seal_land() as land:
        seal = await land.active()
        number = (await land.issue("NMG202606010003", seal.id)).number
        pdf = (await land.downloaded(number)).pdf
        revoking = esign_pb2.RevokeCertificateRequest(request_id=rid(), number=number, reason="测试")
        changes = [
            lambda: land.changed(seal.id, esign_pb2.SEAL_STATE_SUSPENDED),
            lambda: land.documents.RevokeCertificate(revoking, metadata=headers("platform", POLICE, "seal.use")),
            lambda: land.changed(seal.id, esign_pb2.SEAL_STATE_ACTIVE),
        ]

        async def overtaken(self, question):
            found = await judge(self, question)
            if changes:
                await changes.pop(0)()
            return found

        monkeypatch.setattr(Here, "judge", overtaken)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await land.verdict(pdf)
        assert error_of(refused.value).reason == "VERIFY_AWAY"
        assert not changes
        assert (await land.verdict(pdf)).verdict == "INVALID"


async def test_a_document_that_only_holds_a_registered_one_is_judged_with_the_lists(monkeypatch) -> None:
    """As any other document that the register does not know: what was revoked counts for its signers."""
    judge, asked = VerdictCache.judge, []

    async def seen(self, question):
        asked.append(question)
        return await judge(self, question)

    async with seal_land() as land:
        seal = await land.active()
        pdf = (await land.downloaded((await land.issue("NMG202606010003", seal.id)).number)).pdf
        monkeypatch.setattr(VerdictCache, "judge", seen)
        await land.changed(seal.id, esign_pb2.SEAL_STATE_SUSPENDED)
        await land.verdict(update(pdf, {900: b"<< /Type /Annot >>"}))
        first, last = asked
        assert (first.known.document is not None, first.crls) == (True, ())
        assert (last.known.document, last.receipt, len(last.crls)) == (None, None, 1)


@pytest.mark.parametrize("seconds", [0.02, 3600.0])
async def test_a_verdict_is_of_no_moment_after_a_revocation_that_it_does_not_know(monkeypatch, seconds: float) -> None:
    """The document is revoked, and that is answered, when the register was read and nothing is judged yet: what is said
    as of later than that answer is INVALID, however little time a verdict may take before it is looked at again.
    """
    monkeypatch.setattr(uploaded, "_WAITED_SECONDS", seconds)
    async with seal_land() as land:
        seal = await land.active()
        number = (await land.issue("NMG202606010003", seal.id)).number
        pdf = (await land.downloaded(number)).pdf
        read, answered_us = UploadedDocuments._standing, 0

        async def overtaken(self, upload):
            nonlocal answered_us
            found = await read(self, upload)
            if not answered_us:
                request = esign_pb2.RevokeCertificateRequest(request_id=rid(), number=number, reason="测试")
                await land.documents.RevokeCertificate(request, metadata=headers("platform", POLICE, "seal.use"))
                answered_us = land.clock.now_us()
            return found

        monkeypatch.setattr(UploadedDocuments, "_standing", overtaken)
        found = await land.verdict(pdf)
        assert found.verdict == ("INVALID" if seconds < 1 else "VALID")
        assert found.verdict == "INVALID" or found.as_of.ToMicroseconds() < answered_us


@pytest.mark.parametrize("by", ["hash", "number"])
async def test_an_answer_without_the_file_is_of_no_moment_after_a_revocation_either(monkeypatch, by: str) -> None:
    """The document is revoked, and that is answered, while the ledger is read."""
    async with seal_land() as land:
        seal = await land.active()
        number = (await land.issue("NMG202606010003", seal.id)).number
        sha256 = hashlib.sha256((await land.downloaded(number)).pdf).hexdigest()
        logged, answered_us = RegisterQuestions._logged, 0

        async def overtaken(self, row):
            nonlocal answered_us
            request = esign_pb2.RevokeCertificateRequest(request_id=rid(), number=number, reason="测试")
            await land.documents.RevokeCertificate(request, metadata=headers("platform", POLICE, "seal.use"))
            answered_us = land.clock.now_us()
            return await logged(self, row)

        monkeypatch.setattr(RegisterQuestions, "_logged", overtaken)
        if by == "hash":
            found = await land.verification.VerifyByHash(esign_pb2.VerifyByHashRequest(hash=sha256))
        else:
            asked = esign_pb2.VerifyByNumberRequest(number=number, hash_tail=sha256[-8:])
            found = await land.verification.VerifyByNumber(asked)
        assert found.verdict.as_of.ToMicroseconds() < answered_us


async def test_lists_that_changed_meanwhile_are_another_question(monkeypatch) -> None:
    """A document that the register does not know is judged by the hub's lists, as they are when the verdict is given."""
    monkeypatch.setattr(uploaded, "_WAITED_SECONDS", 0.0)
    judge, asked = VerdictCache.judge, []
    async with seal_land() as land:
        seal = await land.active()

        async def overtaken(self, question):
            found = await judge(self, question)
            if not asked:
                await land.changed(seal.id, esign_pb2.SEAL_STATE_SUSPENDED)
            asked.append(question)
            return found

        monkeypatch.setattr(VerdictCache, "judge", overtaken)
        await land.verdict(b"%PDF-1.7\nof nobody")
        assert [len(question.crls) for question in asked] == [0, 1]
