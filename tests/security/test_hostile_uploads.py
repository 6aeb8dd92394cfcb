"""Hostile files through the real servicer and its worker process: a clear verdict, in bounded time and memory."""

import asyncio
import multiprocessing
import os
import time
from pathlib import Path

import grpc
import pytest

from services.esign.domain.verdict import Outcome
from services.esign.verifier import MEMORY_MOST, Question, Verifier, VerifierFailedError
from shuniu.api.esign.v1 import esign_pb2
from tests.security.test_document_attacks import HOSTILE
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


def peak_bytes() -> int:
    """The most memory that any worker of this process has held."""
    peaks = [0]
    for child in multiprocessing.active_children():
        status = Path(f"/proc/{child.pid}/status").read_text()
        peaks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks)


@pytest.mark.timeout(240)
async def test_hostile_uploads_get_their_verdict_and_cost_nobody_else(land):
    """Each is INVALID or INDETERMINATE with twelve steps and a reason; the worker stays within its memory; a good
    document does not wait behind them.
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
        assert peak_bytes() < MEMORY_MOST
    # Other bytes each time: a verdict that is known already costs nothing.
    queue = [asyncio.create_task(land.verdict(HOSTILE["strings"]() + b"%d" % n)) for n in range(4)]
    assert (await land.verdict(good)).verdict == "VALID"
    assert not all(task.done() for task in queue)
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


@pytest.mark.parametrize(
    ("reading", "argument"),
    [(time.sleep, 600), (bytearray, 2 * MEMORY_MOST), (os._exit, 1)],
    ids=["too long", "too much", "dead"],
)
async def test_a_worker_that_hangs_or_dies_is_replaced(reading, argument):
    """Too long, too much memory, gone: said so in time, and the next document is judged by a new worker."""
    with Verifier(2.0) as verifier:
        await verifier.run(len, b"")
        began = time.monotonic()
        with pytest.raises(VerifierFailedError):
            await verifier.run(reading, argument)
        assert time.monotonic() - began < 10
        verdict = await verifier.judge(Question(HOSTILE["header"](), b"", (), 0, None, None))
    assert verdict.outcome is Outcome.INVALID
