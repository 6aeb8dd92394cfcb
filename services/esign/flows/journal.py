"""Writes a flow's ledger entry, counters and events in the transaction that changes it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from services.esign import events, metrics
from services.esign.domain.errors import EsignError
from services.esign.flows.domain.life import FlowState
from services.esign.flows.store import journal as flow_journal_store
from services.esign.flows.store.flows import FlowRow
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from shuniu.api.events.v1 import events_pb2
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log
from shuniu.kit.process.retrying import until_done

BEGUN, SIGNED, REJECTED = "begun", "signed", "rejected"
_log = log.get("flows")
_MOST_AT_ONCE = 500
# What comes within this time goes into the ledger together, s. Nobody waits for it: a release brings in its own.
_GATHER_SECONDS = 0.2
_TOPICS: Mapping[str, str] = {
    FlowState.COMPLETED.value.lower(): events.FLOW_COMPLETED,
    FlowState.REJECTED.value.lower(): events.FLOW_REJECTED,
    FlowState.WITHDRAWN.value.lower(): events.FLOW_WITHDRAWN,
    FlowState.EXPIRED.value.lower(): events.FLOW_EXPIRED,
}


@dataclass(slots=True)
class Journal:
    """Writes entries and counts inside units of work, and brings the entries into the ledger."""

    base: Foundation
    ledger: Sequencer
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def begun(self, conn: Connection, row: FlowRow, now_us: int) -> None:
        """The flow was opened."""
        self._note(conn, row, EntryType.FLOW_BEGUN, "", BEGUN, now_us)
        self.tell(conn, events.FLOW_BEGUN, row, now_us)

    def signed(self, conn: Connection, row: FlowRow, step: str, now_us: int) -> None:
        """A step was done."""
        self._note(conn, row, EntryType.FLOW_STEP, step, SIGNED, now_us)
        self.tell(conn, events.FLOW_SIGNED, row, now_us, step=step)

    def ended(self, conn: Connection, row: FlowRow, outcome: FlowState, step: str, now_us: int) -> None:
        """The flow has come to this end; `step` is where it stood, empty for a completed one. Whoever waits for a
        completed one is told when it is released (`tell_end`).
        """
        self._note(conn, row, EntryType.FLOW_ENDED, step, outcome.value.lower(), now_us)

    def tell_end(self, conn: Connection, row: FlowRow, now_us: int, step: str = "") -> None:
        self.tell(conn, _TOPICS[row.flow.state.value.lower()], row, now_us, step=step)

    def tell(self, conn: Connection, topic: str, row: FlowRow, now_us: int, *, step: str = "") -> None:
        """Publishes an event of the flow."""
        payload = events_pb2.FlowChanged(
            id=row.id,
            scenario=row.scenario,
            state=row.flow.state.value,
            step=step,
            ready=row.flow.ready,
            platform=row.platform,
            case_code=row.case_code,
            final_sha256=row.final_sha256,
            ledger_index=row.ledger_index,
            failure=row.failure,
            party_platforms=dict.fromkeys(party.platform for party in row.parties),
        )
        payload.changed_at.FromMicroseconds(now_us)
        self.base.publish(conn, topic, row.id, payload)

    def wake(self) -> None:
        """There are new entries."""
        self._wake.set()

    async def settle(self, flow_id: str = "") -> None:
        """Brings entries into the ledger, of one flow or the oldest of all. Raises EsignError LEDGER_AWAY.

        The same entry twice is one entry there, so what a crash leaves in doubt is simply told again.
        """
        rows = await self.base.store.read(flow_journal_store.unlogged, _MOST_AT_ONCE, flow_id)
        if not rows:
            return
        decoded = [ledger.decode(row.entry) for row in rows]
        receipts = await asyncio.gather(*(self.ledger.append(entry) for entry in decoded))
        newest = max(receipts, key=lambda receipt: receipt.index)
        size = _size(newest.checkpoint)

        def unit(conn: Connection) -> list[int]:
            head_store.remember_head(conn, size, newest.checkpoint)
            return flow_journal_store.logged(conn, rows)

        fresh = set(await self.base.write(unit))
        for row, entry in zip(rows, decoded, strict=True):
            if row.number in fresh:
                _measure(entry)

    async def run(self) -> None:
        """Task: brings entries into the ledger as they come."""
        while True:
            await until_done(
                self._settle_all,
                after=(EsignError, HubError),
                tell=lambda error: _log.warning("journal_waits", cause=error.reason),
            )
            await self._wake.wait()
            await asyncio.sleep(_GATHER_SECONDS)

    async def _settle_all(self) -> None:
        self._wake.clear()
        while await self.base.store.read(flow_journal_store.unlogged, 1, ""):
            await self.settle()

    def _note(self, conn: Connection, row: FlowRow, kind: EntryType, step: str, outcome: str, now_us: int) -> None:
        entry = Entry(
            kind,
            now_us,
            epoch=self.base.store.epoch,
            flow=row.id,
            scenario=row.scenario,
            step=step,
            state=outcome,
        )
        flow_journal_store.note(conn, row.id, ledger.encode(entry))
        flow_journal_store.count(conn, row.scenario, step, outcome)


def _size(checkpoint: str) -> int:
    """Tree size of a checkpoint that this process has signed."""
    return int(checkpoint.split("\n", 2)[1])


def _measure(entry: Entry) -> None:
    if entry.type is EntryType.FLOW_STEP:
        metrics.FLOW_STEPS.labels(entry.scenario, entry.step, entry.state).inc()
    else:
        metrics.FLOWS.labels(entry.scenario, entry.state).inc()
