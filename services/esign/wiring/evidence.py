"""Opens evidence: digests of other services in the ledger."""

from services.esign.evidence.service import EvidenceService
from services.esign.ledger.sequencer import Sequencer
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_evidence(base: Foundation, ledger: Sequencer) -> Part:
    return Part(peer=[servicer(EvidenceService(base, ledger))])
