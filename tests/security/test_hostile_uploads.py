"""Hostile files through the real servicer and its worker process: a clear verdict, in bounded time and memory."""

import asyncio
import errno
import itertools
import os
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from services.esign.documents.store import lookup
from services.esign.domain.errors import NoteMalformedError
from services.esign.domain.foreign_documents import MEMORY_BYTES
from services.esign.domain.verdict import Outcome
from services.esign.ledger.domain.ledger import MOST_RECEIPT, parse_receipt
from services.esign.ledger.sequencer import Sequencer
from services.esign.verification import cache as verdict_cache
from services.esign.verification.service import register, uploaded
from services.esign.verification.service.verification import VerificationService
from services.esign.verification.workers.verifier import Question, Verifier, VerifierFailedError
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.fair_queue import Room
from tests.security.test_document_attacks import HOSTILE
from tests.support import hostile
from tests.support.esign import small_pdf
from tests.support.seal_land import seal_land

SENT = (
    "header",
    "text",
    "zip",
    "objects",
    "revisions",
    "fields",
    "bomb",
    "bomb-in-bomb",
    "nesting",
    "strings",
    "streams",
)
# The worker's own limit is 10; a busy machine gets the rest.
MOST_SECONDS = 20.0


@pytest.fixture
async def land():
    async with seal_land() as it:
        yield it


def status_of(pid: int, name: str) -> int:
    """A size of a process, bytes (proc(5), status); 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def grown_bytes() -> int:
    """The most that any worker has taken beyond the process it was forked from."""
    nurseries = [pid for pid in children(os.getpid()) if b"raise_workers" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert nurseries
    return max(
        [0, *(status_of(pid, "VmHWM") - status_of(above, "VmHWM") for above in nurseries for pid in children(above))]
    )


@pytest.mark.timeout(240)
async def test_hostile_uploads_get_their_verdict_and_cost_nobody_else(land):
    """Each is INVALID or INDETERMINATE with twelve steps and a reason; a worker stays within its memory; a good
    document does not wait behind them, whether the hub sealed it or somebody else.
    """
    seal = await land.active()
    good = (await land.downloaded((await land.issue("NMG202606010001", seal.id)).number)).pdf
    for name in SENT:
        pdf = HOSTILE[name]()
        began = time.monotonic()
        verdict = await land.verdict(pdf)
        assert (name, verdict.verdict in {"INVALID", "INDETERMINATE"}) == (name, True)
        assert len(verdict.steps) == 12
        assert verdict.steps[0].reason not in {"", "NOT_REACHED"}
        assert time.monotonic() - began < MOST_SECONDS, name
        assert grown_bytes() < MEMORY_BYTES
    # Other bytes each time: a verdict that is known already costs nothing.
    queue = [asyncio.create_task(land.verdict(HOSTILE["strings"]() + b"%d" % n)) for n in range(4)]
    foreign = small_pdf()
    assert (await land.verdict(good)).verdict == "VALID"
    assert not all(task.done() for task in queue)
    assert (await land.verdict(foreign)).verdict != "VALID"
    assert "VALID" not in {one.verdict for one in await asyncio.gather(*queue)}


async def test_what_is_too_large_is_refused_by_its_size(land):
    """100 MB never reach the worker, nor does what is one byte over the limit; an empty file is refused by name."""
    for size in (100 * 1024 * 1024, (1 << 24) + 1):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await land.verification.VerifyDocument(esign_pb2.VerifyDocumentRequest(pdf=bytes(size)))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await land.verification.VerifyDocument(esign_pb2.VerifyDocumentRequest())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_ledger_that_cannot_be_read_takes_no_verdict(land, monkeypatch):
    """An error of its disk: the receipt that was kept at the release proves the entry; where none was kept the step
    ledger is unknown. Neither is an error of the call.
    """
    seal = await land.active()
    pdf = (await land.downloaded((await land.issue("NMG202606010002", seal.id)).number)).pdf

    async def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Sequencer, "find_witnessed_receipt", broken)
    verdict = await land.verdict(pdf)
    assert verdict.verdict == "VALID"
    known = lookup.find_certificate_by_digests
    monkeypatch.setattr(lookup, "find_certificate_by_digests", lambda *asked: replace(known(*asked), receipt=""))
    verdict = await land.verdict(pdf)
    assert verdict.verdict == "INDETERMINATE"
    assert [step.status for step in verdict.steps if step.step == "ledger"] == ["unknown"]


async def test_a_ledger_whose_disk_hangs_keeps_nobody_waiting(land, monkeypatch):
    """The thread that writes it does not return: an own document is VALID by the receipt that was kept, and by its hash
    the step ledger is unknown; neither waits for the disk.
    """
    monkeypatch.setattr(uploaded, "LEDGER_SECONDS", 0.1)
    monkeypatch.setattr(register, "LEDGER_SECONDS", 0.1)
    seal = await land.active()
    issued = await land.issue("NMG202606010005", seal.id)
    pdf = (await land.downloaded(issued.number)).pdf
    hanging = threading.Event()
    land.ledger._writer.submit(hanging.wait)
    try:
        assert (await asyncio.wait_for(land.verdict(pdf), MOST_SECONDS)).verdict == "VALID"
        asked = land.verification.VerifyByHash(esign_pb2.VerifyByHashRequest(hash=issued.sha256), timeout=MOST_SECONDS)
        assert [step.reason for step in (await asked).verdict.steps if step.step == "ledger"] == ["LEDGER_AWAY"]
    finally:
        hanging.set()


async def test_a_receipt_longer_than_any_is_refused_by_its_size(land):
    """By name, before a copy is made of it or a place taken in any queue; offline it is no receipt."""
    long = "c2sp.org/tlog-proof@v1\n" + "x" * MOST_RECEIPT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await land.verification.VerifyDocument(esign_pb2.VerifyDocumentRequest(pdf=small_pdf(), tlog_proof=long))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(NoteMalformedError):
        parse_receipt(long)


def test_all_that_a_question_brings_is_counted():
    """Document, seal signature and receipt take room in the queue; and the key of a verdict is made without copies of
    what has megabytes.
    """
    mebibyte = 1 << 20
    asked = Question(bytes(mebibyte), b"", (), 0, "证" * mebibyte, None, ses=bytes(mebibyte), crls=(bytes(mebibyte),))
    assert asked.size == 5 * mebibyte
    tracemalloc.start()
    verdict_cache._key(asked)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The receipt's bytes; its characters spelled out would be three times that and more.
    assert most < 4 * mebibyte


@pytest.mark.parametrize(
    ("reading", "argument"),
    [(sum, itertools.count()), (bytearray, 2 * MEMORY_BYTES)],
    ids=["too much work", "too much memory"],
)
async def test_a_worker_that_breaks_its_bounds_is_replaced(reading, argument):
    """Too much work or memory: said so in time, and the next document is judged by a new worker."""
    with Verifier(30.0, cpu_seconds=0.5) as verifier:
        await verifier.run(len, b"")
        with pytest.raises(VerifierFailedError):
            await verifier.run(reading, argument)
        verdict = await verifier.judge(Question(HOSTILE["header"](), b"", (), 0, None, None))
    assert verdict.outcome is not Outcome.VALID


async def test_a_worker_has_its_memory_and_no_more():
    """What fits into the bound beside the imports is read; one that takes more is given up, whatever was free."""
    with Verifier(10.0) as verifier:
        assert await verifier.run(eval, f"len(bytes({MEMORY_BYTES * 3 // 4}))") == MEMORY_BYTES * 3 // 4
        with pytest.raises(VerifierFailedError, match="MemoryError"):
            await verifier.run(eval, f"len(bytes({MEMORY_BYTES}))")


async def test_a_document_beyond_its_budget_is_no_wrong_verdict(land):
    """INDETERMINATE, LIMIT_REACHED: nothing is said of a document that was not read to its end."""
    with Verifier(10.0, cpu_seconds=0.0) as verifier:
        answering = VerificationService(land.base, land.secrets, verifier, 1 << 24, ledger=land.ledger)
        # In a thread: pyHanko, which signed it first, starts event loops of its own.
        pdf = await asyncio.to_thread(hostile.HOSTILE["wide arrays"])
        request = esign_pb2.VerifyDocumentRequest(pdf=pdf)
        verdict = (await answering.VerifyDocument(request, None)).verdict
    assert (verdict.verdict, verdict.steps[0].reason) == ("INDETERMINATE", "LIMIT_REACHED")


async def test_a_full_queue_refuses_and_says_what_to_do(land):
    """RESOURCE_EXHAUSTED with a reason and two sentences, never a verdict; the documents that wait get theirs."""
    with Verifier(10.0, workers=1, room=Room(2, 1 << 20)) as verifier:
        assert await verifier.run(len, b"") == 0
        answering = VerificationService(land.base, land.secrets, verifier, 1 << 24, ledger=land.ledger)

        async def verdict(number: int) -> str:
            request = esign_pb2.VerifyDocumentRequest(pdf=small_pdf() + b"%d" % number)
            return (await answering.VerifyDocument(request, None)).verdict.verdict

        busy = asyncio.create_task(verifier.run(time.sleep, 1))
        found = await asyncio.gather(*map(verdict, range(6)), return_exceptions=True)
        await busy
    refused = [each for each in found if isinstance(each, HubError)]
    assert {(each.code, each.reason) for each in refused} == {(Code.RESOURCE_EXHAUSTED, "VERIFY_BUSY")}
    assert all("send" in each.en and "请" in each.zh for each in refused)
    assert [type(each) for each in found if each not in refused] == [str, str]
    assert "VALID" not in found
