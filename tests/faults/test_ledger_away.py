"""The ledger cannot be written while documents are issued over gRPC: nothing is released, everything is released later."""

import asyncio
import errno
import os

import grpc
import pytest

from services.esign.documents.store import certificates as document_rows
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import EntryType
from services.esign.ledger.store import files as ledger_store
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit.rpc.client import error_of
from shuniu.kit.testing import eventually
from tests.support.of_case import of_case
from tests.support.seal_land import AGENCY, FACTS, headers, rid, seal_land

CASES = [f"NMG20260601000{n}" for n in range(3)]


class Disk:
    """Full after so many bytes of a record; the log finds out in the middle of it."""

    def __init__(self, monkeypatch):
        self.full = False
        self.refused = 0
        whole = os.pwrite

        def pwrite(handle, data, at):
            if not self.full:
                return whole(handle, data, at)
            if len(data) > 40:
                return whole(handle, data[:40], at)
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(ledger_store.os, "pwrite", pwrite)


@pytest.fixture
async def land():
    async with seal_land() as it:
        task = asyncio.create_task(it.issuing.finish_interrupted())
        yield it
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def issue(land, case, request_id=""):
    request = esign_pb2.IssueCertificateRequest(request_id=request_id or rid(), case_code=case, facts=FACTS)
    try:
        return (await land.documents.IssueCertificate(request, metadata=AGENCY, timeout=20)).certificate
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from None


async def test_a_full_disk_releases_nothing_and_loses_nothing(land, monkeypatch):
    """UNAVAILABLE LEDGER_AWAY; the sealed document is nowhere to be had; with room again it is released by itself, the
    same bytes, logged once, and other documents too.
    """
    disk = Disk(monkeypatch)
    await land.active()
    await issue(land, CASES[0])
    disk.full = True
    failed = await asyncio.gather(*(issue(land, case) for case in CASES[1:]), return_exceptions=True)
    assert [error.reason for error in failed] == ["LEDGER_AWAY"] * 2
    assert disk.refused
    waiting = [await land.base.store.read(of_case, case) for case in CASES[1:]]
    assert {row.stage for row in waiting} == {document_rows.SEALED}
    for row in waiting:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            asked = esign_pb2.DownloadCertificateRequest(number=row.number)
            await land.documents.DownloadCertificate(asked, metadata=headers("platform", "police", "case.read"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        verdict = (await land.verification.VerifyByHash(esign_pb2.VerifyByHashRequest(hash=row.sha256))).verdict
        assert verdict.verdict == "INDETERMINATE"
    disk.full = False

    async def released():
        rows = [await land.base.store.read(of_case, case) for case in CASES]
        return {row.stage for row in rows} == {document_rows.ISSUED}

    await eventually(released, within=15)
    for row in waiting:
        assert (await issue(land, row.case_code)).sha256 == row.sha256
        assert (await land.verdict(row.pdf)).verdict == "VALID"
    sealed = [entry for entry in await land.entries() if entry.type is EntryType.DOCUMENT_SEALED]
    assert len(sealed) == len({entry.document_sha256 for entry in sealed}) == 3


async def test_a_caller_who_leaves_takes_nothing_with_him(land, monkeypatch):
    """The call is cancelled while its document is on the way into the ledger: it is released by itself, logged once."""
    await land.active()
    entered, go = asyncio.Event(), asyncio.Event()
    whole = type(land.ledger).append

    async def append(self, entry: ledger.Entry):
        receipt = await whole(self, entry)
        if entry.type is EntryType.DOCUMENT_SEALED and not go.is_set():
            entered.set()
            await go.wait()
        return receipt

    monkeypatch.setattr(type(land.ledger), "append", append)
    asking = asyncio.create_task(issue(land, CASES[0]))
    await entered.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    go.set()

    async def released():
        row = await land.base.store.read(of_case, CASES[0])
        return row is not None and row.stage == document_rows.ISSUED

    await eventually(released, within=15)
    assert [entry.type for entry in await land.entries()].count(EntryType.DOCUMENT_SEALED) == 1
