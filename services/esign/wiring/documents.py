"""Opens the issuing and withdrawal of documents."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.esign.documents.issuing import Issuing
from services.esign.documents.packages import open_packages
from services.esign.documents.service.certificates import CertificateService
from services.esign.documents.service.registry import CertificateRegistryService
from services.esign.documents.store import certificates as document_rows
from services.esign.signing.proof import Proof
from services.esign.wiring.opened import Opened
from services.esign.wiring.seals import SealsPart
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsPart(Part):
    certificates: CertificateService


def open_documents(opened: Opened, seals: SealsPart, proof: Proof) -> DocumentsPart:
    """Raises ConfigError when OFD is wanted and nothing here seals it."""
    base, secrets, neighbours = opened.base, opened.secrets, opened.neighbours
    issuing = Issuing(
        base,
        secrets,
        opened.ledger,
        neighbours,
        opened.layouts,
        proof.stamps,
        seals.sidecars,
        seals.slots,
        long_term=proof.long_term,
        packages=open_packages(opened.settings, seals.sidecars, opened.layouts, secrets.qr.host),
        crowd=neighbours.crowd,
    )
    certificates = CertificateService(base, opened.ledger, neighbours, issuing)

    async def facts() -> Mapping[str, str]:
        return {"certificates": str(await base.store.read(document_rows.issued_count))}

    return DocumentsPart(
        certificates=certificates,
        edge=[servicer(certificates)],
        peer=[servicer(CertificateRegistryService(base))],
        tasks=[issuing.finish_interrupted, certificates.withdrawals.watch],
        facts=facts,
    )
