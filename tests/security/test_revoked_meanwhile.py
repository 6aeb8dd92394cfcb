"""A document is revoked while its verdict is under way: nobody is answered after the commit with what was true before."""

import asyncio

from services.esign.verification.service import uploaded
from services.esign.verification.workers.verifier import Here
from shuniu.api.esign.v1 import esign_pb2
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
