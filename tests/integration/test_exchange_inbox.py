"""The HTTP carrier: an organisation's own INBOX without a bus client, on a real bus."""

import asyncio
import hashlib
import json
import time

import pytest

from services.exchange import metrics
from services.identity.bus.admin import acknowledged_by_all
from services.identity.bus.domain import organisation_account_id
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import inbox_pb2 as pb
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process import metrics as kit_metrics
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.testing import eventually
from tests.integration.test_exchange_cases import refused
from tests.support.bus_land import KEYS
from tests.support.exchange_land import exchange_land, rid


@pytest.fixture
async def land():
    async with exchange_land(inbox_idle_seconds=0.5) as it:
        yield it


def pull(land, who="bureau", cursor="", most=0, wait=0):
    caller = land.platform(who)
    request = pb.PullInboxRequest(cursor=cursor, max_events=most, wait_seconds=wait)
    return caller.call(caller.inbox.PullInbox, request, timeout=40)


def ack(land, events, who="bureau", request_id=""):
    caller = land.platform(who)
    receipts = [pb.InboxReceipt(event_id=each.id, sha256=each.sha256) for each in events]
    request = pb.AckInboxRequest(request_id=request_id or rid(), receipts=receipts)
    return caller.call(caller.inbox.AckInbox, request)


async def stored(land, number, who="bureau"):
    """Returns once so many events lie in an inbox."""

    async def there():
        answer = await pull(land, who, most=500)
        return len(answer.events) >= number

    await eventually(there)


async def test_events_come_once_in_order_with_exact_bytes_and_receipts_close_them(land):
    """Pages by cursor; data, digest and JSON agree; after the ack the delivery is RECEIPTED as by a bus client."""
    cases = [(await land.person().apply()).case_code for _ in range(7)]
    await stored(land, 7)
    seen, cursor = [], ""
    while True:
        answer = await pull(land, cursor=cursor, most=3)
        assert len(answer.events) <= 3
        cursor = answer.cursor
        if not answer.events:
            break
        seen += answer.events
    assert [each.subject for each in seen] == cases
    assert len({each.id for each in seen}) == 7
    for event in seen:
        assert event.sha256 == hashlib.sha256(event.data).hexdigest()
        change = events_pb2.CaseChanged.FromString(event.data)
        assert (change.case_code, json.loads(event.data_json)["caseCode"]) == (event.subject, event.subject)
        assert (event.type, event.source) == ("shuniu.exchange.case.submitted.v1", "//hub.test/exchange")
        assert abs(event.time.ToMicroseconds() / 1e6 - time.time()) < 60
    same = rid()
    await ack(land, seen, request_id=same)
    await ack(land, seen, request_id=same)
    await ack(land, seen)

    async def receipted():
        entries = [entry for code in cases for entry in (await land.trace(code)).entries if entry.target == "bureau"]
        return all(entry.state == "RECEIPTED" for entry in entries)

    await eventually(receipted)
    await refused(ack(land, seen[:1], request_id=same), "REQUEST_ID_REUSED", Code.ABORTED)


async def test_a_long_poll_answers_when_something_happens(land):
    """Nothing there: it waits; an event ends the wait at once; without one it ends in time with the same cursor."""
    first = await pull(land)
    started = time.monotonic()
    empty = await pull(land, cursor=first.cursor, wait=1)
    assert (list(empty.events), 0.9 < time.monotonic() - started < 3) == ([], True)
    waiting = asyncio.create_task(pull(land, cursor=empty.cursor, wait=25))
    # The poll is under way once its connection is in use; then an event ends it.
    await eventually(lambda: metrics.INBOX_LINKS._value.get() == 1)
    case = await land.person().apply()
    started = time.monotonic()
    answer = await waiting
    assert [each.subject for each in answer.events] == [case.case_code]
    assert time.monotonic() - started < 5


async def test_cursors_are_the_clients_own(land):
    """Another's cursor, a changed one and nonsense are refused; an old one reads again from there."""
    await land.person().apply()
    await stored(land, 1)
    start = await pull(land, most=1)
    again = await pull(land, cursor=start.cursor)
    assert not again.events
    await refused(pull(land, "app", cursor=start.cursor), "CURSOR_INVALID", Code.INVALID_ARGUMENT)
    for text in (start.cursor[:-2], "x", "\x00", start.cursor + "A", "A" * 3000):
        await refused(pull(land, cursor=text), "CURSOR_INVALID", Code.INVALID_ARGUMENT)
    await refused(pull(land, most=501), "VALUE_RANGE", Code.INVALID_ARGUMENT)
    await refused(pull(land, wait=26), "VALUE_RANGE", Code.INVALID_ARGUMENT)
    await land.person().apply()
    await stored(land, 2)
    assert len((await pull(land, cursor=start.cursor)).events) == 1
    assert len((await pull(land, "app2")).events) == 0


async def test_receipts_are_checked_and_only_count_for_the_caller(land):
    """Every fault is named; another organisation's receipt for an event closes nothing."""
    await land.start_esign()
    case = await land.person().apply()
    await stored(land, 1)
    (event,) = (await pull(land)).events
    bad = [pb.InboxEvent(id="x", sha256="y"), pb.InboxEvent(id=event.id, sha256="A" * 64)]
    error = await refused(ack(land, bad), "INVALID_REQUEST", Code.INVALID_ARGUMENT)
    assert [each.reason for each in error.violations] == ["EVENT_ID_FORM", "DIGEST_FORM", "DIGEST_FORM"]
    await refused(ack(land, []), "RECEIPTS_COUNT")
    await refused(ack(land, [event] * 501), "RECEIPTS_COUNT")
    error = await refused(ack(land, [event], who="bureau2"), "EVENT_UNKNOWN", Code.INVALID_ARGUMENT)
    assert [(each.field, each.reason) for each in error.violations] == [("receipts[0].event_id", "EVENT_UNKNOWN")]
    told = kit_metrics.RECEIPTS_REFUSED.labels("mismatch")._value.get
    before = told()
    stranger = pb.InboxEvent(id=new_ulid(SystemClock()), sha256=event.sha256)
    wrong = [event, pb.InboxEvent(id=event.id, sha256="0" * 64), stranger]
    error = await refused(ack(land, wrong), "INVALID_REQUEST", Code.INVALID_ARGUMENT)
    assert {(each.field, each.reason) for each in error.violations} == {
        ("receipts[1].sha256", "DIGEST_OTHER"),
        ("receipts[2].event_id", "EVENT_UNKNOWN"),
    }
    # Operators hear of it as of a wrong receipt on the bus.
    assert told() == before + 1
    entries = {entry.target: entry.state for entry in (await land.trace(case.case_code)).entries}
    assert entries["bureau"] != "RECEIPTED"
    await ack(land, [event])

    async def state():
        return {entry.target: entry.state for entry in (await land.trace(case.case_code)).entries}

    await eventually(lambda: _is(state, "bureau", "RECEIPTED"))
    assert set(await state()) == {"bureau", "evt"}


async def test_receipts_for_a_neighbours_events_are_checked_with_it(land):
    """Whoever sent the event is asked; while it is away nothing is taken, and the client hears to come again."""
    sealed = pb.InboxEvent(id=new_ulid(SystemClock()), sha256="5" * 64)
    land.sealed["bureau", sealed.id] = sealed.sha256
    await refused(ack(land, [sealed]), "RECEIPTS_UNCHECKED", Code.UNAVAILABLE)
    await land.start_esign()

    async def taken():
        try:
            await ack(land, [sealed])
        except HubError as error:
            if error.reason != "RECEIPTS_UNCHECKED":
                raise
            return False
        return True

    await eventually(taken, within=20)
    error = await refused(ack(land, [pb.InboxEvent(id=sealed.id, sha256="6" * 64)]), "DIGEST_OTHER")
    assert [(each.field, each.reason) for each in error.violations] == [("receipts[0].sha256", "DIGEST_OTHER")]
    await refused(ack(land, [sealed], who="bureau2"), "EVENT_UNKNOWN", Code.INVALID_ARGUMENT)
    # Nobody may know an old one any more, and its receiver must come on with what it reads.
    await ack(land, [pb.InboxEvent(id="01J00000000000000000000001", sha256="5" * 64)])


async def _is(state, target, wanted):
    return (await state())[target] == wanted


async def test_progress_lets_the_bus_make_room(land):
    """A cursor that comes back is the client's word that it has what was before: the stream may forget that."""
    for _ in range(3):
        await land.person().apply()
    await stored(land, 3)
    first = await pull(land, most=2)
    await pull(land, cursor=first.cursor)
    account = organisation_account_id(KEYS, land.bus.accounts["bureau"])
    inbox = (await land.bus.admin._inboxes())[account]
    assert acknowledged_by_all(inbox) == inbox["state"]["last_seq"] - 1
    assert len(inbox["consumer_detail"]) == 1


async def test_one_connection_for_each_organisation_closed_when_idle(land):
    """Many calls share one connection and one credential; after a while without calls it is gone, then made again."""
    await asyncio.gather(*(pull(land) for _ in range(4)), *(pull(land, "app") for _ in range(4)))
    assert sorted(land.identity.carriers) == ["app", "bureau"]
    await eventually(lambda: metrics.INBOX_LINKS._value.get() == 0)
    await pull(land)
    assert len(land.identity.carriers) == 3
    results = await asyncio.gather(*(pull(land, wait=1) for _ in range(12)), return_exceptions=True)
    refusals = {each.reason for each in results if isinstance(each, HubError)}
    assert (refusals, sum(isinstance(each, HubError) for each in results)) == ({"TOO_MANY_POLLS"}, 4)


async def test_a_credential_is_renewed_before_it_ends(land):
    """A long poll ends on the connection it began on; the next call has a fresh one; the old one is closed."""
    land.identity.carrier_seconds = 60
    first = await pull(land)
    waiting = asyncio.create_task(pull(land, cursor=first.cursor, wait=3))
    await asyncio.wait([waiting], timeout=0.2)
    land.identity.carrier_seconds = 3600
    await pull(land, cursor=first.cursor)
    case = await land.person().apply()
    assert [each.subject for each in (await waiting).events] == [case.case_code]
    assert land.identity.carriers == ["bureau"] * 3
    await eventually(lambda: metrics.INBOX_LINKS._value.get() == 0)


async def test_bus_and_identity_away_are_typed_and_nothing_is_lost(land):
    """BUS_AWAY while either is gone; afterwards the same cursor goes on, with every event once."""
    await land.person().apply()
    await stored(land, 1)
    start = await pull(land)
    await land.bus.server.kill()
    await refused(pull(land, cursor=start.cursor), "BUS_AWAY", Code.UNAVAILABLE)
    made = [(await land.person().apply()).case_code for _ in range(3)]
    await land.bus.server.start()
    land.identity.away = True
    await eventually(lambda: metrics.INBOX_LINKS._value.get() == 0)
    await refused(pull(land, cursor=start.cursor), "BUS_AWAY", Code.UNAVAILABLE)
    land.identity.away = False
    seen, cursor = [], start.cursor

    async def all_there():
        nonlocal cursor
        try:
            answer = await pull(land, cursor=cursor)
        except HubError as error:
            if error.reason != "BUS_AWAY":
                raise
            return False
        cursor = answer.cursor
        seen.extend(each.subject for each in answer.events)
        return len(seen) >= 3

    await eventually(all_there, within=20)
    assert seen == made


async def test_a_lost_inbox_tells_its_client_where_to_go_on(land):
    """The bus lost its disk: the old cursor is refused, and the refusal carries the one to go on with."""
    case = await land.person().apply()
    await stored(land, 1)
    start = await pull(land)
    await land.bus.server.lose_disk()
    await land.bus.server.start()

    async def told():
        try:
            await pull(land, cursor=start.cursor)
        except HubError as error:
            return error if error.reason == "CURSOR_EPOCH" else None
        return None

    error = await eventually(told, within=20)
    assert error.code is Code.FAILED_PRECONDITION

    # What it lost is sent again by the relay in its own time; the cursor is good for all of it.
    again = await pull(land, cursor=error.metadata["cursor"])
    assert again.cursor != start.cursor
    assert {each.subject for each in again.events} <= {case.case_code}


async def test_a_suspended_organisation_reads_nothing(land):
    """Suspension refuses the call and cuts the carrier's connection with the platform's own."""
    await pull(land)
    await land.bus.suspend("bureau")
    land.identity.put("bureau", state="SUSPENDED")
    await land.registry_current()
    await refused(pull(land), "PLATFORM_STOPPED", Code.PERMISSION_DENIED)
    await land.bus.resume("bureau")
    land.identity.put("bureau")
    await land.registry_current()
    await eventually(lambda: _answers(land), within=15)


async def _answers(land):
    try:
        await pull(land)
    except HubError as error:
        if error.reason != "BUS_AWAY":
            raise
        return False
    return True


async def test_long_polls_do_not_hold_up_a_stop(land):
    """A process that is told to end lets its long polls and provider streams go at once."""
    first = await pull(land)
    waiting = asyncio.create_task(pull(land, cursor=first.cursor, wait=25))
    await eventually(lambda: land.process is not None and metrics.INBOX_LINKS._value.get() == 1)
    await asyncio.wait([waiting], timeout=0.3)
    started = time.monotonic()
    for let_go in land.process.on_drain:
        let_go()
    answer = await waiting
    assert (list(answer.events), time.monotonic() - started < 2) == ([], True)
