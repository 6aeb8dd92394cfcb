"""EvidenceService: digests of the hub's other services, each in the ledger once."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.esign.domain.errors import EsignError
from services.esign.evidence import store as evidence_store
from services.esign.evidence.store import EvidenceRow
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import UNLOGGED
from services.esign.ledger.sequencer import Sequencer
from services.esign.service.moments import micros
from services.esign.service.refusals import refusal
from shuniu.api.esign.v1 import evidence_pb2 as pb
from shuniu.api.esign.v1 import evidence_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc.caller import current_caller
from shuniu.rules import Violation

_MOST = 1000
_DIGEST = re.compile(r"(sm3:)?[0-9a-f]{64}")
_KIND = re.compile(r"[a-z0-9.-]{1,40}")


@dataclass(frozen=True, slots=True)
class EvidenceService(evidence_pb2_grpc.EvidenceServiceServicer):
    """The ledger for other services."""

    base: Foundation
    ledger: Sequencer

    async def AppendEvidence(self, request: pb.AppendEvidenceRequest, context: Any) -> pb.AppendEvidenceResponse:
        """Three steps, each of which a repeated request finds done or does: kept, logged, known to be logged."""
        source = current_caller().platform
        faults = list(_faults(request))
        if faults:
            raise errors.invalid(faults)
        asked = [EvidenceRow(one.digest, one.kind, one.time.ToMicroseconds()) for one in request.evidence]
        begin = partial(evidence_store.begin, source=source, rows=asked, since=self.ledger.size)

        def unit(conn: Any) -> pb.AppendEvidenceResponse:
            begin(conn)
            # Receipts are made anew for each answer: kept here they would outgrow what they prove.
            return pb.AppendEvidenceResponse()

        response = await self.base.mutate(request, pb.AppendEvidenceResponse, unit)
        digests = [row.digest for row in asked]
        kept = await self.base.store.read(evidence_store.rows, source, digests)
        indexes = {digest: row.index for digest, row in kept.items() if row.index != UNLOGGED}
        try:
            new = await self._log(source, [row for row in kept.values() if row.index == UNLOGGED])
        except EsignError as error:
            raise refusal(error) from None
        if new:
            await self.base.write(evidence_store.logged, source, new)
        receipts = await self.ledger.receipts([(indexes | new)[digest] for digest in digests])
        response.receipts.extend(pb.EvidenceReceipt(index=one.index, tlog_proof=one.text) for one in receipts)
        return response

    async def _log(self, source: str, rows: list[EvidenceRow]) -> dict[str, int]:
        """Digest → index of what is in the ledger from now on. Raises EsignError LEDGER_AWAY."""
        if not rows:
            return {}
        entries = {row.digest: row.entry(source) for row in rows}
        # Logged by a process that died before it could say so.
        there = await self.ledger.find({ledger.encode(entry) for entry in entries.values()}, min(r.since for r in rows))
        found = {digest: there.get(ledger.encode(entry)) for digest, entry in entries.items()}
        absent = [digest for digest, index in found.items() if index is None]
        receipts = await asyncio.gather(*(self.ledger.append(entries[digest]) for digest in absent))
        new = {digest: receipt.index for digest, receipt in zip(absent, receipts, strict=True)}
        return {digest: index for digest, index in found.items() if index is not None} | new

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: Any) -> pb.GetReceiptResponse:
        kept = await self.base.store.read(evidence_store.rows, current_caller().platform, [request.digest[:68]])
        row = kept.get(request.digest)
        if row is None or row.index == UNLOGGED:
            raise errors.not_found(
                "EVIDENCE_UNKNOWN", "You have logged no such digest.", "未登记过该摘要。", digest=request.digest[:68]
            )
        receipt = await self.ledger.find_witnessed_receipt(row.index) or await self.ledger.receipt(row.index)
        return pb.GetReceiptResponse(receipt=pb.EvidenceReceipt(index=receipt.index, tlog_proof=receipt.text))


def _faults(request: pb.AppendEvidenceRequest) -> Iterable[Violation]:
    if not 1 <= len(request.evidence) <= _MOST:
        yield Violation("evidence", "BATCH_SIZE", f"Send 1 to {_MOST} pieces.", f"每次请提交 1 至 {_MOST} 条。")
    seen: set[str] = set()
    for at, one in enumerate(request.evidence[:_MOST]):
        if not _DIGEST.fullmatch(one.digest):
            yield Violation(
                f"evidence[{at}].digest",
                "DIGEST_FORM",
                "64 digits of hex, behind sm3: for an SM3.",
                "应为 64 位十六进制小写，SM3 摘要加前缀 sm3:。",
            )
        elif one.digest in seen:
            yield Violation(f"evidence[{at}].digest", "DIGEST_REPEATED", "Given twice.", "摘要重复。")
        seen.add(one.digest)
        if not _KIND.fullmatch(one.kind):
            yield Violation(f"evidence[{at}].kind", "KIND_FORM", "a-z, 0-9, dot, hyphen.", "类别格式不正确。")
        if (micros(one.time) or 0) <= 0:
            yield Violation(f"evidence[{at}].time", "TIME_MISSING", "Say when it happened.", "请填写发生时间。")
