"""Opens evidence: digests of other services in the ledger."""

from services.esign.evidence.service import EvidenceService
from services.esign.wiring.opened import Opened
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_evidence(opened: Opened) -> Part:
    return Part(peer=[servicer(EvidenceService(opened.base, opened.ledger))])
