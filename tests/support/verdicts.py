"""The verdict on a document by each way of asking that there is."""

from functools import partial
from pathlib import Path

from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.pages.domain.certificates import CertificateState
from services.esign.revisions.rendering import look
from services.esign.seals.domain.life import SealState
from services.esign.verification.domain import verify
from services.esign.verification.domain.verify import Known
from services.esign.verification.workers.verifier import Question, answer
from tests.support import documents as attack
from tests.support.esign import setting

TRUST = Trust((setting().root.certificate,))
judged = partial(verify.judge, look=look)
"""With both lines against forged pages, as every process of a hub judges."""


def outcomes(pdf: bytes, directory: Path) -> list[Outcome]:
    """The verdict by each way of asking: the domain's, the command line's, the service's worker's."""
    now_us = attack.now_us()
    (directory / "trust").mkdir(exist_ok=True)
    pem = pki.certificate_pem(setting().root.certificate)
    (directory / "trust" / "root.pem").write_bytes(pem)
    file = directory / "document.pdf"
    file.write_bytes(pdf)
    # The register's best answer: whatever else it knew could only lower the verdict.
    known = Known(CertificateState.VALID, SealState.ACTIVE, SealState.ACTIVE, "")
    return [
        judged(pdf, trust=TRUST, now_us=now_us).outcome,
        commands.verify_file(file, directory / "trust", now_us=now_us).outcome,
        answer(Question(pdf, pem, (), now_us, None, known)).outcome,
    ]
