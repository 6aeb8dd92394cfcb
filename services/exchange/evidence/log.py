"""Stores evidence and sends its digests to esign's ledger, retrying while esign is unavailable."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection

from services.exchange import metrics
from services.exchange.evidence import store
from services.exchange.evidence.domain import SALT_BYTES, Kind, Piece, record
from services.exchange.evidence.store import EvidenceRow
from shuniu.api.esign.v1 import evidence_pb2, evidence_pb2_grpc
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.usage import Purpose, count
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.rpc import client
from shuniu.kit.store import announce, lease

_log = log.get("evidence")
_BATCH: Final = 500
_LEASE: Final = "evidence"
# Longer than a batch may take; a replica that died holds the others up no longer than this.
_LEASE_US: Final = 60_000_000
_SECONDS: Final = 30.0
# Announced by units that store evidence.
_TOPIC: Final = "evidence"
# How long new evidence waits for more, s.
_GATHERING: Final = 0.05
# How often to look for evidence that another replica stored, s.
_LOOK: Final = 5.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0


class EvidenceBook:
    """Stores evidence in the unit of work that causes it, and signals after the commit."""

    def __init__(self, base: Foundation) -> None:
        self._algorithm = profile.of(base.hub.profile).audit_hash
        self._hub = base.hub.code
        self.news = asyncio.Event()
        base.store.listen(_TOPIC, self.news.set)

    def keep(
        self,
        conn: Connection,
        evidence_id: str,
        kind: Kind,
        time_us: int,
        parties: tuple[str, str],
        facts: Mapping[str, object],
        *,
        case_code: str = "",
    ) -> None:
        """`facts`: codes, digests and instants; never a person's name or number."""
        text = record(evidence_id, kind, time_us, {**facts, "hub": self._hub})
        salt = os.urandom(SALT_BYTES)
        count(Purpose.EVIDENCE, self._algorithm)
        store.keep(conn, Piece(evidence_id, kind, time_us, case_code, parties, text, self._algorithm, salt))
        announce(conn, _TOPIC)


@dataclass(slots=True)
class EvidenceLog:
    """Runs beside the servicers on each replica; the lease lets one of them log."""

    base: Foundation
    esign: evidence_pb2_grpc.EvidenceServiceStub
    book: EvidenceBook
    problem: str = field(default="")

    async def follow(self) -> None:
        """Task: logs waiting evidence, oldest first; retries while esign is unavailable or its disk is full."""
        pause = _SHORTEST_PAUSE
        while True:
            self.book.news.clear()
            try:
                more = await self._round()
            except HubError as error:
                if not self.problem:
                    _log.warning("evidence_waits", reason=error.reason)
                self.problem = error.reason
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            self.problem, pause = "", _SHORTEST_PAUSE
            if not more:
                await self._wait()

    async def facts(self) -> dict[str, str]:
        """For `shuniu status`."""
        count = await self.base.store.read(store.unlogged_count)
        return {"evidence_unlogged": f"{count} ({self.problem})" if count and self.problem else str(count)}

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK):
                await self.book.news.wait()
        except TimeoutError:
            return
        # Evidence of the next moments joins the same batch.
        await asyncio.sleep(_GATHERING)

    async def _round(self) -> bool:
        """Logs one batch; whether more may wait. Raises HubError."""
        rows = await self.base.store.read(store.unlogged, _BATCH)
        metrics.EVIDENCE_UNLOGGED.set(await self.base.store.read(store.unlogged_count) if rows else 0)
        if not rows or not await self.base.store.write(self._leased):
            return False
        answer = await client.ask(self.esign.AppendEvidence, _request(rows), timeout=_SECONDS)
        receipts = [
            (row.piece.id, receipt.index, receipt.tlog_proof)
            for row, receipt in zip(rows, answer.receipts, strict=True)
        ]
        await self.base.store.write(store.logged, receipts)
        metrics.EVIDENCE_LOGGED.inc(len(rows))
        return True

    def _leased(self, conn: Connection) -> bool:
        return lease.acquire(conn, _LEASE, self.base.writer, _LEASE_US)


def _request(rows: list[EvidenceRow]) -> evidence_pb2.AppendEvidenceRequest:
    """The same rows make the same request_id, so a repeated request is recognised."""
    digests = [row.digest for row in rows]
    request = evidence_pb2.AppendEvidenceRequest(request_id=sha256("".join(digests).encode()).hexdigest())
    for row in rows:
        piece = request.evidence.add(digest=row.digest, kind=row.piece.kind.value)
        piece.time.FromMicroseconds(row.piece.time_us)
    return request
