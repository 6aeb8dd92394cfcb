"""The hub's own work on flows: signatures into the document, the close, the release; reminders, expiry, new attempts.

Each piece is kept in one transaction and is keyed by (flow, revision), so whoever takes it up again after a crash, or
beside another, either finds it done or does it. Work is taken up again when its time (`work_us`) has come: the process
that began it has the time until then for itself.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from hashlib import sha256

from sqlalchemy import Connection

from services.esign import events, metrics
from services.esign.domain.ages import is_fresh
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_data import CmsTemplate, OpenedCms
from services.esign.domain.digests import SHA256
from services.esign.domain.errors import EsignError
from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.flows.domain import life as flows
from services.esign.flows.domain.life import FlowError, FlowState, Role, StepState
from services.esign.flows.domain.scenarios import Scenario
from services.esign.flows.journal import Journal
from services.esign.flows.signers import Ready, StepSigners
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store.flows import FlowRow, Party, Revision
from services.esign.ledger.domain.ledger import Entry, EntryType, Marks
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.seals.domain.life import require_countable
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.domain import multisign
from services.esign.signing.domain.long_term import Level
from services.esign.signing.responders import LongTerm
from services.esign.timestamps.sources import TimestampAwayError, TimestampSource
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.keyed_locks import KeyedLocks
from shuniu.kit.store import lease
from shuniu.kit.store.types import LostRaceError

_log = log.get("flows")
LEASE_US = 5_000_000
"""The time for which work belongs to the process that began it."""
_BACKOFF_US = (1_000_000, 5_000_000, 15_000_000, 60_000_000, 300_000_000)
# Attempts after which a flow is FAILED for all to see; it is tried again all the same.
_VISIBLE = 3
_LOOK_SECONDS = 1.0
_AT_ONCE = 64
_SWEPT_AT_ONCE = 500
_PARALLEL = 8
_TIMERS = "esign flow timers"
_TIMERS_US = 10_000_000
# Used authorisations are kept this long after their end, and thrown away so often.
_FORGET_US, _FORGET_EVERY_US = 24 * 3_600_000_000, 3_600_000_000


@dataclass(slots=True)
class Work:
    """Takes flows from where they are to where they can get without their parties."""

    base: Foundation
    ledger: Sequencer
    journal: Journal
    signers: StepSigners
    scenarios: "Callable[[str], Scenario | None]"
    executor: Executor
    # None: signatures carry no timestamp and documents close without one.
    stamps: TimestampSource | None = None
    marks: Marks = field(default_factory=Marks)
    # How long the document of a flow that came to nothing is kept, µs.
    keep_us: int = 30 * 24 * 3_600_000_000
    # None: documents carry no validation data.
    long_term: LongTerm | None = None
    _turns: KeyedLocks[str] = field(default_factory=KeyedLocks)
    # Whose time had come and who wait for one of the few places, or have it.
    _due: set[str] = field(default_factory=set)
    _tasks: set["asyncio.Task[FlowRow | None]"] = field(default_factory=set)
    _forgot_us: int = 0
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PARALLEL))

    async def sign(self, flow_id: str) -> None:
        """Makes the signatures that are authorised; what is to be done after the last one goes on by itself.

        Never raises for what can be tried again: the flow says what went wrong.
        """
        row = await asyncio.shield(self._start(self._attempt(flow_id, self._sign_all)))
        if row is not None and row.flow.state is FlowState.SEALING:
            self._start(self._attempt(flow_id, self._finish))

    async def finish(self, flow_id: str) -> FlowRow | None:
        """Everything that can be done for a flow now; the flow after it."""
        await self._attempt(flow_id, self._sign_all)
        return await self._attempt(flow_id, self._finish)

    async def run(self) -> None:
        """Task: resumes interrupted flows, sends reminders and ends flows when they are due, until cancelled."""
        while True:
            now_us = self.base.clock.now_us()
            try:
                for due in await self.base.store.read(flow_store.due_work, now_us, _AT_ONCE):
                    # What is under way here, perhaps waiting for a neighbour, is not begun beside itself.
                    if due not in self._turns and due not in self._due:
                        self._due.add(due)
                        self._start(self.finish(due)).add_done_callback(functools.partial(self._done, due))
                await self._timers(now_us)
                if not is_fresh(self._forgot_us, now_us, _FORGET_EVERY_US):
                    await self.tidy(now_us)
            except (HubError, EsignError) as error:
                _log.warning("flow_timers_wait", cause=error.reason)
            await asyncio.sleep(_LOOK_SECONDS)

    def _done(self, due: str, _task: "asyncio.Task[FlowRow | None]") -> None:
        self._due.discard(due)

    async def tidy(self, now_us: int) -> None:
        """Forgets used authorisations, and the documents of flows that came to nothing long ago."""
        while await self.base.write(flow_store.forget_consents, now_us - _FORGET_US, _SWEPT_AT_ONCE):
            pass
        while await self.base.write(flow_store.erase_ended, now_us - self.keep_us, now_us, _AT_ONCE):
            pass
        self._forgot_us = now_us

    async def close(self) -> None:
        """Ends what is under way; it is taken up again at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Awaitable[FlowRow | None]) -> "asyncio.Task[FlowRow | None]":
        """Work that goes on when its caller gives up."""

        async def bounded() -> FlowRow | None:
            async with self._limit:
                try:
                    return await work
                except (HubError, EsignError) as error:
                    # The store itself: the work's time comes again.
                    _log.warning("flow_left", cause=error.reason)
                    return None

        task = asyncio.create_task(bounded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _attempt(self, flow_id: str, work: Callable[[FlowRow], Awaitable[FlowRow]]) -> FlowRow | None:
        """One attempt, alone in this process; the flow after it, None when there is none."""
        async with self._turns.of(flow_id):
            row: FlowRow | None = await self.base.store.read(flow_store.find_flow, flow_id)
            if row is None:
                return None
            try:
                if row.flow.state is FlowState.FAILED:
                    row = await self._change(row, lambda now: replace(now, flow=flows.resumed(now.flow)))
                return await work(row)
            except FlowError:
                # It ended while the hub was at work: nothing of that work was kept.
                return await self.base.store.read(flow_store.find_flow, flow_id)
            except TimestampAwayError as error:
                return await self._trouble(flow_id, "TIMESTAMP_PENDING", str(error))
            except (EsignError, HubError) as error:
                return await self._trouble(flow_id, error.reason, error.en)

    # Signatures.

    async def _sign_all(self, row: FlowRow) -> FlowRow:
        while row.flow.state is FlowState.OPEN and row.flow.authorised:
            party = row.find_party(row.flow.authorised[0])
            assert party is not None
            row = await (self._approve(row, party) if party.step.role is Role.APPROVER else self._sign(row, party))
        return row

    async def _approve(self, row: FlowRow, party: Party) -> FlowRow:
        return await self.base.write(functools.partial(self._keep_step, flow_id=row.id, key=party.key, made=None))

    async def _sign(self, row: FlowRow, party: Party) -> FlowRow:
        revision, pdf = await self.base.store.read(flow_store.document, row.id)
        room = 0 if self.stamps is None else await self.stamps.room()
        loop = asyncio.get_running_loop()
        async with self.signers.ready(row, party) as ready:
            open_step, cms = await loop.run_in_executor(self.executor, _signed, pdf, party.key, ready, room)
        if self.stamps is not None:
            opened = OpenedCms.of(cms)
            cms = opened.stamped(await self.stamps.stamp(opened.value))
        signed = open_step.finish(cms)
        made = Revision(
            revision + 1,
            party.key,
            len(signed),
            sha256(signed).hexdigest(),
            sha256(ready.certificate).hexdigest(),
            self.base.clock.now_us(),
        )
        keep = functools.partial(self._keep_step, flow_id=row.id, key=party.key, made=(made, signed))
        return await self.base.write(keep)

    def _keep_step(self, conn: Connection, flow_id: str, key: str, made: tuple[Revision, bytes] | None) -> FlowRow:
        """Writes signature, step, event, entry and count in one transaction. Raises FlowError when the flow has ended,
        SealStateError when the seal was revoked from before its slot on.
        """
        before = flow_store.find_flow(conn, flow_id)
        assert before is not None
        if before.flow.step(key).state is StepState.SIGNED:
            return before
        rules = flows.completed(before.flow, key)
        party = before.find_party(key)
        if made is not None and party is not None and party.slot_us:
            # Known to be stolen by now: the signature would count for nothing.
            found = seal_rows.find_seal_by_id(conn, party.seal_id)
            assert found is not None
            require_countable(found.seal, party.slot_us)
        now_us = self.base.clock.now_us()
        if made is not None and not flow_store.add_document(conn, flow_id, *made):
            # Another signature came between; this one would remove it.
            return before
        more = rules.authorised or rules.state is FlowState.SEALING
        parties = tuple(replace(p, done_us=now_us) if p.key == key else p for p in before.parties)
        after = flow_store.put(
            conn,
            before,
            replace(
                before,
                flow=rules,
                parties=parties,
                work_us=now_us + LEASE_US if more else 0,
                attempts=0,
                failure="",
                remind_us=self._next_reminder(before, now_us, first=True) if rules.ready else 0,
                reminded=0,
            ),
        )
        self.journal.signed(conn, after, key, now_us)
        return after

    # The end of a flow that everybody has signed.

    async def _finish(self, row: FlowRow) -> FlowRow:
        if row.flow.state is not FlowState.SEALING:
            return row
        revision, pdf = await self.base.store.read(flow_store.document, row.id)
        if revision == row.flow.revision:
            closed = await self._closed(pdf)
            await self.base.write(functools.partial(self._keep_close, flow_id=row.id, pdf=closed))
        return await self._release(row)

    async def _closed(self, pdf: bytes) -> bytes:
        """The document with a timestamp over everything, and at B-LT and B-LTA with validation data; as it is when
        there are no timestamps.
        """
        if self.stamps is None:
            return pdf
        if self.long_term is not None and self.long_term.level is Level.LTA:
            return await self.long_term.raised(pdf)
        room = await self.stamps.room()
        step = await asyncio.get_running_loop().run_in_executor(self.executor, multisign.close, pdf, room)
        covered = step.pdf[: step.start - 1] + step.pdf[step.end + 1 :]
        closed = step.finish(await self.stamps.stamp(covered))
        return closed if self.long_term is None else await self.long_term.raised(closed)

    def _keep_close(self, conn: Connection, flow_id: str, pdf: bytes) -> None:
        """The final bytes, once. From here on the flow has one end; what it tells the ledger is told before it."""
        row = flow_store.find_flow(conn, flow_id)
        assert row is not None
        flows.require(row.flow, flows.Act.FINISH)
        now_us = self.base.clock.now_us()
        made = Revision(row.flow.revision + 1, "", len(pdf), sha256(pdf).hexdigest(), "", now_us)
        if flow_store.add_document(conn, flow_id, made, pdf):
            self.journal.ended(conn, row, FlowState.COMPLETED, "", now_us)

    async def _digests(self, row: FlowRow, signed: Revision, final: Revision) -> dict[str, str]:
        """Marks of the final document, and of the certificate of who signed last, which answers for it as it is."""
        if self.marks.digest is SHA256:
            return {"document_sha256": final.sha256, "certificate_sha256": signed.certificate_sha256}
        _, pdf = await self.base.store.read(flow_store.document, row.id)
        return await asyncio.get_running_loop().run_in_executor(self.executor, _marked, self.marks, pdf)

    async def _release(self, row: FlowRow) -> FlowRow:
        """Logged first: the document, and everything that the flow has to tell."""
        *_, signed, final = await self.base.store.read(flow_store.revisions, row.id)
        entry = Entry(
            EntryType.DOCUMENT_SEALED,
            final.at_us,
            epoch=self.base.store.epoch,
            flow=row.id,
            scenario=row.scenario,
            **await self._digests(row, signed, final),
        )
        receipt, _ = await asyncio.gather(self.ledger.append(entry), self.journal.settle(row.id))

        def unit(conn: Connection) -> FlowRow:
            before = flow_store.find_flow(conn, row.id)
            assert before is not None
            if before.flow.state is FlowState.COMPLETED:
                return before
            now_us = self.base.clock.now_us()
            after = flow_store.put(
                conn,
                before,
                replace(
                    before,
                    flow=flows.finished(before.flow),
                    ended_us=now_us,
                    work_us=0,
                    attempts=0,
                    failure="",
                    final_sha256=final.sha256,
                    ledger_index=receipt.index,
                    receipt=receipt.text,
                ),
            )
            head_store.remember_head(conn, receipt.index + 1, receipt.checkpoint)
            self.journal.tell_end(conn, after, now_us)
            return after

        return await self.base.write(unit)

    # Trouble.

    async def _trouble(self, flow_id: str, reason: str, cause: str) -> FlowRow | None:
        """Notes why the hub cannot go on and when it tries again."""
        metrics.FLOW_FAILURES.labels(reason).inc()
        _log.warning("flow_waits", flow=flow_id, reason=reason, cause=cause)

        def unit(conn: Connection) -> FlowRow | None:
            before = flow_store.find_flow(conn, flow_id)
            if before is None or before.flow.state not in (FlowState.OPEN, FlowState.SEALING):
                return before
            now_us = self.base.clock.now_us()
            wait = _BACKOFF_US[min(before.attempts, len(_BACKOFF_US) - 1)]
            visible = before.attempts + 1 >= _VISIBLE
            after = replace(
                before,
                flow=flows.failed(before.flow) if visible else before.flow,
                attempts=before.attempts + 1,
                failure=reason,
                work_us=now_us + wait,
            )
            kept = flow_store.put(conn, before, after)
            if before.attempts + 1 == _VISIBLE:
                self.journal.tell(conn, events.FLOW_FAILED, kept, now_us)
            return kept

        return await self.base.write(unit)

    async def _change(self, row: FlowRow, change: Callable[[FlowRow], FlowRow]) -> FlowRow:
        def unit(conn: Connection) -> FlowRow:
            before = flow_store.find_flow(conn, row.id)
            if before is None:
                raise LostRaceError(row.id)
            return flow_store.put(conn, before, change(before))

        return await self.base.write(unit)

    # What time does.

    async def _timers(self, now_us: int) -> None:
        """Expiry and reminders, by one process at a time."""
        expiring = await self.base.store.read(flow_store.due_expiry, now_us, _AT_ONCE)
        reminding = await self.base.store.read(flow_store.due_reminders, now_us, _AT_ONCE)
        if not expiring and not reminding:
            return
        if not await self.base.write(lease.acquire, _TIMERS, self.base.writer, _TIMERS_US):
            return
        for flow_id in expiring:
            await self.base.write(functools.partial(self._expire, flow_id=flow_id))
        for flow_id in reminding:
            await self.base.write(functools.partial(self.remind, flow_id=flow_id))
        self.journal.wake()

    def _expire(self, conn: Connection, flow_id: str) -> None:
        before = flow_store.find_flow(conn, flow_id)
        now_us = self.base.clock.now_us()
        if before is None or before.deadline_us > now_us:
            return
        try:
            rules = flows.expired(before.flow)
        except FlowError:
            return
        after = flow_store.put(conn, before, ended(before, rules, now_us))
        self.journal.ended(conn, after, FlowState.EXPIRED, before.flow.standing, now_us)
        self.journal.tell_end(conn, after, now_us, before.flow.standing)

    def remind(self, conn: Connection, flow_id: str) -> FlowRow | None:
        """Tells the parties whose turn it is once more, and notes when to do so again."""
        before = flow_store.find_flow(conn, flow_id)
        if before is None or before.flow.state is not FlowState.OPEN:
            return before
        now_us = self.base.clock.now_us()
        after = replace(before, reminded=before.reminded + 1, reminded_us=now_us)
        after = flow_store.put(conn, before, replace(after, remind_us=self._next_reminder(after, now_us, first=False)))
        self.journal.tell(conn, events.FLOW_REMINDED, after, now_us)
        return after

    def _next_reminder(self, row: FlowRow, now_us: int, *, first: bool) -> int:
        return next_reminder(self.scenarios(row.scenario), 0 if first else row.reminded, now_us, row.deadline_us)


def next_reminder(scenario: Scenario | None, reminded: int, now_us: int, deadline_us: int) -> int:
    """The moment of the next reminder, µs; 0: not again."""
    if scenario is None or reminded >= scenario.remind.most:
        return 0
    at_us = now_us + (scenario.remind.every_us if reminded else scenario.remind.after_us)
    return at_us if not deadline_us or at_us < deadline_us else 0


def ended(row: FlowRow, rules: flows.Flow, now_us: int, reason: str = "") -> FlowRow:
    """The row of a flow that came to an end without a final document."""
    return replace(row, flow=rules, ended_us=now_us, work_us=0, remind_us=0, failure="", reason=reason)


def _signed(pdf: bytes, field_name: str, ready: Ready, room: int) -> tuple[multisign.Prepared, bytes]:
    """The document with a hole for the signature, and the CMS without its timestamp. Runs in a thread."""
    template = CmsTemplate.prepare(ready.key, ready.certificate, ready.chain, ready.digest)
    visible = any(f.name == field_name and f.rectangle != multisign.INVISIBLE for f in multisign.fields_of(pdf))
    step = multisign.begin(
        pdf,
        field_name,
        size=template.max_size_with(room),
        at_us=ready.at_us,
        signer=ready.name,
        appearance=ready.shows if visible else None,
        algorithm=ready.digest,
    )
    return step, template.sign(step.digest)


def _marked(marks: Marks, pdf: bytes) -> dict[str, str]:
    last = signatures.by_signers(signatures.find(Document(pdf)))[-1]
    signer = cms_reader.read(cms_reader.unpadded(last.cms)).signer
    return {**marks.document(pdf), **marks.certificate(signer)}
