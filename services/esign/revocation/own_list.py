"""The hub's own revocation lists (CRL), for callers and for verdicts. A change of seals makes a new one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from services.esign.certification.domain.issued import key_name
from services.esign.certification.domain.pki import Authority
from services.esign.certification.domain.sm2_pki import Sm2Signer, key_bits
from services.esign.domain.ages import is_fresh
from services.esign.domain.moments import DAY_US
from services.esign.keys.secrets import Secrets
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
# An entry stays until it was on a list of after its certificate's end (RFC 5280, 3.3). A list lasts for hours.
_ENDED_US = 7 * DAY_US
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


@dataclass(frozen=True, slots=True)
class _Register:
    """Holds what lists are made of, as of one version: rows by family, and the newest CA of each whose list is
    incomplete.
    """

    version: int
    rows: Mapping[str, Sequence[StandingRow]]
    incomplete: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Lists:
    """`of`: lists (DER) by family and number of their CA; without those that are incomplete."""

    version: int
    made_us: int
    of: Mapping[tuple[str, int], bytes]
    incomplete: Mapping[str, int]
    named: frozenset[str]
    """Families of which a certificate is revoked or held."""


@dataclass(slots=True)
class RevocationLists:
    """The lists of all seal CAs, as of the newest change. While none has changed, each question costs one row."""

    base: Foundation
    authorities: tuple[Authority, ...]
    sm2_authorities: tuple[Sm2Signer, ...] = ()
    _made: _Lists | None = None
    _making: asyncio.Task[None] | None = None

    @classmethod
    def of_hub(cls, base: Foundation, secrets: Secrets) -> "RevocationLists":
        """Those of all seal CAs that the hub has keys of."""
        sm = secrets.sm
        own = (secrets.seal_ca, *secrets.seal_ca_retired)
        return cls(base, own, () if sm is None else (sm.seal_ca, *sm.seal_cas_retired))

    async def of(self, family: str, ca: int) -> bytes:
        """The list of one CA, DER. Raises NOT_FOUND CA_UNKNOWN, UNAVAILABLE SEALS_FORGOTTEN."""
        lists = await self._newest()
        if ca not in {each.number for each in self._authorities(family)}:
            raise errors.not_found("CA_UNKNOWN", "There is no such seal CA.", "没有该印章证书颁发机构。")
        require_complete(lists.incomplete, family, ca)
        return lists.of[family, ca]

    async def current(self) -> tuple[bytes, ...]:
        """All complete lists, DER, of families of which a certificate is revoked or held."""
        lists = await self._newest()
        return tuple(data for (family, _), data in lists.of.items() if family in lists.named)

    def _authorities(self, family: str) -> Sequence[Authority | Sm2Signer]:
        return self.authorities if family == seal_rows.P256 else self.sm2_authorities

    async def _newest(self) -> _Lists:
        version = await self.base.store.read(seal_rows.version)
        while (made := self._made) is None or not (
            made.version >= version and is_fresh(made.made_us, self.base.clock.now_us(), _KEEP_US)
        ):
            # Other callers wait for the same list: one that leaves must not cancel it.
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(self._make())
            await asyncio.shield(self._making)
        return made

    async def _make(self) -> None:
        now_us = self.base.clock.now_us()
        register = await self.base.store.read(_register, now_us - _ENDED_US)
        # Thousands of entries take long to write, and the key may be another machine's.
        lists = await asyncio.to_thread(self._lists, register, now_us)
        self._made = _Lists(
            register.version,
            now_us,
            lists,
            register.incomplete,
            frozenset(family for family, rows in register.rows.items() if rows),
        )

    def _lists(self, register: _Register, now_us: int) -> dict[tuple[str, int], bytes]:
        made: dict[tuple[str, int], bytes] = {}
        for family, rows in register.rows.items():
            for ca in self._authorities(family):
                if ca.number > register.incomplete.get(family, -1):
                    made[family, ca.number] = _signed(ca, rows, now_us)
        return made


def _signed(ca: Authority | Sm2Signer, rows: Sequence[StandingRow], now_us: int) -> bytes:
    """The list of one CA: its own certificates, and those of which nobody knows whose they are."""
    if isinstance(ca, Sm2Signer):
        name = key_name(key_bits(ca.spki))
        return sm2_revocation.crl(ca, [standing(row) for row in rows if row.issuer in {"", name}], now_us)
    name = key_name(ca.certificate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return revocation.crl(ca, [standing(row) for row in rows if row.issuer in {"", name}], now_us)


def _register(conn: Connection, lasting_us: int) -> _Register:
    # The version first: where a change comes between, the lists are made once more.
    version = seal_rows.version(conn)
    rows = {family: seal_rows.revoked_certificates(conn, family, lasting_us) for family in seal_rows.FAMILIES}
    return _Register(version, rows, forgotten_seals.incomplete(conn))
