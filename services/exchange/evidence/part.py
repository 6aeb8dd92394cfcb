"""Opens evidence: what is stored, its way into the ledger, and those who read it."""

from dataclasses import dataclass

import grpc

from services.exchange.evidence.log import EvidenceBook, EvidenceLog
from services.exchange.evidence.service import EvidenceService
from services.exchange.service.pages import Pages
from shuniu.api.esign.v1 import evidence_pb2_grpc as esign_evidence
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePart(Part):
    book: EvidenceBook


def open_evidence(base: Foundation, esign: grpc.aio.Channel, pages: Pages) -> EvidencePart:
    book = EvidenceBook(base)
    log = EvidenceLog(base, esign_evidence.EvidenceServiceStub(esign), book)
    return EvidencePart(
        book=book, edge=[servicer(EvidenceService(base, pages, log.esign))], tasks=[log.follow], facts=log.facts
    )
