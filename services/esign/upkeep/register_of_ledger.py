"""Brings a register that is older than its ledger up to it, at the start: after a restore of databases beside a ledger
that lived on, or from a backup during which something was revoked.

Every entry behind the head that the store remembers is read. What takes something away (a document or licence revoked,
a seal revoked, suspended, replaced or ended) is applied where the register does not know it. What gives something (a
seal made or in use again) is not: an operator does that anew. A document or seal that the register does not have at all
is INDETERMINATE by itself; how many entries are about such ones is told to operators. The numbers of such documents are
passed over: they are on paper somewhere.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy import Connection

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import lookup
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store import stages as issue_rows
from services.esign.documents.store.certificates import CertificateRow
from services.esign.domain.errors import EsignError
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.licences import store as licence_store
from services.esign.licences.domain.types import LicenceState
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import ENDED, SealState
from services.esign.seals.life import HUB, revocation_of
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.history import Change
from shuniu.china_time import CHINA
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.ids import new_ulid

REASON = "from the ledger, which the restored register was behind"
_BATCH = 1000
_TAKEN = ENDED | {SealState.SUSPENDED}
_log = log.get("register_of_ledger")


@dataclass(slots=True)
class RegisterOfLedger:
    """`applied` and `unknown`: how many entries of each type."""

    base: Foundation
    log: Sequencer
    applied: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    async def catch_up(self) -> None:
        """Raises EsignError, OSError when the ledger cannot be read. Interrupted, it begins again."""
        since = await self.base.store.read(head_store.remembered_size)
        until, checkpoint = self.log.size, self.log.checkpoint_text
        for first in range(since, until, _BATCH):
            entries = await self.log.entries(first, min(_BATCH, until - first))
            applied, unknown = await self.base.store.write(partial(self._apply, first=first, entries=entries))
            self.applied += applied
            self.unknown += unknown
        if until > since:
            await self.base.store.write(head_store.remember_head, until, checkpoint)
        if self.applied or self.unknown:
            _log.warning("register_was_behind", since=since, until=until, **self.facts())

    def facts(self) -> Mapping[str, str]:
        """The line of `shuniu status`, when there is something to say."""
        told = {"revoked_from_ledger": self.applied, "ledger_entries_unknown": self.unknown}
        return {name: " ".join(f"{of}:{n}" for of, n in sorted(all_.items())) for name, all_ in told.items() if all_}

    def _apply(self, conn: Connection, *, first: int, entries: Sequence[bytes]) -> tuple[Counter[str], Counter[str]]:
        applied, unknown, sealed = Counter[str](), Counter[str](), Counter[int]()
        for index, data in enumerate(entries, first):
            try:
                entry = ledger.decode(data)
            except EsignError:
                unknown["unreadable"] += 1
                continue
            work = _WORK.get(entry.type)
            done = False if work is None else work(self, conn, entry, index)
            if done is None:
                unknown[entry.type] += 1
                if entry.type is EntryType.DOCUMENT_SEALED:
                    sealed[dt.datetime.fromtimestamp(entry.time_us / 1e6, CHINA).year] += 1
            elif done:
                applied[entry.type] += 1
        for year, count in sealed.items():
            issue_rows.next_numbers(conn, f"{self.base.hub.code}{year}", count)
        return applied, unknown

    def _sealed(self, conn: Connection, entry: Entry, index: int) -> bool | None:
        """Documents of flows have numbers of their own."""
        return False if entry.flow or _row_of(conn, entry) is not None else None

    def _document(self, conn: Connection, entry: Entry, index: int) -> bool | None:
        """Tells whether something changed; None: the register does not have it."""
        row = _row_of(conn, entry)
        if row is None:
            return None
        if row.state is CertificateState.REVOKED:
            return False
        document_rows.revoke(conn, row.number, REASON, entry.time_us)
        document_rows.revocation_logged(conn, row.number, index)
        return True

    def _seal(self, conn: Connection, entry: Entry, index: int) -> bool | None:
        found = seal_rows.find_seal_by_id(conn, entry.seal)
        if found is None:
            return None
        state, known = SealState(entry.state), seal_store.changes_of(conn, entry.seal)
        told = any((one.state, one.at_us) == (entry.state, entry.time_us) for one in known)
        # What ended stays so; but a revocation is worse than another end, and a later one may reach further back.
        if told or state not in _TAKEN or (found.seal.state in ENDED and state is not SealState.REVOKED):
            return False
        if state in {SealState.REVOKED, SealState.REPLACED}:
            found_now = revocation_of(entry)
            before = found.seal.revocation
            if before is None or found_now.invalid_us < before.invalid_us:
                seal_rows.set_revocation(conn, entry.seal, found_now)
        held_us = entry.time_us if state is SealState.SUSPENDED else found.seal.held_us
        seal_rows.set_seal_state(conn, replace(found.seal, state=state, held_us=held_us), REASON)
        seal_rows.standing_changed(conn, entry.seal, entry.time_us)
        change = Change(new_ulid(self.base.clock), entry.seal, state.value, entry.time_us, HUB, REASON, index)
        seal_store.keep_change(conn, change)
        return True

    def _licence(self, conn: Connection, entry: Entry, index: int) -> bool | None:
        row = licence_store.find_by_digests(conn, [entry.document_sha256]) if entry.document_sha256 else None
        if row is None:
            return None
        state = LicenceState(entry.state)
        if state is LicenceState.VALID or row.state in {state, LicenceState.REVOKED}:
            return False
        if licence_store.find_change(conn, row.number, state, entry.time_us) is not None:
            return False
        licence_store.change_state(conn, row, state, REASON, entry.time_us)
        change = licence_store.find_change(conn, row.number, state, entry.time_us)
        assert change is not None
        licence_store.logged(conn, change, index)
        return True


_WORK = {
    EntryType.DOCUMENT_SEALED: RegisterOfLedger._sealed,  # noqa: SLF001
    EntryType.DOCUMENT_REVOKED: RegisterOfLedger._document,  # noqa: SLF001
    EntryType.SEAL_CHANGED: RegisterOfLedger._seal,  # noqa: SLF001
    EntryType.LICENCE_CHANGED: RegisterOfLedger._licence,  # noqa: SLF001
}


def _row_of(conn: Connection, entry: Entry) -> CertificateRow | None:
    if entry.document_sha256:
        return lookup.find_certificate_by_digests(conn, [entry.document_sha256])
    number = digest_store.find_number(conn, entry.document_sm3)
    return None if number is None else document_rows.find_certificate_by_number(conn, number)
