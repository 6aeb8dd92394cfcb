"""Opens the issuing and withdrawal of documents."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from services.esign.config import EsignSettings
from services.esign.documents.issuing import Issuing
from services.esign.documents.packages import open_packages
from services.esign.documents.service.certificates import CertificateService
from services.esign.documents.service.registry import CertificateRegistryService
from services.esign.documents.store import certificates as document_rows
from services.esign.keys.secrets import Secrets
from services.esign.ledger.sequencer import Sequencer
from services.esign.service.neighbours import Neighbours
from services.esign.signing.responders import LongTerm
from services.esign.timestamps.sources import TimestampSource
from services.esign.wiring.seals import SealsPart
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsPart(Part):
    certificates: CertificateService


def open_documents(
    base: Foundation,
    settings: EsignSettings,
    secrets: Secrets,
    *,
    ledger: Sequencer,
    neighbours: Neighbours,
    layouts: Executor,
    seals: SealsPart,
    stamps: TimestampSource | None,
    long_term: LongTerm | None,
) -> DocumentsPart:
    """Raises ConfigError when OFD is wanted and nothing here seals it."""
    issuing = Issuing(
        base,
        secrets,
        ledger,
        neighbours,
        layouts,
        stamps,
        seals.sidecars,
        seals.slots,
        long_term=long_term,
        packages=open_packages(settings, seals.sidecars, layouts, secrets.qr.host),
        crowd=neighbours.crowd,
    )
    certificates = CertificateService(base, ledger, neighbours, issuing)

    async def facts() -> Mapping[str, str]:
        return {"certificates": str(await base.store.read(document_rows.issued_count))}

    return DocumentsPart(
        certificates=certificates,
        edge=[servicer(certificates)],
        peer=[servicer(CertificateRegistryService(base))],
        tasks=[issuing.finish_interrupted, certificates.withdrawals.watch],
        facts=facts,
    )
