"""Esign killed -9 while another service logs evidence: every piece is in the ledger once."""

import asyncio
import contextlib
import os
import signal
import sys
from hashlib import sha256

from services.esign.ledger.domain import ledger
from shuniu.api.esign.v1 import evidence_pb2 as pb
from shuniu.api.esign.v1 import evidence_pb2_grpc
from shuniu.kit.errors import HubError
from shuniu.kit.rpc import client
from tests.support.ledger_side import TRUST, channel, evidence_in
from tests.support.witnesses import LOG

SERVER = "tests.support.ledger_side"


@contextlib.asynccontextmanager
async def served(directory):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", SERVER, directory, LOG.key.private_bytes_raw().hex(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


def batch(number):
    """The same number is the same batch; neighbours share half of their digests."""
    request = pb.AppendEvidenceRequest(request_id=f"batch-{number:06d}")
    for one in range(number * 10, number * 10 + 20):
        piece = request.evidence.add(digest=sha256(b"%d" % one).hexdigest(), kind="exchange.query")
        piece.time.FromSeconds(1_780_000_000 + one)
    return request


async def test_killed_while_it_logs_it_doubles_and_loses_nothing(tmp_path):
    """Batches go on through four kills, each sent again until it is answered; at the end each digest has one entry,
    and every receipt that was ever given is of that entry.
    """
    answered: dict[str, int] = {}
    async with channel(tmp_path) as opened:
        stub = evidence_pb2_grpc.EvidenceServiceStub(opened)

        async def send(number):
            request = batch(number)
            while True:
                try:
                    answer = await client.ask(stub.AppendEvidence, request, timeout=5.0)
                except HubError:
                    await asyncio.sleep(0.02)
                    continue
                for piece, receipt in zip(request.evidence, answer.receipts, strict=True):
                    entry, _ = ledger.check_receipt(ledger.parse_receipt(receipt.tlog_proof), TRUST.log_keys)
                    assert entry.commitment == piece.digest
                    assert answered.setdefault(piece.digest, receipt.index) == receipt.index
                return

        async with asyncio.TaskGroup() as senders:
            for life in range(4):
                async with served(tmp_path):
                    news = [senders.create_task(send(life * 30 + one)) for one in range(30)]
                    # Some are answered, others are under way when it dies.
                    await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
            last = await senders.create_task(_until_all(tmp_path, senders, answered))
    assert last == len(answered) == 4 * 300 + 10
    logged = [entry.commitment for entry in evidence_in(tmp_path)]
    assert sorted(logged) == sorted(answered)


async def _until_all(tmp_path, senders, answered):
    """Serves once more until every sender has its answer."""
    async with served(tmp_path):
        while len(answered) < 4 * 300 + 10:
            await asyncio.sleep(0.02)
    return len(answered)
