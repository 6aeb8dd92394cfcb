"""A flow whose process dies between any two of its steps: it ends once, with one document, and the ledger agrees."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from services.esign import store
from services.esign.certification.domain.trust import Trust
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.errors import EsignError
from services.esign.domain.verdict import Outcome
from services.esign.flows.domain.consent import Act, Consent, list_of_steps
from services.esign.flows.domain.life import FlowState
from services.esign.flows.recount import kept_in, recount
from services.esign.flows.service.flows import FlowService
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store import journal as flow_journal_store
from services.esign.flows.work import LEASE_US
from services.esign.keys import secrets as keys
from services.esign.ledger.sequencer import Sequencer
from services.esign.seals.slots import Slots
from services.esign.signing.proof import Proof
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.sources import Authority, OwnTimestamps, TimestampAwayError
from services.esign.wiring.flows import open_flows
from services.esign.wiring.ledger import open_ledger
from services.esign.wiring.verification import VerificationPart
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall, set_current
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.store.tables import outbox_event
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.foundation import foundation_of
from shuniu.kit.testing.postgresql import new_database
from tests.support.flow_land import APP, BUREAU, ISSUER, Identity, beginning, name_of, person_of, put_seals, request_id
from tests.support.opened import opened_with
from tests.support.verdicts import judged

SCENARIO = "case_receipt"
HOUR_S = 3600


class Died(BaseException):
    """The process is gone: nothing after this line happens."""


@dataclass
class Neighbours:
    async def person_id(self, platform: str, subject: str) -> str:
        return person_of(subject)

    async def person(self, person_id: str, *_: Any) -> dict[str, str]:
        return {"full_name": name_of(person_id)}


@dataclass
class Source:
    """Timestamps that can be away."""

    inner: OwnTimestamps
    away: bool = False

    async def room(self) -> int:
        return await self.inner.room()

    async def stamp(self, signature: bytes) -> bytes:
        if self.away:
            raise TimestampAwayError("switched off")
        return await self.inner.stamp(signature)


@dataclass
class Reader:
    """Assertions in clear: `<jti>;<flow>|<step>|<document>`."""

    clock: ManualClock

    async def read(self, token: str) -> Consent:
        token_id, *lines = token.split(";")
        bound = list_of_steps(Act(*line.split("|")) for line in lines)
        now_s = self.clock.now_us() // 1_000_000
        return Consent(token_id, APP, "subject-reporter", 2, 1, now_s, now_s + 300, bound)


@dataclass
class Land:
    base: Foundation
    secrets: keys.Secrets
    ledger: Sequencer
    stamps: Source
    clock: ManualClock
    executor: ThreadPoolExecutor
    identity: Identity = field(default_factory=Identity)
    # Transactions that are still committed before the process dies; below zero: it lives.
    lives: int = -1
    # Entries that the ledger takes before it is away; below zero: it stays.
    stays: int = -1

    def flows(self) -> FlowService:
        """The service as it is after a start."""
        base = MortalFoundation(self)
        ledger: Any = MortalLedger(self)
        unused: Any = None
        opened = opened_with(base, self.secrets, ledger, Neighbours(), self.executor)
        uploads = VerificationPart(verifier=unused, uploads=unused)
        part = open_flows(opened, unused, Slots(self.clock), uploads, Proof(stamps=self.stamps, long_term=None))
        consents: Any = Reader(self.clock)
        part.flows.consents = consents
        return part.flows

    async def row(self, flow_id: str) -> flow_store.FlowRow:
        found = await self.base.store.read(flow_store.find_flow, flow_id)
        assert found is not None
        return found

    async def agrees(self) -> list[str]:
        """What a recount from the ledger's files finds wrong."""
        directory = KeyFiles(self.base.hub.data_dir).ledger
        report = await recount(directory, self.secrets.ledger_keys, lambda: self.base.store.read(kept_in))
        return report.problems


class MortalFoundation(Foundation):
    """Dies after a number of transactions."""

    __slots__ = ("land",)

    def __init__(self, land: Land) -> None:
        base = land.base
        super().__init__(
            service=base.service,
            hub=base.hub,
            settings=base.settings,
            clock=land.clock,
            store=base.store,
            writer=base.writer,
            registry=base.registry,
        )
        self.land = land

    async def write(self, work: Callable[..., Any], *args: Any) -> Any:
        if self.land.lives == 0:
            raise Died
        self.land.lives -= 1
        return await super().write(work, *args)


@dataclass
class MortalLedger:
    """Is away, or dies with its process after an entry that nobody heard of."""

    land: Land

    async def append(self, entry: Any) -> Any:
        if self.land.stays == 0:
            raise EsignError("LEDGER_AWAY", "away", "暂不可写")
        self.land.stays -= 1
        return await self.land.ledger.append(entry)


@pytest_asyncio.fixture
async def land(request: pytest.FixtureRequest) -> AsyncIterator[Land]:
    """On SQLite; on PostgreSQL for a test that asks for `postgres_url` too."""
    asked = "postgres_url" in request.fixturenames
    server = await new_database(request.getfixturevalue("postgres_url")) if asked else ""
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder, ThreadPoolExecutor(1) as executor:
        data = Path(folder)
        for name in ("keys", "pki", "db"):
            (data / name).mkdir()
        hub = HubSettings("150000", "内蒙古枢纽", "hub.test", ISSUER, data, data)
        settings = EsignSettings(ses_sidecar=False, ledger_window_ms=0)
        clock = ManualClock(SystemClock().now_us())
        keys.make(hub)
        secrets = keys.Secrets.load(hub, settings)
        url = server or f"sqlite:///{data}/db/esign.db"
        await migrate(url, "services.esign", clock)
        await put_seals(url, secrets, clock)  # type: ignore[arg-type]
        kept = await Store.open(url, store.METADATA, clock=clock)
        kept.use_cipher(secrets.keyring)
        base = foundation_of("esign", hub, settings, clock, kept, platforms=(BUREAU, APP))
        ledger = (await open_ledger(base, settings, secrets)).log
        assert secrets.tsa is not None
        stamps = Source(OwnTimestamps(Authority(secrets.tsa, ClockGuard(SystemClock()))))
        try:
            yield Land(base, secrets, ledger, stamps, clock, executor)
        finally:
            await ledger.close()
            await kept.close()


def call(kind: CallerKind, platform: str, person: str = "", method: str = "/esign/SignSteps") -> None:
    set_current(CurrentCall(method, "r", "", audit=True, caller=Caller(kind, platform, person)))


async def begin(flows: FlowService, scenario: str = SCENARIO) -> pb.Flow:
    call(CallerKind.PLATFORM, BUREAU, method="/esign/BeginFlow")
    return (await flows.BeginFlow(beginning(scenario), None)).flow


def signing(flow: pb.Flow, step: str, token: str = "") -> pb.SignStepsRequest:
    return pb.SignStepsRequest(
        request_id=f"sign-{flow.id}-{step}",
        steps=[pb.StepToSign(flow=flow.id, step=step, document_sha256=flow.document_sha256)],
        authorisation=token,
    )


async def sign(flows: FlowService, flow: pb.Flow, step: str) -> None:
    if step == "authority":
        call(CallerKind.PLATFORM, BUREAU)
        await flows.SignSteps(signing(flow, step), None)
    else:
        call(CallerKind.PERSON, APP, f"subject-{step}")
        token = f"jti-{flow.id}-{step};{flow.id}|{step}|{flow.document_sha256}"
        await flows.SignSteps(signing(flow, step, token), None)


async def until_death(work: Awaitable[Any]) -> bool:
    try:
        await work
    except Died:
        return True
    return False


async def whole_life(land: Land, flow: pb.Flow) -> None:
    """Both parties, each as often as it takes, and the hub's own work, until the process dies or all is done."""
    flows = land.flows()
    try:
        for step in ("authority", "reporter"):
            if step in (await land.row(flow.id)).flow.ready:
                await sign(flows, flow, step)
        await flows.work.finish(flow.id)
        await flows.journal.settle()
    finally:
        await flows.work.close()


@pytest.mark.timeout(120)
async def test_a_death_after_any_transaction_leaves_one_document(land: Land) -> None:
    """Killed after each transaction in turn, and again some later: the flow completes once and the ledger agrees."""
    died = 0
    for first in range(18):
        flow = await begin(land.flows())
        for lives in (first, 2, 1):
            land.lives = lives
            died += await until_death(whole_life(land, flow))
            land.lives = -1
        await whole_life(land, flow)
        await require_one_document(land, flow)
    # Later than the last transaction of a whole life there is nothing to interrupt.
    assert 18 < died < 54
    assert await land.agrees() == []


async def require_one_document(land: Land, flow: pb.Flow) -> None:
    """Completed, every revision once, the final bytes logged and VALID."""
    row = await land.row(flow.id)
    assert row.flow.state is FlowState.COMPLETED
    revisions = await land.base.store.read(flow_store.revisions, flow.id)
    assert [each.step for each in revisions] == ["", "authority", "reporter", ""]
    _, pdf = await land.base.store.read(flow_store.document, flow.id)
    assert sha256(pdf).hexdigest() == row.final_sha256
    trust = Trust((land.secrets.seal_ca.root,), (land.secrets.ledger.verifier,))
    verdict = judged(pdf, trust=trust, now_us=land.clock.now_us(), receipt=row.receipt)
    assert verdict.outcome is Outcome.VALID, verdict.as_json()
    told = select(outbox_event.c.topic).where(outbox_event.c.aggregate == flow.id).order_by(outbox_event.c.seq)
    topics = await land.base.store.read(lambda conn: [row.topic.rpartition(".")[2] for row in conn.execute(told)])
    assert [topic for topic in topics if topic != "failed"] == ["begun", "signed", "signed", "completed"]


async def test_work_that_was_left_is_taken_up_when_its_time_comes(land: Land) -> None:
    """Authorised and then killed: nobody has to come back, the next process signs and completes."""
    flow = await begin(land.flows(), "temporary_identity")
    land.lives = 1
    assert await until_death(sign(land.flows(), flow, "authority"))
    land.lives = -1
    assert (await land.row(flow.id)).flow.authorised == ("authority",)
    assert await land.base.store.read(flow_store.due_work, land.clock.now_us(), 10) == []
    land.clock.advance(LEASE_US / 1e6 + 1)
    assert await land.base.store.read(flow_store.due_work, land.clock.now_us(), 10) == [flow.id]
    await land.flows().work.finish(flow.id)
    assert (await land.row(flow.id)).flow.state is FlowState.COMPLETED


async def test_twice_gives_the_same_bytes(land: Land) -> None:
    """Two workers on one flow, in every interleaving that the store allows: one revision each, one final document."""
    flow = await begin(land.flows())
    for step in ("authority", "reporter"):
        land.lives = 1
        assert await until_death(sign(land.flows(), flow, step))
        land.lives = -1
        await asyncio.gather(*(land.flows().work.finish(flow.id) for _ in range(6)))
    row = await land.row(flow.id)
    assert (row.flow.state, row.flow.revision) == (FlowState.COMPLETED, 3)
    assert len(await land.base.store.read(flow_store.revisions, flow.id)) == 4
    assert await land.agrees() == []


@pytest.mark.postgresql
async def test_two_replicas_on_one_database_make_one_document(land: Land, postgres_url: str) -> None:
    """On PostgreSQL units run side by side: of many at once on one flow, each revision and each end happens once."""
    flow = await begin(land.flows())
    for step in ("authority", "reporter"):
        land.lives = 1
        assert await until_death(sign(land.flows(), flow, step))
        land.lives = -1
        await asyncio.gather(*(land.flows().work.finish(flow.id) for _ in range(4)))
    await require_one_document(land, flow)
    flows = land.flows()
    await flows.journal.settle()
    assert await land.agrees() == []
    second = await begin(flows)
    call(CallerKind.PLATFORM, BUREAU, method="/esign/WithdrawFlow")
    withdrawals = [
        flows.WithdrawFlow(pb.WithdrawFlowRequest(request_id=request_id(), id=second.id, reason="收回"), None)
        for _ in range(4)
    ]
    outcomes = await asyncio.gather(*withdrawals, return_exceptions=True)
    assert sum(isinstance(outcome, HubError) for outcome in outcomes) == 3
    await flows.journal.settle()
    assert await land.agrees() == []


async def test_nothing_is_released_while_the_ledger_is_away(land: Land) -> None:
    """Signed by all and closed, but not logged: SEALING, then FAILED for all to see, and released when it is back."""
    flows = land.flows()
    flow = await begin(flows, "temporary_identity")
    await flows.journal.settle()
    land.stays = 0
    await sign(flows, flow, "authority")
    for _ in range(4):
        await flows.work.finish(flow.id)
        row = await land.row(flow.id)
        assert (row.failure, row.final_sha256, row.receipt) == ("LEDGER_AWAY", "", "")
        assert row.flow.state in (FlowState.SEALING, FlowState.FAILED)
        call(CallerKind.PLATFORM, BUREAU, method="/esign/DownloadFlow")
        answer = await flows.DownloadFlow(pb.DownloadFlowRequest(id=flow.id), None)
        assert answer.tlog_proof == ""
        revisions = await land.base.store.read(flow_store.revisions, flow.id)
        assert sha256(answer.pdf).hexdigest() == revisions[1].sha256
    assert (await land.row(flow.id)).flow.state is FlowState.FAILED
    with pytest.raises(HubError, match="FLOW_STATE"):
        call(CallerKind.PLATFORM, BUREAU, method="/esign/WithdrawFlow")
        await flows.WithdrawFlow(pb.WithdrawFlowRequest(request_id=request_id(), id=flow.id, reason="太晚"), None)
    land.stays = -1
    await flows.work.finish(flow.id)
    assert (await land.row(flow.id)).flow.state is FlowState.COMPLETED
    assert await land.agrees() == []


async def test_a_signature_waits_for_its_timestamp(land: Land) -> None:
    """Authority away: the consent is kept, the step is AUTHORISED, and signed as soon as there are timestamps."""
    flows = land.flows()
    flow = await begin(flows)
    land.stamps.away = True
    await sign(flows, flow, "authority")
    row = await land.row(flow.id)
    assert (row.flow.authorised, row.failure, row.flow.revision) == (("authority",), "TIMESTAMP_PENDING", 0)
    land.stamps.away = False
    await flows.work.finish(flow.id)
    assert (await land.row(flow.id)).flow.revision == 1


async def test_time_ends_what_nobody_signs(land: Land) -> None:
    """Reminders by the scenario's rule, then EXPIRED; a signature that comes late is refused even before the timer."""
    flows = land.flows()
    flow = await begin(flows)
    await sign(flows, flow, "authority")
    timers = flows.work._timers
    reminded = []
    for _ in range(24):
        land.clock.advance(HOUR_S)
        await timers(land.clock.now_us())
        reminded.append((await land.row(flow.id)).reminded)
    row = await land.row(flow.id)
    assert (row.flow.state, row.reminded) == (FlowState.EXPIRED, 2)
    # After 4 hours, then every 8.
    assert [reminded.index(count) + 1 for count in (1, 2)] == [4, 12]
    late = await begin(flows)
    land.clock.advance(24 * HOUR_S + 1)
    with pytest.raises(HubError, match="FLOW_STATE"):
        await sign(flows, late, "authority")
    await timers(land.clock.now_us())
    await flows.journal.settle()
    counts = await land.base.store.read(flow_journal_store.counts)
    assert {place: count for place, count in counts.items() if place[2] == "expired"} == {
        (SCENARIO, "authority", "expired"): 1,
        (SCENARIO, "reporter", "expired"): 1,
    }
    assert await land.agrees() == []


async def test_what_came_to_nothing_is_thrown_away(land: Land) -> None:
    """A month after its end the document of a withdrawn flow is gone, a forgotten draft's too; a completed one stays."""
    flows = land.flows()
    done, gone, draft = [await begin(flows, "temporary_identity") for _ in range(2)] + [
        (await flows.BeginFlow(beginning("temporary_identity", draft=True), None)).flow
    ]
    await sign(flows, done, "authority")
    await flows.work.finish(done.id)
    call(CallerKind.PLATFORM, BUREAU, method="/esign/WithdrawFlow")
    await flows.WithdrawFlow(pb.WithdrawFlowRequest(request_id=request_id(), id=gone.id, reason="收回"), None)
    await flows.work.tidy(land.clock.now_us())
    assert [(await flows.DownloadFlow(pb.DownloadFlowRequest(id=one.id), None)).pdf[:4] for one in (done, gone, draft)]
    land.clock.advance(31 * 24 * HOUR_S)
    await flows.work.tidy(land.clock.now_us())
    assert (await flows.DownloadFlow(pb.DownloadFlowRequest(id=done.id), None)).pdf
    for one in (gone, draft):
        assert (await land.row(one.id)).flow.state is FlowState.WITHDRAWN
        with pytest.raises(HubError, match="DOCUMENT_ERASED"):
            await flows.DownloadFlow(pb.DownloadFlowRequest(id=one.id), None)
    await flows.journal.settle()
    assert await land.agrees() == []


async def test_a_withdrawal_beats_a_signature_that_is_being_made(land: Land) -> None:
    """Withdrawn between authorisation and signature: the signature is kept nowhere."""
    flow = await begin(land.flows())
    land.lives = 1
    assert await until_death(sign(land.flows(), flow, "authority"))
    land.lives = -1
    flows = land.flows()
    call(CallerKind.PLATFORM, BUREAU, method="/esign/WithdrawFlow")
    await flows.WithdrawFlow(pb.WithdrawFlowRequest(request_id=request_id(), id=flow.id, reason="收回"), None)
    await flows.work.finish(flow.id)
    row = await land.row(flow.id)
    assert (row.flow.state, row.flow.revision) == (FlowState.WITHDRAWN, 0)
    assert len(await land.base.store.read(flow_store.revisions, flow.id)) == 1


async def test_a_completion_that_was_put_in_twice_is_found(land: Land) -> None:
    """Drill: somebody counts a completed flow once more in the store, or logs a second end; the recount says so."""
    flows = land.flows()
    flow = await begin(flows, "temporary_identity")
    await sign(flows, flow, "authority")
    await flows.work.finish(flow.id)
    await flows.journal.settle()
    assert await land.agrees() == []
    row = await land.row(flow.id)
    await land.base.write(lambda conn: flow_journal_store.count(conn, row.scenario, "", "completed"))
    assert await land.agrees() == ["temporary_identity/completed: 1 in the ledger, 2 in the store"]
    land.clock.advance(1)
    again = replace(row, flow=replace(row.flow, state=FlowState.SEALING))
    await land.base.write(lambda conn: flows.journal.ended(conn, again, FlowState.COMPLETED, "", land.clock.now_us()))
    assert any("ended twice" in problem for problem in await land.agrees())
