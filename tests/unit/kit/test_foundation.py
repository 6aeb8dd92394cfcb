"""The one way to mutate, and what operators read of a service: effect, answer, event and record together, once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, func, insert, select

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.api.events.v1.events_pb2 import CaseChanged
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.events import dead_letters, outbox_rows
from shuniu.kit.events.bus_pull import Delivered
from shuniu.kit.foundation import BareFoundation, Foundation, ServiceSettings, open_foundation
from shuniu.kit.operations import Operations
from shuniu.kit.process import metrics
from shuniu.kit.process.config import HubSettings
from shuniu.kit.process.run import StartRefusedError
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall, set_current
from shuniu.kit.rpc.server import servicer
from shuniu.kit.store import Store, audit
from shuniu.kit.store.tables import audit as audit_table
from shuniu.kit.store.tables import kit_tables, outbox_event
from shuniu.kit.testing import ManualClock, eventually
from shuniu.kit.testing.foundation import foundation_of

METADATA = MetaData()
kit_tables(METADATA)
effects = Table("effect", METADATA, Column("what", Text))

APP = Caller(CallerKind.PLATFORM, "nmg-app")
ID = "request-0001"


def calling(caller: Caller = APP, method: str = "/s/Do", *, audited: bool = True) -> None:
    set_current(CurrentCall(method, "edge-1", "trace", audited, caller))


@pytest.fixture
async def base(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Foundation]:
    hub = HubSettings("150000", "枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path)
    store = Store.unchecked(f"sqlite:///{tmp_path}/s.db", METADATA, clock=clock, writer="test")
    await store.create_schema()
    calling()
    yield foundation_of("exchange", hub, ServiceSettings(), clock, store)
    await store.close()


def request(request_id: str = ID, *, events: tuple[str, ...] = ()) -> pb.ReplayDeadLettersRequest:
    return pb.ReplayDeadLettersRequest(request_id=request_id, event_ids=events)


async def mutate(base: Foundation, asked: pb.ReplayDeadLettersRequest, fail: Exception | None = None) -> list[str]:
    """A mutation with an effect, an event and an answer that tells how many effects there are."""

    def work(conn: Connection) -> pb.ReplayDeadLettersResponse:
        conn.execute(insert(effects), {"what": " ".join(asked.event_ids)})
        base.publish(conn, "exchange.case.moved", "case-1", CaseChanged(source_platform="nmg-app"))
        if fail:
            raise fail
        done = conn.execute(select(func.count()).select_from(effects)).scalar_one()
        return pb.ReplayDeadLettersResponse(event_ids=[str(done)])

    answer = await base.mutate(asked, pb.ReplayDeadLettersResponse, work, target="case/1")
    return list(answer.event_ids)


async def kept(base: Foundation) -> tuple[int, int, int]:
    """Effects, events and audit records."""

    def count(conn: Connection) -> tuple[int, ...]:
        tables = (effects, outbox_event, audit_table)
        return tuple(conn.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)

    return await base.store.read(count)


@pytest.mark.parametrize("bad", ["", "short", "x" * 65, "has space!", "身份身份身份身份", "a\nb\nc\nd\ne"])
async def test_a_mutation_needs_a_request_id(base: Foundation, bad: str) -> None:
    """Without a well-formed request_id nothing happens, and the caller hears what one looks like."""
    with pytest.raises(HubError) as refused:
        await mutate(base, request(bad))
    assert (refused.value.code, refused.value.reason) == (Code.INVALID_ARGUMENT, "REQUEST_ID_REQUIRED")
    assert await kept(base) == (0, 0, 0)


async def test_a_retry_gets_the_same_answer_and_no_second_effect(base: Foundation) -> None:
    """The same request again, also many at once, has one effect, one event, one record and one answer."""
    answers = await asyncio.gather(*(mutate(base, request(events=("a",))) for _ in range(8)))
    assert answers == [["1"]] * 8
    assert await kept(base) == (1, 1, 1)


async def test_an_id_used_for_other_content_is_refused(base: Foundation) -> None:
    """A request_id belongs to one content: another under it is ABORTED and changes nothing."""
    await mutate(base, request(events=("a",)))
    with pytest.raises(HubError) as refused:
        await mutate(base, request(events=("b",)))
    assert (refused.value.code, refused.value.reason) == (Code.ABORTED, "REQUEST_ID_REUSED")
    assert await kept(base) == (1, 1, 1)


async def test_ids_belong_to_caller_and_rpc(base: Foundation) -> None:
    """Two callers, or two RPCs, may use the same request_id: neither sees the other's answer."""
    callers = [APP, Caller(CallerKind.PLATFORM, "other"), Caller(CallerKind.PERSON, "nmg-app", "p1")]
    answers = []
    for caller in callers:
        for method in ("/s/Do", "/s/Undo"):
            calling(caller, method)
            answers += await mutate(base, request())
    assert answers == ["1", "2", "3", "4", "5", "6"]


async def test_what_failed_left_nothing(base: Foundation) -> None:
    """An exception takes effect, event, record and request id back; the same id may be used again."""
    with pytest.raises(LookupError):
        await mutate(base, request(), LookupError("no"))
    assert await kept(base) == (0, 0, 0)
    assert await mutate(base, request()) == ["1"]


async def test_the_record_says_who_did_what(base: Foundation) -> None:
    """An audited call leaves who, what, to what, and the edge's request id, in a sound chain; another leaves none."""
    await mutate(base, request())
    calling(audited=False)
    await mutate(base, request("request-0002"))

    def read(conn: Connection) -> list[Any]:
        columns = audit_table.c
        return list(
            conn.execute(
                select(columns.actor, columns.actor_kind, columns.action, columns.object, columns.request_id)
            ).all()
        )

    assert await base.store.read(read) == [("nmg-app", "platform", "Do", "case/1", "edge-1")]
    assert (await base.store.read(audit.verify)).sound


async def test_an_event_carries_where_it_comes_from(base: Foundation) -> None:
    """An event has the hub's source, its type, zone, trace and a number of its aggregate, from 1 without gaps."""
    for n in range(3):
        await mutate(base, request(f"request-{n:04}"))

    def read(conn: Connection) -> list[Any]:
        event = outbox_event.c
        return list(
            conn.execute(
                select(event.type, event.source, event.seq, event.zone, event.traceparent).order_by(event.seq)
            ).all()
        )

    expected = ("shuniu.exchange.case.moved.v1", "//hub.test/exchange")
    assert await base.store.read(read) == [(*expected, n, "government-extranet", "trace") for n in (1, 2, 3)]


async def test_a_store_without_schema_refuses_the_start(tmp_path: Path, clock: ManualClock) -> None:
    """A service whose store was never migrated does not start, and says so in one line naming the service."""
    hub = HubSettings("150000", "枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path)
    (tmp_path / "db").mkdir()
    with pytest.raises(StartRefusedError, match=r"^exchange: .*shuniu migrate"):
        async with open_foundation(
            "exchange", hub, ServiceSettings(), METADATA, package="services.exchange", clock=clock
        ):
            pass


async def test_what_follows_no_registry_stands_behind_the_edge_only(base: Foundation) -> None:
    """A bare foundation serves its peers; at the edge nobody could say who may call."""
    bare = BareFoundation(
        service="vault", hub=base.hub, settings=base.settings, clock=base.clock, store=base.store, writer="vault"
    )
    operations = servicer(Operations(bare, list))
    (peer,) = bare.listeners(edge=[], peer=[operations])
    assert peer.address == f"unix:{base.hub.run_dir}/vault.peer.sock"
    with pytest.raises(ValueError, match="vault: follows no registry"):
        bare.listeners(edge=[operations], peer=[])


def letter(number: int) -> Delivered:
    headers = {"ce-id": f"event-{number}", "ce-source": "//hub.test/identity", "ce-type": "t"}
    return Delivered("evt.x", b"", headers, "EVT", number, 5, 0, "")


class Desk:
    """Operations of a service with two dead letters, and what was sent again."""

    def __init__(self, base: Foundation) -> None:
        self.base = base
        self.sent: list[int] = []
        self.reasons: list[str] = []
        self.fail = False
        self.hopeless = 0
        self.operations = Operations(base, lambda: self.reasons, replay=self.replay)

    async def replay(self, number: int) -> None:
        if self.fail:
            raise ConnectionError
        if number == self.hopeless:
            raise errors.precondition("EVENT_FAILED_AGAIN", "The event failed again.", "该事件再次处理失败。")
        self.sent.append(number)
        await self.base.store.write(dead_letters.mark_replayed, number, 1)


@pytest.fixture
async def desk(base: Foundation) -> Desk:
    for number in (1, 2):
        await base.write(dead_letters.add, "consumer", letter(number), "ValueError: of 150102199001011234", 7)
    return Desk(base)


async def test_dead_letters_are_listed_without_their_texts(desk: Desk) -> None:
    """An operator sees event, consumer, attempts and the kind of failure; its text, which may quote data, stays."""
    answer = await desk.operations.ListDeadLetters(pb.ListDeadLettersRequest(), None)
    found = [(row.event_id, row.consumer, row.cause, row.attempts) for row in answer.dead_letters]
    assert found == [("event-1", "consumer", "ValueError", 5), ("event-2", "consumer", "ValueError", 5)]


async def test_a_preview_sends_nothing(desk: Desk) -> None:
    """With preview the answer is what would be sent, and neither a letter nor a record moves."""
    asked = pb.ReplayDeadLettersRequest(request_id=ID, preview=True)
    answer = await desk.operations.ReplayDeadLetters(asked, None)
    assert (list(answer.event_ids), desk.sent) == (["event-1", "event-2"], [])
    assert (await kept(desk.base))[2] == 0


async def test_a_replay_happens_once_and_on_record(desk: Desk) -> None:
    """A replay sends the letters asked for, leaves a record, and the same request again sends nothing more."""
    asked = request(events=("event-2",))
    for _ in range(2):
        assert list((await desk.operations.ReplayDeadLetters(asked, None)).event_ids) == ["event-2"]
    assert desk.sent == [2]
    assert (await kept(desk.base))[2] == 1


async def test_a_replay_that_broke_off_goes_on(desk: Desk) -> None:
    """After a failure midway the same request sends what is still owed."""
    desk.fail = True
    with pytest.raises(ConnectionError):
        await desk.operations.ReplayDeadLetters(request(), None)
    desk.fail = False
    assert list((await desk.operations.ReplayDeadLetters(request(), None)).event_ids) == ["event-1", "event-2"]
    assert desk.sent == [1, 2]


async def test_a_letter_that_fails_again_keeps_no_other_from_its_replay(desk: Desk) -> None:
    """It is named in the answer and stays; those behind it are sent. Letters beyond a first thousand are reached too."""
    desk.hopeless = 1
    for number in range(3, 1_005):
        await desk.base.write(dead_letters.add, "consumer", letter(number), "ValueError", 7)
    answer = await desk.operations.ReplayDeadLetters(request(), None)
    assert (len(answer.event_ids), list(answer.failed)) == (1_004, ["event-1"])
    assert desk.sent == list(range(2, 1_005))
    listed = await desk.operations.ListDeadLetters(pb.ListDeadLettersRequest(), None)
    assert ([row.event_id for row in listed.dead_letters], listed.next_page_token) == (["event-1"], "")


async def test_dead_letters_are_listed_by_pages(desk: Desk) -> None:
    """Each once, oldest first; a token that no page gave is refused."""
    first = await desk.operations.ListDeadLetters(pb.ListDeadLettersRequest(page_size=1), None)
    asked = pb.ListDeadLettersRequest(page_size=1, page_token=first.next_page_token)
    second = await desk.operations.ListDeadLetters(asked, None)
    assert [row.event_id for page in (first, second) for row in page.dead_letters] == ["event-1", "event-2"]
    assert second.next_page_token == ""
    with pytest.raises(HubError) as refused:
        await desk.operations.ListDeadLetters(pb.ListDeadLettersRequest(page_token="-1"), None)
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


async def test_deliveries_that_were_given_up_are_queued_again(desk: Desk) -> None:
    """An operator's word sends an organisation's dead and archived ones once more, on record; a preview sends none."""
    calling()
    await mutate(desk.base, request("request-0009"))
    (row,) = await desk.base.store.read(outbox_rows.next_pending, "nmg-app", 0, 10)
    await desk.base.write(outbox_rows.bury, row.position, "10054: too big")
    for preview, waiting in ((True, 0), (False, 1)):
        asked = pb.RequeueDeliveriesRequest(request_id="request-0010", organisation="nmg-app", preview=preview)
        assert (await desk.operations.RequeueDeliveries(asked, None)).deliveries == 1
        assert len(await desk.base.store.read(outbox_rows.next_pending, "nmg-app", 0, 10)) == waiting
    with pytest.raises(HubError) as refused:
        await desk.operations.RequeueDeliveries(pb.RequeueDeliveriesRequest(request_id="request-0011"), None)
    assert refused.value.reason == "ORGANISATION_REQUIRED"


async def test_status_and_gauges(desk: Desk, clock: ManualClock) -> None:
    """Status tells readiness with its reasons, deliveries by state and the age of the oldest; the gauges say the same."""
    calling()
    await mutate(desk.base, request("request-0009"))
    clock.advance(30)
    desk.reasons = ["bus away"]
    status = await desk.operations.GetStatus(pb.GetStatusRequest(), None)
    assert (status.service, status.ready, status.reason, status.dead_letters) == ("exchange", False, "bus away", 2)
    assert (dict(status.outbox), status.outbox_age_seconds) == ({"PENDING": 2}, 30.0)
    assert (status.organisation_deliveries, status.organisation_open) == (1, 1)
    task = asyncio.create_task(desk.operations.watch())
    await eventually(lambda: metrics.OUTBOX_AGE._value.get() == 30.0)
    assert metrics.DEAD_LETTERS._value.get() == 2
    task.cancel()


async def test_a_trace_shows_each_delivery(desk: Desk) -> None:
    """Each event of an aggregate is shown with where it went and how far it came."""
    await mutate(desk.base, request("request-0009"))
    answer = await desk.operations.TraceAggregate(pb.TraceAggregateRequest(aggregate="case-1"), None)
    assert [(row.seq, row.target, row.state) for row in answer.entries] == [
        (1, "evt", "PENDING"),
        (1, "nmg-app", "PENDING"),
    ]


async def test_a_changed_record_is_found(desk: Desk) -> None:
    """The audit check says that a chain holds, and names the first place where it does not."""
    await mutate(desk.base, request("request-0009"))
    sound = await desk.operations.VerifyAudit(pb.VerifyAuditRequest(), None)
    assert (sound.intact, sound.records, sound.first_break) == (True, 1, "")
    assert list(sound.heads) == ["test"]
    await desk.base.write(lambda conn: conn.execute(audit_table.update().values(actor="somebody-else")).rowcount)
    broken = await desk.operations.VerifyAudit(pb.VerifyAuditRequest(), None)
    assert (broken.intact, broken.first_break) == (False, "test:1 CHANGED")
