"""Brings a register that is older than its ledger up to what the ledger says: a database was restored beside a ledger
that went on, or a backup was made while documents and seals were revoked.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import lookup
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store import stages as issue_store
from services.esign.domain.moments import CHINA
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.store import heads as head_store
from services.esign.ledger.store.files import LedgerStore
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain import life as seals
from services.esign.seals.domain.life import SealState
from services.esign.seals.store import history as seal_history
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.history import Change
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.ids import new_ulid

_log = log.get("catching_up")
_REASON = "from the ledger: the register was older"
_TOLD = {
    each: f'"{each.value}"'.encode()
    for each in (EntryType.DOCUMENT_SEALED, EntryType.DOCUMENT_REVOKED, EntryType.SEAL_CHANGED)
}
# A seal is not put into use by what the ledger says: its key and certificate may be lost.
_ENDS = frozenset({SealState.SUSPENDED, SealState.REVOKED, SealState.EXPIRED, SealState.REPLACED})


@dataclass(slots=True)
class CaughtUp:
    """What the register lacked: numbers of revoked documents, ids of seals, and how many documents it never saw."""

    documents: list[str] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)
    lost: int = 0

    def __str__(self) -> str:
        lost = [str(self.lost)] if self.lost else []
        parts = {"revoked": self.documents, "seals": self.seals, "documents that are not here": lost}
        return "; ".join(f"{name}: {' '.join(each)}" for name, each in parts.items() if each)


async def catch_up(base: Foundation, opened: LedgerStore, since: int) -> CaughtUp:
    """Reads the entries behind the head that the register remembers, and applies what it lacks of them."""
    tail = list(_told(opened, since))
    return await base.write(_apply, base, tail, opened.size, opened.checkpoint_text) if tail else CaughtUp()


def _told(opened: LedgerStore, since: int) -> Iterator[tuple[int, Entry]]:
    for index, data in enumerate(opened.entries(since), since):
        # Most entries are about something else; reading one costs more than looking for three words.
        if any(word in data for word in _TOLD.values()):
            entry = ledger.decode(data)
            if entry.type in _TOLD:
                yield index, entry


def _apply(
    conn: Connection, base: Foundation, tail: Iterable[tuple[int, Entry]], size: int, checkpoint: str
) -> CaughtUp:
    found, sealed = CaughtUp(), Counter[int]()
    for index, entry in tail:
        if entry.type is EntryType.SEAL_CHANGED:
            if _change_seal(conn, base, index, entry):
                found.seals.append(entry.seal)
            continue
        number = _number(conn, entry)
        if entry.type is EntryType.DOCUMENT_REVOKED and number:
            row = document_rows.certificate_by_number(conn, number)
            if row is not None and row.state is not CertificateState.REVOKED:
                document_rows.revoke(conn, number, _REASON, entry.time_us)
                document_rows.revocation_logged(conn, number, index)
                found.documents.append(number)
        elif entry.type is EntryType.DOCUMENT_SEALED and not number and not entry.flow:
            sealed[dt.datetime.fromtimestamp(entry.time_us / 1e6, CHINA).year] += 1
    for year, count in sealed.items():
        # Their numbers are on paper somewhere: no other document may have them.
        issue_store.next_numbers(conn, f"{base.hub.code}{year}", count)
        found.lost += count
    head_store.remember_head(conn, size, checkpoint)
    if str(found):
        _log.warning("register_older_than_ledger", found=str(found))
        base.audit(conn, "ledger.catch_up", "register", found=str(found)[:400])
    return found


def _number(conn: Connection, entry: Entry) -> str:
    if entry.document_sha256:
        return lookup.number_of(conn, entry.document_sha256)
    return digest_store.number_of(conn, entry.document_sm3) or ""


def _change_seal(conn: Connection, base: Foundation, index: int, entry: Entry) -> bool:
    """Whether the register lacked it."""
    row = seal_rows.seal_by_id(conn, entry.seal)
    state = SealState(entry.state)
    known = {(each.state, each.at_us) for each in seal_history.changes_of(conn, entry.seal)}
    if row is None or state not in _ENDS or (entry.state, entry.time_us) in known:
        return False
    if state in {SealState.REVOKED, SealState.REPLACED}:
        seal_rows.set_revocation(conn, entry.seal, seals.revocation_of(entry.kind, entry.time_us))
    seal_rows.set_seal_state(conn, replace(row.seal, state=state), _REASON)
    seal_rows.standing_changed(conn, entry.seal, entry.time_us)
    change = Change(new_ulid(base.clock), entry.seal, entry.state, entry.time_us, "hub", _REASON, index)
    seal_history.keep_change(conn, change)
    return True
