"""Brings a register that is older than its ledger up to date at the start: after a restore of databases beside a ledger
that went on, or from a backup that was made while something was revoked.

It reads every entry after the head that the store remembers. It applies what takes a right away and the register does
not know: a document or licence that was revoked, a seal that was revoked, suspended, replaced or ended. It does not
apply what gives a right (a seal that was made or resumed): an operator does that again. A state of a seal that this
version does not know may take a right away, and suspends. Operators are told how many entries of each type are about
something that the register does not have, or bear such a state. The numbers of such documents and licences, and the
places of such licences in status lists, are not given out again, and places that the register lost are SUSPENDED.

A seal whose certificate the register does not have is remembered as forgotten: entries hold no serial numbers, so no
list can name it, and a list that does not name a certificate vouches for it. The hub gives no such list.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from sqlalchemy import Connection

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import lookup
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store import stages as issue_rows
from services.esign.documents.store.certificates import CertificateRow
from services.esign.domain.errors import EsignError
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.licences import store as licence_store
from services.esign.licences.domain.types import LicenceState
from services.esign.licences.store import LicenceRow
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState, learned
from services.esign.seals.domain.logged_revocations import revocation_of
from services.esign.seals.life import HUB
from services.esign.seals.store import forgotten as forgotten_seals
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.history import Change
from services.esign.seals.store.sm2_side import find_sm2_seal
from shuniu.china_time import CHINA
from shuniu.kit.crypto.sm import sm3
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.ids import new_ulid

REASON = "from the ledger, which the restored register was behind"
_BATCH = 1000
# Entries that name the seal and the certificate that signed: what they name was in use.
_SIGNED = frozenset(
    {EntryType.SEAL_CHANGED, EntryType.DOCUMENT_SEALED, EntryType.HASHES_SIGNED, EntryType.LICENCE_ISSUED}
)
_SEAL_STATES = {state.value: state for state in SealState}
_LICENCE_STATES = {state.value: state for state in LicenceState}
_log = log.get("register_of_ledger")


class Learned(Enum):
    """Result of one entry for the register."""

    KNOWN = "known"
    APPLIED = "applied"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class _Batch:
    """Results of one batch of entries. `years`: of documents and licences that the register does not have."""

    applied: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    years: set[tuple[EntryType, int]] = field(default_factory=set)


@dataclass(slots=True)
class RegisterOfLedger:
    """`applied` and `unknown`: how many entries of each type."""

    base: Foundation
    log: Sequencer
    secrets: Secrets
    applied: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    _passed: set[tuple[EntryType, int]] = field(default_factory=set)
    _under_way: Mapping[str, str] = field(default_factory=dict)

    async def catch_up(self) -> None:
        """Raises EsignError, OSError when the ledger cannot be read. Interrupted, it begins again."""
        since = await self.base.store.read(head_store.remembered_size)
        until, checkpoint = self.log.size, self.log.checkpoint_text
        if until > since:
            self._under_way = await self.base.store.read(_sealed_by_sm3)
        for first in range(since, until, _BATCH):
            entries = await self.log.entries(first, min(_BATCH, until - first))
            found = await self.base.store.write(partial(self._apply, first=first, entries=entries))
            self.applied += found.applied
            self.unknown += found.unknown
            self._passed |= found.years
        if until > since:
            await self.base.store.write(head_store.remember_head, until, checkpoint)
        if self.applied or self.unknown:
            _log.warning("register_was_behind", since=since, until=until, **self.facts())

    def facts(self) -> Mapping[str, str]:
        """The lines of `shuniu status`; none when the register was up to date."""
        told = {"revoked_from_ledger": self.applied, "ledger_entries_unknown": self.unknown}
        return {name: " ".join(f"{of}:{n}" for of, n in sorted(all_.items())) for name, all_ in told.items() if all_}

    def _apply(self, conn: Connection, *, first: int, entries: Sequence[bytes]) -> _Batch:
        done = _Batch()
        for index, data in enumerate(entries, first):
            try:
                entry = ledger.decode(data)
            except EsignError:
                done.unknown["unreadable"] += 1
                # It may revoke any seal.
                forgotten_seals.forget(conn, forgotten_seals.ANY_SEAL, seal_rows.FAMILIES, self._newest)
                continue
            if entry.type in _SIGNED:
                self._note_forgotten(conn, entry)
            match self._learn(conn, entry, index):
                case Learned.APPLIED:
                    done.applied[entry.type] += 1
                case Learned.UNKNOWN:
                    done.unknown[entry.type] += 1
                    if entry.type in {EntryType.DOCUMENT_SEALED, EntryType.LICENCE_ISSUED}:
                        year = dt.datetime.fromtimestamp(entry.time_us / 1e6, CHINA).year
                        done.years.add((entry.type, year))
        # Once for each year is enough: it is far more than what one register can have forgotten.
        for of, year in done.years - self._passed:
            store = issue_rows if of is EntryType.DOCUMENT_SEALED else licence_store
            store.pass_over(conn, f"{self.base.hub.code}{year}")
        return done

    def _learn(self, conn: Connection, entry: Entry, index: int) -> Learned:
        match entry.type:
            case EntryType.DOCUMENT_SEALED:
                # Documents of flows have numbers of their own.
                known = entry.flow or self._row_of(conn, entry) is not None
                return Learned.KNOWN if known else Learned.UNKNOWN
            case EntryType.DOCUMENT_REVOKED:
                return self._document(conn, entry, index)
            case EntryType.SEAL_CHANGED:
                return self._seal(conn, entry, index)
            case EntryType.LICENCE_ISSUED:
                return Learned.UNKNOWN if _licence_of(conn, entry) is None else Learned.KNOWN
            case EntryType.LICENCE_CHANGED:
                return self._licence(conn, entry, index)
            case _:
                return Learned.KNOWN

    @property
    def _newest(self) -> dict[str, int]:
        """Numbers of the newest seal CAs."""
        sm = self.secrets.sm
        own = {seal_rows.P256: self.secrets.seal_ca.number}
        return own if sm is None else {**own, seal_rows.SM2: sm.seal_ca.number}

    def _note_forgotten(self, conn: Connection, entry: Entry) -> None:
        """Remembers the seal of an entry where the register lacks its certificate, or the SM2 one beside it, which a
        seal gets with the first document that it signs.
        """
        if not entry.seal or not (entry.certificate_sha256 or entry.certificate_sm3):
            return
        found = seal_rows.find_seal_by_id(conn, entry.seal)
        if found is None or not entry.names(found.certificate):
            forgotten_seals.forget(conn, entry.seal, seal_rows.FAMILIES, self._newest)
        elif entry.type is EntryType.DOCUMENT_SEALED and find_sm2_seal(conn, entry.seal) is None:
            forgotten_seals.forget(conn, entry.seal, (seal_rows.SM2,), self._newest)

    def _document(self, conn: Connection, entry: Entry, index: int) -> Learned:
        row = self._row_of(conn, entry)
        if row is None:
            return Learned.UNKNOWN
        known = row.state is CertificateState.REVOKED
        if not known:
            document_rows.revoke(conn, row.number, REASON, entry.time_us)
        document_rows.revocation_logged(conn, row.number, index)
        return Learned.KNOWN if known else Learned.APPLIED

    def _seal(self, conn: Connection, entry: Entry, index: int) -> Learned:
        found = seal_rows.find_seal_by_id(conn, entry.seal)
        if found is None:
            return Learned.UNKNOWN
        state = _SEAL_STATES.get(entry.state)
        taken = SealState.SUSPENDED if state is None else state
        for one in seal_store.changes_of(conn, entry.seal):
            if (one.state, one.at_us) == (taken.value, entry.time_us):
                seal_store.logged(conn, one.id, index)
                return Learned.KNOWN
        seal = found.seal
        changed = learned(seal, taken, entry.time_us, revocation_of(entry, seal.held_us))
        if changed is None:
            return Learned.UNKNOWN if state is None else Learned.KNOWN
        if changed.revocation is not None:
            seal_rows.set_revocation(conn, seal.id, changed.revocation)
        seal_rows.set_seal_state(conn, changed, REASON)
        seal_rows.standing_changed(conn, seal.id, entry.time_us)
        change = Change(new_ulid(self.base.clock), seal.id, taken.value, entry.time_us, HUB, REASON, index)
        seal_store.keep_change(conn, change)
        return Learned.UNKNOWN if state is None else Learned.APPLIED

    def _licence(self, conn: Connection, entry: Entry, index: int) -> Learned:
        row, state = _licence_of(conn, entry), _LICENCE_STATES.get(entry.state)
        if row is None or state is None:
            return Learned.UNKNOWN
        known = licence_store.find_change(conn, row.number, state, entry.time_us)
        if known is None:
            if state is LicenceState.VALID or row.state in {state, LicenceState.REVOKED}:
                return Learned.KNOWN
            licence_store.change_state(conn, row, state, REASON, entry.time_us)
            change = licence_store.find_change(conn, row.number, state, entry.time_us)
            assert change is not None
            licence_store.logged(conn, change, index)
            return Learned.APPLIED
        licence_store.logged(conn, known, index)
        return Learned.KNOWN

    def _row_of(self, conn: Connection, entry: Entry) -> CertificateRow | None:
        """The document of an entry, at any stage: it may have been released after the backup."""
        if entry.document_sha256:
            return lookup.find_at_any_stage(conn, entry.document_sha256)
        number = digest_store.find_number(conn, entry.document_sm3) or self._under_way.get(entry.document_sm3)
        return None if number is None else document_rows.find_certificate_by_number(conn, number)


def _licence_of(conn: Connection, entry: Entry) -> LicenceRow | None:
    return licence_store.find_by_digests(conn, [entry.document_sha256]) if entry.document_sha256 else None


def _sealed_by_sm3(conn: Connection) -> dict[str, str]:
    """Numbers by SM3 (hex) of documents that are sealed and not released: the store has no SM3 of them yet."""
    rows = (document_rows.find_certificate_by_number(conn, number) for number in document_rows.unfinished(conn))
    return {sm3(row.pdf).hex(): row.number for row in rows if row is not None}
