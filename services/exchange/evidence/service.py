"""EvidenceService: evidence for the parties of a call or case, with the ledger's receipt."""

from dataclasses import dataclass
from typing import Any

from services.exchange.evidence import store
from services.exchange.evidence.domain import Piece
from services.exchange.evidence.store import UNLOGGED, EvidenceRow
from services.exchange.service.pages import Pages, cut
from shuniu.api.esign.v1 import evidence_pb2 as esign_pb
from shuniu.api.esign.v1 import evidence_pb2_grpc as esign_grpc
from shuniu.api.exchange.v1 import evidence_pb2 as pb
from shuniu.api.exchange.v1 import evidence_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc import client
from shuniu.kit.rpc.caller import CallerKind, current_caller

# How long to wait for newer cosignatures, s; the stored receipt proves the entry as well.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class EvidenceService(evidence_pb2_grpc.EvidenceServiceServicer):
    """Reads only: units of work store evidence, `EvidenceLog` logs it."""

    base: Foundation
    pages: Pages
    esign: esign_grpc.EvidenceServiceStub

    async def GetEvidence(self, request: pb.GetEvidenceRequest, context: Any) -> pb.GetEvidenceResponse:
        row = await self.base.store.read(store.find, request.id)
        if row is None or not _took_part(row.piece):
            raise errors.not_found(
                "EVIDENCE_UNKNOWN",
                "There is no such evidence for you.",
                "没有该存证记录或您无权查看。",
                id=request.id[:64],
            )
        await self.base.write(lambda conn: self.base.audit(conn, "GetEvidence", f"evidence/{row.piece.id}"))
        receipt = await self._receipt(row)
        return pb.GetEvidenceResponse(
            evidence=_view(row),
            record=row.piece.record,
            salt=row.piece.salt.hex(),
            tlog_proof=receipt,
            file=row.piece.file(receipt),
        )

    async def _receipt(self, row: EvidenceRow) -> str:
        """The receipt with the newest cosignatures; the stored one while esign is unavailable."""
        if row.index == UNLOGGED:
            return ""
        asked = esign_pb.GetReceiptRequest(digest=row.digest)
        try:
            return str((await client.ask(self.esign.GetReceipt, asked, timeout=_PATIENCE)).receipt.tlog_proof)
        except HubError:
            return row.receipt

    async def ListEvidence(self, request: pb.ListEvidenceRequest, context: Any) -> pb.ListEvidenceResponse:
        caller = current_caller()
        query = f"evidence {request.case_code}"
        page = self.pages.asked(caller.key, query, request.page_token, request.page_size, default=100, most=500)
        party = None if caller.kind is CallerKind.OPERATOR else caller.platform
        rows = await self.base.store.read(store.of_case, request.case_code, party, page.after, page.size + 1)
        shown, last = cut(rows, page.size)
        response = pb.ListEvidenceResponse(evidence=[_view(row) for row in shown])
        if last is not None:
            response.next_page_token = self.pages.token(caller.key, query, (last.piece.id,))
        return response


def _took_part(piece: Piece) -> bool:
    caller = current_caller()
    return caller.kind is CallerKind.OPERATOR or caller.platform in piece.parties


def _view(row: EvidenceRow) -> pb.Evidence:
    view = pb.Evidence(id=row.piece.id, kind=row.piece.kind.value, digest=row.digest)
    view.time.FromMicroseconds(row.piece.time_us)
    if row.index != UNLOGGED:
        view.ledger_index = row.index
    return view
