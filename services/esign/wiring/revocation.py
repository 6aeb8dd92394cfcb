"""Opens OCSP and CRL."""

from dataclasses import dataclass

from services.esign.revocation.service import RevocationService
from services.esign.wiring.opened import Opened
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationPart(Part):
    revocation: RevocationService


def open_revocation(opened: Opened) -> RevocationPart:
    secrets = opened.secrets
    sm = secrets.sm
    revocation = RevocationService(
        opened.base,
        secrets.seal_ca,
        None if sm is None else sm.seal_ca,
        secrets.seal_ca_retired,
        () if sm is None else sm.seal_cas_retired,
    )
    return RevocationPart(revocation=revocation, edge=[servicer(revocation)])
