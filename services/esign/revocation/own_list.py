"""The hub's own CRL for its own verdicts: made anew when a seal has changed, kept while none has."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from services.esign.certification.domain.pki import Authority
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain import sm2_answers as sm2_revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.seals.domain.life import SealState
from services.esign.seals.store import forgotten as forgotten_seals
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.seals import StandingRow
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation

_KEEP_US = revocation.CRL_HOURS * 3600 * 1_000_000 // 2
_REVOKED = frozenset({SealState.REVOKED, SealState.REPLACED})


def standing(row: StandingRow) -> CertificateStanding:
    """The standing of a seal's certificate, as OCSP and CRL have it."""
    serial, known = int(row.serial, 16), row.revocation
    if row.state in _REVOKED and known is not None:
        return CertificateStanding(serial, Standing.REVOKED, known.at_us, known.reason, known.invalid_us)
    if row.state in _REVOKED:
        return CertificateStanding(serial, Standing.REVOKED, row.since_us)
    if row.held_us is not None:
        return CertificateStanding(serial, Standing.HELD, row.held_us)
    return CertificateStanding(serial, Standing.GOOD, row.since_us)


def require_complete(incomplete: Mapping[str, int], family: str, ca: int) -> None:
    """Refuses the list of a seal CA that may lack a certificate: verifiers take its silence for a word. `incomplete`:
    the newest such CA of each family. Raises UNAVAILABLE SEALS_FORGOTTEN.
    """
    if ca <= incomplete.get(family, -1):
        raise errors.unavailable(
            "SEALS_FORGOTTEN",
            "The ledger has seals of this authority that the restored register lacks, so its list would be incomplete.",
            "台账中有本机构颁发、而恢复后的登记库缺失的印章，无法提供完整的撤销列表。",
        )


@dataclass(slots=True)
class RevocationLists:
    """The lists of all seal CAs, as of the newest change."""

    base: Foundation
    authorities: tuple[Authority, ...]
    sm2_authorities: tuple[Sm2Signer, ...] = ()
    _rows: tuple[tuple[StandingRow, ...], ...] = ()
    _made_us: int = 0
    _lists: tuple[bytes, ...] = ()

    async def current(self) -> tuple[bytes, ...]:
        """CRLs in DER; none while no certificate is revoked or held."""
        (rows, incomplete), now_us = await self.base.store.read(_revoked), self.base.clock.now_us()
        if rows != self._rows or now_us - self._made_us > _KEEP_US:
            plain, sm2 = ([standing(row) for row in family] for family in rows)
            self._lists = (
                *(
                    revocation.crl(ca, plain, now_us)
                    for ca in (self.authorities if plain else ())
                    if ca.number > incomplete.get(seal_rows.P256, -1)
                ),
                *(
                    sm2_revocation.crl(ca, sm2, now_us)
                    for ca in (self.sm2_authorities if sm2 else ())
                    if ca.number > incomplete.get(seal_rows.SM2, -1)
                ),
            )
            self._rows, self._made_us = rows, now_us
        return self._lists


def _revoked(conn: Connection) -> tuple[tuple[tuple[StandingRow, ...], ...], dict[str, int]]:
    rows = tuple(tuple(seal_rows.revoked_certificates(conn, family)) for family in seal_rows.FAMILIES)
    return rows, forgotten_seals.incomplete(conn)
