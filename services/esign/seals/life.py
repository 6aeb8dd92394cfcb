"""The life of seals in the store: every move is one unit of work with its journal row and event, and then logged.

Units take a Connection and run inside the caller's transaction; whatever they refuse leaves nothing behind. A change is
in force for slots, OCSP and CRL with its commit; its ledger entry follows at once, and after a crash when the hub is
back: the journal knows what is not logged yet.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from services.esign.domain.errors import EsignError, SealStateError
from services.esign.events import SEAL_CHANGED
from services.esign.ledger.domain.ledger import Entry, EntryType, Marks, Receipt
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.seals.domain import life as seals
from services.esign.seals.domain import logged_revocations as revocations
from services.esign.seals.domain.life import PENDING, Action, RevocationReason, Seal, SealState
from services.esign.seals.maker import Made
from services.esign.seals.slots import Slots
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import slots as slot_rows
from services.esign.seals.store.history import Change, KeptPicture
from services.esign.seals.store.seals import SealRow
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.ids import new_ulid

HUB = "hub"
"""Actor of what happens by itself."""
# A seal whose certificate has ended signs nothing from that moment; its state says so within this time.
_LOOK_SECONDS = 15.0
_BATCH = 200
_log = log.get("seals")


@dataclass(slots=True)
class SealLife:
    """Moves of seals, and their way into the ledger."""

    base: Foundation
    ledger: Sequencer
    slots: Slots
    marks: Marks = field(default_factory=Marks)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def apply(self, conn: Connection, wanted: Seal, picture: KeptPicture | None, actor: str, reason: str = "") -> Seal:
        """A new application; the version follows from the seal it replaces. Raises SealStateError SEAL_EXISTS,
        SEAL_UNKNOWN.
        """
        known = {row.seal.id: row.seal for row in seal_rows.seals_of_holder(conn, wanted.holder)}
        old = known.get(wanted.replaces)
        if wanted.replaces and old is None:
            raise _unknown(wanted.replaces)
        if old is not None and (old.state in PENDING or old.state is SealState.REJECTED):
            raise SealStateError(
                "SEAL_STATE",
                f"a seal that is {old.state} cannot be replaced",
                f"印章状态为 {old.state}，不能更换",
                state=old.state.value,
            )
        if any(seal.state not in seals.ENDED and seal.id != wanted.replaces for seal in known.values()):
            raise _exists()
        applied = replace(wanted, version=1 if old is None else old.version + 1, applicant=actor)
        at_us = self._now(conn)
        seal_rows.put_seal(conn, applied, at_us)
        if picture is not None:
            seal_store.keep_picture(conn, applied.id, picture, applied.kind)
        self._note(conn, applied, actor, reason, at_us)
        return applied

    def review(self, conn: Connection, seal_id: str, action: Action, actor: str, reason: str) -> Seal:
        """REVIEWED or REJECTED, by somebody who did not apply. Raises SealStateError."""
        found = self._found(conn, seal_id).seal
        seals.move(found.state, action)
        seals.require_other_person(actor, {"applicant": found.applicant})
        seal_rows.set_reviewer(conn, seal_id, actor)
        return self._move(conn, replace(found, reviewer=actor), action, actor, reason)

    def _review_alone(self, conn: Connection, seal_id: str, actor: str) -> None:
        """APPLIED → REVIEWED by the operator who makes it too. The applicant counts as the first person; the reviewer
        stays empty.
        """
        found = self._found(conn, seal_id).seal
        seals.move(found.state, Action.REVIEW)
        seals.require_other_person(actor, {"applicant": found.applicant})
        self._move(conn, found, Action.REVIEW, actor, "")

    def make(self, conn: Connection, made: Made, actor: str) -> Seal:
        """REVIEWED → ISSUED with what was made beforehand, by somebody who did not review, or, where nobody else did,
        who did not apply. Raises SealStateError.
        """
        found = self._found(conn, made.row.seal.id).seal
        state = seals.move(found.state, Action.MAKE)
        first = {"reviewer": found.reviewer} if found.reviewer else {"applicant": found.applicant}
        seals.require_other_person(actor, first)
        issued = replace(
            found, state=state, not_before_us=made.row.seal.not_before_us, not_after_us=made.row.seal.not_after_us
        )
        seal_rows.made(conn, SealRow(issued, made.row.certificate, made.row.wrapped_key))
        seal_rows.set_maker(conn, found.id, actor)
        at_us = self._now(conn)
        made.keep(conn, at_us)
        self._note(conn, issued, actor, "", at_us)
        return issued

    def approve(self, conn: Connection, made: Made, actor: str, *, alone: bool) -> Seal:
        """Makes and activates a seal in one step. `alone`: a seal that is only applied for needs no other reviewer.
        Raises SealStateError.
        """
        seal_id = made.row.seal.id
        if alone and self._found(conn, seal_id).seal.state is SealState.APPLIED:
            self._review_alone(conn, seal_id, actor)
        self.make(conn, made, actor)
        return self.activate(conn, seal_id, actor)

    def activate(self, conn: Connection, seal_id: str, actor: str) -> Seal:
        """ISSUED → ACTIVE, and what it replaces → REPLACED, together. Raises SealStateError."""
        found = self._found(conn, seal_id).seal
        seals.move(found.state, Action.ACTIVATE)
        seals.require_other_person(actor, {"reviewer": found.reviewer})
        for other in self._in_use(conn, found):
            if other.id != found.replaces:
                raise _exists()
            seal_rows.set_revocation(conn, other.id, seals.supersede(other, self._now(conn)))
            self._move(conn, other, Action.REPLACE, actor, f"replaced by {found.id}")
        return self._move(conn, found, Action.ACTIVATE, actor, "")

    def suspend(self, conn: Connection, seal_id: str, actor: str, reason: str) -> Seal:
        return self._move(conn, self._found(conn, seal_id).seal, Action.SUSPEND, actor, reason)

    def resume(self, conn: Connection, seal_id: str, actor: str, reason: str) -> Seal:
        """Raises SealStateError SEAL_EXISTS when another seal of the holder is in use meanwhile."""
        found = self._found(conn, seal_id).seal
        seals.move(found.state, Action.RESUME)
        if self._in_use(conn, found):
            raise _exists()
        return self._move(conn, found, Action.RESUME, actor, reason)

    def revoke(
        self, conn: Connection, seal_id: str, why: RevocationReason, invalid_us: int, actor: str, reason: str
    ) -> Seal:
        """→ REVOKED. `invalid_us` as in `seals.revoke`. Raises SealStateError."""
        found = self._found(conn, seal_id).seal
        revocation = seals.revoke(found, why, invalid_us, self._now(conn))
        seal_rows.set_revocation(conn, seal_id, revocation)
        return self._move(conn, replace(found, revocation=revocation), Action.REVOKE, actor, reason)

    def change(self, conn: Connection, seal_id: str, wanted: SealState, actor: str, reason: str) -> Seal:
        """→ `wanted`, ACTIVE, SUSPENDED or REVOKED, of a seal that was made. A revocation has no reason code and takes
        effect now; who knows more uses `revoke`, also of a seal that is revoked already. Raises SealStateError.
        """
        if not self._found(conn, seal_id).certificate:
            raise _unknown(seal_id)
        match wanted:
            case SealState.ACTIVE:
                return self.resume(conn, seal_id, actor, reason)
            case SealState.SUSPENDED:
                return self.suspend(conn, seal_id, actor, reason)
            case _:
                # A seal cannot be suspended once it is revoked: its reason and date stay as they are.
                if self._found(conn, seal_id).seal.state is SealState.REVOKED:
                    return self.suspend(conn, seal_id, actor, reason)
                return self.revoke(conn, seal_id, RevocationReason.UNSPECIFIED, 0, actor, reason)

    def expire(self, conn: Connection) -> list[Seal]:
        """Marks seals as expired whose certificate has ended."""
        return [
            self._move(conn, row.seal, Action.EXPIRE, HUB, "")
            for row in seal_rows.ended_by(conn, self.base.clock.now_us())
        ]

    async def log(self) -> None:
        """Logs what is not logged yet, oldest first. Raises EsignError when the ledger is away: `watch` goes on."""
        async with self._turn:
            while changes := await self.base.store.read(seal_store.unlogged, _BATCH):
                found = [
                    (change, await self.base.store.read(seal_rows.find_seal_by_id, change.seal_id))
                    for change in changes
                ]
                appends = (self.ledger.append(self._entry(change, row)) for change, row in found)
                receipts = await asyncio.gather(*appends)
                await self.base.write(_logged, list(zip(changes, receipts, strict=True)))

    async def watch(self) -> None:
        """Task: ends what has ended, and logs what a crash or an absent ledger left unlogged."""
        while True:
            try:
                if self.slots.guard is None or not self.slots.guard.stepped():
                    await self.base.write(self.expire)
                await self.log()
            except (EsignError, HubError) as error:
                _log.warning("changes_wait", cause=str(error))
            await asyncio.sleep(_LOOK_SECONDS)

    def _entry(self, change: Change, row: SealRow | None) -> Entry:
        certificate = b"" if row is None else row.certificate
        return Entry(
            EntryType.SEAL_CHANGED,
            change.at_us,
            seal=change.seal_id,
            state=change.state,
            epoch=self.base.store.epoch,
            kind=""
            if row is None or change.state not in _WITH_REVOCATION
            else revocations.kind_of(row.seal.revocation),
            **(self.marks.certificate(certificate) if certificate and change.state in _WITH_CERTIFICATE else {}),
        )

    def _found(self, conn: Connection, seal_id: str) -> SealRow:
        found = seal_rows.find_seal_by_id(conn, seal_id)
        if found is None:
            raise _unknown(seal_id)
        return found

    def _in_use(self, conn: Connection, beside: Seal) -> list[Seal]:
        own = (row.seal for row in seal_rows.seals_of_holder(conn, beside.holder))
        return [s for s in own if s.state in {SealState.ACTIVE, SealState.SUSPENDED} and s.id != beside.id]

    def _move(self, conn: Connection, found: Seal, action: Action, actor: str, reason: str) -> Seal:
        at_us = self._now(conn)
        moved = seals.moved(found, action, at_us)
        seal_rows.set_seal_state(conn, moved, reason)
        self._note(conn, moved, actor, reason, at_us)
        return moved

    def _note(self, conn: Connection, changed: Seal, actor: str, reason: str, at_us: int) -> None:
        """Journals the change at one moment (µs): the journal, the ledger and the seal's row have the same."""
        seal_rows.standing_changed(conn, changed.id, at_us)
        change = Change(new_ulid(self.base.clock), changed.id, changed.state.value, at_us, actor, reason)
        seal_store.keep_change(conn, change)
        self.base.publish(
            conn,
            SEAL_CHANGED,
            changed.id,
            events_pb2.SealChanged(id=changed.id, owner=changed.owner, state=changed.state.value),
        )

    def _now(self, conn: Connection) -> int:
        """Later than every slot, also when the clock was set back: a change must not wait for a clock, and what was
        sealed before it must stay before it.
        """
        return max(self.base.clock.now_us(), slot_rows.floor(conn) + 1)

    async def require_clock(self) -> int:
        """The time for a new certificate, µs. Raises ClockDoubtError."""
        return (await self.base.write(self.slots.moment)).at_us


_WITH_REVOCATION = frozenset({SealState.REVOKED.value, SealState.REPLACED.value})


_WITH_CERTIFICATE = frozenset(
    state.value for state in SealState if state not in {SealState.APPLIED, SealState.REVIEWED, SealState.REJECTED}
)


def _unknown(seal_id: str) -> SealStateError:
    return SealStateError("SEAL_UNKNOWN", "there is no such seal", "没有该印章", seal=seal_id[:64])


def _exists() -> SealStateError:
    return SealStateError(
        "SEAL_EXISTS",
        "the holder has a seal already, or one on its way",
        "该主体已有印章，或有办理中的印章申请",
    )


def _logged(conn: Connection, done: Sequence[tuple[Change, Receipt]]) -> None:
    for change, receipt in done:
        seal_store.logged(conn, change.id, receipt.index)
        head_store.remember_head(conn, receipt.index + 1, receipt.checkpoint)
