"""Opens verification and the workers that read foreign documents."""

from dataclasses import dataclass

from services.esign.config import EsignSettings
from services.esign.flows.register import flow_of
from services.esign.revocation.own_list import RevocationLists
from services.esign.signing.proof import outside_roots
from services.esign.verification.service.verification import VerificationService
from services.esign.verification.workers.verifier import Verifier
from services.esign.wiring.opened import Opened
from shuniu.kit.parts import Part
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.fair_queue import Room
from shuniu.kit.rpc.options import MAX_MESSAGE
from shuniu.kit.rpc.server import servicer
from shuniu.kit.rpc.uploads import Carries, UploadRoom, busy

# A flow's request stays until it is recorded, beside it the document that it carries and the one prepared of that.
FLOW_COPIES = 4
UPLOADS_LEAST = FLOW_COPIES * MAX_MESSAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPart(Part):
    verifier: Verifier
    uploads: UploadRoom


def open_verification(opened: Opened, witness_vkeys: tuple[str, ...], lists: RevocationLists) -> VerificationPart:
    """Raises ConfigError."""
    settings = opened.settings
    tsa_pem, uploads, verifier = outside_roots(settings), _uploads(settings), _verifier(settings)

    async def close() -> None:
        verifier.close()

    verification = VerificationService(
        opened.base,
        opened.secrets,
        verifier,
        settings.document_most_bytes,
        opened.ledger,
        tsa_pem=tsa_pem,
        witness_vkeys=witness_vkeys,
        registers=(flow_of,),
        lists=lists,
    )
    served = servicer(verification, {"VerifyDocument": Carries(uploads)})
    return VerificationPart(verifier=verifier, uploads=uploads, edge=[served], close=close)


def _uploads(settings: EsignSettings) -> UploadRoom:
    """For all calls of esign that carry a document."""
    if settings.uploads_most_bytes < UPLOADS_LEAST:
        raise ConfigError(f"[esign] uploads_most_bytes: {UPLOADS_LEAST} or more")
    return UploadRoom(settings.uploads_most_bytes, busy)


def _verifier(settings: EsignSettings) -> Verifier:
    return Verifier(
        settings.verify_seconds,
        workers=settings.verify_workers,
        cpu_seconds=settings.verify_cpu_seconds,
        memory=settings.verify_memory_bytes,
        room=Room(settings.verify_waiting_most, settings.verify_waiting_most_bytes),
    )
