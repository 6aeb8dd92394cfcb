"""Opens verification and the workers that read foreign documents."""

from dataclasses import dataclass

from services.esign.config import EsignSettings
from services.esign.flows.register import flow_of
from services.esign.keys.secrets import Secrets
from services.esign.verification.service.verification import VerificationService
from services.esign.verification.workers.fair_queue import Room
from services.esign.verification.workers.verifier import Verifier
from services.esign.wiring.ledger import LedgerPart
from services.esign.wiring.timestamps import outside_roots
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.process.config import ConfigError
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPart(Part):
    verifier: Verifier


def open_verification(
    base: Foundation, settings: EsignSettings, secrets: Secrets, ledger: LedgerPart
) -> VerificationPart:
    """Raises ConfigError."""
    tsa_pem, verifier = outside_roots(settings), _verifier(settings)

    async def close() -> None:
        verifier.close()

    verification = VerificationService(
        base,
        secrets,
        verifier,
        settings.document_most_bytes,
        ledger.log,
        tsa_pem=tsa_pem,
        witness_vkeys=ledger.witness_vkeys,
        registers=(flow_of,),
    )
    return VerificationPart(verifier=verifier, edge=[servicer(verification)], close=close)


def _verifier(settings: EsignSettings) -> Verifier:
    if min(settings.verify_workers, settings.verify_waiting_most, settings.verify_waiting_most_bytes) < 1:
        raise ConfigError("[esign] verify_workers, verify_waiting_most, verify_waiting_most_bytes: 1 or more")
    return Verifier(
        settings.verify_seconds,
        workers=settings.verify_workers,
        cpu_seconds=settings.verify_cpu_seconds,
        memory=settings.verify_memory_bytes,
        room=Room(settings.verify_waiting_most, settings.verify_waiting_most_bytes),
    )
