"""The hub's own CRL for its own verdicts: made anew when a seal has changed, kept while none has."""

from dataclasses import dataclass

from services.esign import store
from services.esign.domain import revocation
from services.esign.domain.pki import Authority
from services.esign.domain.revocation import CertificateStanding, Standing
from services.esign.domain.seals import SealState
from services.esign.store import StandingRow
from shuniu.kit.foundation import Foundation

_KEEP_US = revocation.CRL_HOURS * 3600 * 1_000_000 // 2
_STANDING = {
    SealState.SUSPENDED: Standing.HELD,
    SealState.REVOKED: Standing.REVOKED,
    SealState.REPLACED: Standing.REVOKED,
}


def standing(row: StandingRow) -> CertificateStanding:
    """What OCSP and CRL say of a seal's certificate."""
    how = _STANDING.get(row.state, Standing.GOOD)
    if row.revocation is None or how is not Standing.REVOKED:
        return CertificateStanding(int(row.serial, 16), how, row.since_us)
    known = row.revocation
    return CertificateStanding(int(row.serial, 16), how, known.at_us, known.reason, known.invalid_us)


@dataclass(slots=True)
class RevocationLists:
    """The lists of the P-256 seal CAs, as of the newest change."""

    base: Foundation
    authorities: tuple[Authority, ...]
    _rows: tuple[StandingRow, ...] = ()
    _made_us: int = 0
    _lists: tuple[bytes, ...] = ()

    async def current(self) -> tuple[bytes, ...]:
        """CRLs in DER; none while no certificate is revoked or held."""
        rows, now_us = tuple(await self.base.store.read(store.revoked_certificates)), self.base.clock.now_us()
        if rows != self._rows or now_us - self._made_us > _KEEP_US:
            found = [standing(row) for row in rows]
            self._lists = tuple(revocation.crl(ca, found, now_us) for ca in self.authorities) if rows else ()
            self._rows, self._made_us = rows, now_us
        return self._lists
