"""The exchange's store on every database: schema, quotas, terms, evidence."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from services.exchange.cases import store as case_store
from services.exchange.cases.deadlines import Deadlines, dated
from services.exchange.cases.domain import life
from services.exchange.cases.lapsing import BATCH, Lapsing
from services.exchange.cases.store import CaseRow
from services.exchange.directory.domain import Field, Resource, ShareClass
from services.exchange.domain.time_limits import WEEKDAYS, calendar_from
from services.exchange.grants import domain as grants
from services.exchange.grants import store as grant_store
from services.exchange.grants.domain import EXPIRING, Action, Contract, Party
from services.exchange.grants.expiry import expire_grants
from services.exchange.grants.store import GrantRow
from services.exchange.metrics import SPECIALS_LAPSED
from services.exchange.queries import store as query_store
from services.exchange.queries.granted_calls import close_abandoned
from services.exchange.queries.store import CallRow, CallState
from services.exchange.store import METADATA
from services.exchange.upkeep import Upkeep
from shuniu.kit.store import Store
from shuniu.kit.testing import eventually
from shuniu.kit.testing.schema import assert_schema_matches


@pytest.fixture
async def store(store_url, clock):
    opened = Store.unchecked(store_url, METADATA, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


def granted(now_us, days=1):
    contract = Contract(
        "bureau",
        "ministry",
        "records",
        "purpose",
        "base",
        frozenset({"a", "b"}),
        3,
        now_us,
        now_us + days * 86_400_000_000,
    )
    fields = (Field("a", "a", "internal"), Field("b", "b", "internal"))
    resource = Resource("records", "r", "ministry", fields, ShareClass.UNCONDITIONAL, "internal", False, "E1")
    grant = grants.propose("01" * 13, contract, resource)
    return GrantRow(grants.act(grant, Action.ACTIVATE, Party.HUB))


async def test_the_migration_makes_what_the_code_expects(store_url):
    """Migrations and metadata say the same on each database."""
    await assert_schema_matches("services.exchange", METADATA, store_url)


async def test_a_quota_is_never_overspent(store):
    """Fifty at once on a quota of three: three; a refund makes room for one; another day begins anew."""

    async def spend(day, resource="records"):
        return await store.write(grant_store.spend, day, "bureau", resource, 3)

    assert sum(await asyncio.gather(*(spend("20261120") for _ in range(50)))) == 3
    await store.write(grant_store.refund, "20261120", "bureau", "records")
    assert sum(await asyncio.gather(*(spend("20261120") for _ in range(5)))) == 1
    assert await spend("20261121")
    assert await spend("20261120", "others")
    # What past days spent is forgotten, and this day's stays.
    assert await store.write(grant_store.forget_uses, "20261121") == 2
    assert sum([await spend("20261121") for _ in range(5)]) == 2


async def test_a_term_ends_by_itself(store, clock):
    """A grant comes back as it was kept, expires when its term is over, once."""
    row = granted(clock.now_us())
    await store.write(grant_store.insert_grant, row)
    assert await store.read(grant_store.find_grant, row.grant.id) == row
    assert await store.write(expire_grants, clock.now_us()) == 0
    clock.advance(86_401)
    assert [await store.write(expire_grants, clock.now_us()) for _ in range(2)] == [1, 0]
    found = await store.read(grant_store.find_grant, row.grant.id)
    assert found.grant.state is grants.GrantState.EXPIRED


@pytest.mark.parametrize("state", sorted(EXPIRING))
async def test_a_term_ends_in_every_state_that_expires(store, clock, state):
    """A term runs out for a grant at rest as for one in force."""
    row = granted(clock.now_us())
    kept = GrantRow(replace(row.grant, state=state))
    await store.write(grant_store.insert_grant, kept)
    clock.advance(86_401)
    assert await store.write(expire_grants, clock.now_us()) == 1
    found = await store.read(grant_store.find_grant, row.grant.id)
    assert found.grant.state is grants.GrantState.EXPIRED


async def test_an_abandoned_call_is_refunded_once_and_its_late_end_changes_nothing(store, clock):
    """Whoever comes late finds the call ended: no second refund, no answer over it."""
    row = CallRow(
        "c1", "query", "caller", "request", b"d", "records", "bureau", "ministry",
        charged_day="20261120", begun_us=clock.now_us(),
    )  # fmt: skip
    assert await store.write(grant_store.spend, "20261120", "bureau", "records", 1)
    await store.write(query_store.insert_call, row)
    assert await store.write(close_abandoned, clock.now_us()) == 0
    assert [await store.write(close_abandoned, clock.now_us() + 1) for _ in range(2)] == [1, 0]
    found = await store.read(query_store.find_call, "caller", "request")
    assert (found.state, found.charged_day, found.result) == (CallState.FAILED, "", "CUT_OFF")
    assert not await store.write(query_store.update_call, row, replace(row, state=CallState.DONE))
    assert await store.write(grant_store.spend, "20261120", "bureau", "records", 1)
    # Another try of the request has another call id: the first cannot end it.
    again = replace(row, call_id="c2", version=found.version + 1)
    assert await store.write(query_store.update_call, found, again)
    assert not await store.write(query_store.update_call, row, replace(row, state=CallState.DONE))
    assert await store.read(query_store.find_call, "caller", "request") == again


async def test_upkeep_ends_abandoned_calls_and_forgets_old_days(store, clock):
    """The sweep runs by itself: calls that cannot end any more, and uses of days before yesterday."""
    row = CallRow(
        "c1", "query", "caller", "request", b"d", "records", "bureau", "ministry",
        charged_day="20200101", begun_us=clock.now_us(),
    )  # fmt: skip
    await store.write(query_store.insert_call, row)
    assert await store.write(grant_store.spend, "20200101", "bureau", "records", 1)
    clock.advance(71)
    keeping = Upkeep(store, clock, kept_us=48 * 3_600_000_000, abandoned_us=70_000_000)
    tidying = asyncio.create_task(keeping.tidy())

    async def ended():
        return (await store.read(query_store.find_call, "caller", "request")).state is CallState.FAILED

    await eventually(ended)
    await eventually(lambda: store.write(grant_store.spend, "20200101", "bureau", "records", 1))
    tidying.cancel()
    await asyncio.gather(tidying, return_exceptions=True)


async def test_what_a_provider_stopped_is_remembered(store, clock):
    """For one consumer and one resource, however often it was stopped."""
    for _ in range(2):
        await store.write(grant_store.stop, "bureau", "records", clock.now_us())
    asked = [("bureau", "records"), ("bureau", "others"), ("bureau2", "records")]
    assert [await store.read(grant_store.stopped, *each) for each in asked] == [True, False, False]


async def test_answers_are_forgotten_and_evidence_stays(store, clock):
    """After the time a retry may come, only digests and instants are left."""
    row = CallRow(
        "c1", "query", "caller", "request", b"d", "records", "bureau", "ministry", fields=("a",),
        state=CallState.DONE, question_sha256="q", answer_sha256="s", answered_us=clock.now_us(), answer=b"sealed",
    )  # fmt: skip
    await store.write(query_store.insert_call, row)
    assert await store.read(query_store.find_call, "caller", "request") == row
    assert await store.write(query_store.forget_answers, clock.now_us()) == 0
    assert await store.write(query_store.forget_answers, clock.now_us() + 1) == 1
    found = await store.read(query_store.find_call, "caller", "request")
    assert (found.answer, found.question_sha256, found.answer_sha256) == (None, "q", "s")


def case_of(code, state_moves, now_us):
    """A case that has made these moves, one a day, and its row."""
    case = life.submit("applicant", now_us)
    for number, move in enumerate(state_moves, 1):
        at_us = now_us + number * 86_400_000_000
        case = life.apply(case, life.Command(move, "bureau", frozenset(life.Role), at_us, note="x"))
    row = CaseRow(
        code, "p", "app", "bureau", "item", "base", "title", "150100", "", 5, "working-day", "APP", "*", case.state.value,
        case.seq, now_us, None, (), "", 0, b"form",
    )  # fmt: skip
    return dated(row, case, WEEKDAYS), case


async def test_a_silent_agency_is_overdue(store, clock):
    """Whoever neither accepts nor refuses counts after five working days, whoever promised after his promise, and whoever holds
    a special procedure open after its days; who has decided never.
    """
    accept, process, special = life.Move.ACCEPT, life.Move.PROCESS, life.Move.BEGIN_SPECIAL
    moves = {
        "silent": [],
        "accepted": [accept],
        "special": [accept, process, special],
        "refused": [accept, process, life.Move.REFUSE],
    }
    for code, made in moves.items():
        await store.write(case_store.insert_case, *case_of(code, made, clock.now_us()))

    async def overdue(days):
        counts, late = await store.read(case_store.case_counts, clock.now_us() + days * 86_400_000_000)
        assert sum(counts.values()) == len(moves)
        return late

    assert [await overdue(days) for days in (1, 20, 90)] == [0, 2, 3]


async def test_deadlines_are_counted_anew_in_batches_and_by_one_calendar_once(store, clock):
    """All open cases get the new calendar's deadline, however many; a second pass finds nothing; a case that moved meanwhile keeps
    what its move counted.
    """
    now_us = clock.now_us()
    for number in range(230):
        await store.write(case_store.insert_case, *case_of(f"c{number:03d}", [], now_us))
    decided = case_of("decided", [life.Move.NOT_ACCEPT], now_us)
    await store.write(case_store.insert_case, *decided)
    calendar = calendar_from({"region": "150000", "years": {"2026": {}, "2027": {}}})
    stale = await store.read(case_store.find_case, "c000")
    task = asyncio.create_task(Deadlines(store, calendar).count_anew())

    async def done():
        return not await store.read(case_store.cases_counted_otherwise, calendar.digest, "", 1)

    await eventually(done)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rows = [await store.read(case_store.find_case, f"c{number:03d}") for number in (0, 115, 229)]
    assert {(row.counted_by, row.version) for row in rows} == {(calendar.digest, 1)}
    assert await store.read(case_store.find_case, "decided") == decided[0]
    await store.write(case_store.put_deadline, replace(stale, version=7, due_us=1))
    assert await store.read(case_store.find_case, "c000") == rows[0]


class Ending:
    """The unit that ends a special procedure, without keys and events; it cannot end the broken ones."""

    def __init__(self, store, clock, broken):
        self.base = SimpleNamespace(store=store, clock=clock, write=store.write)
        self.broken = broken
        self.asked = []

    def end_special(self, conn, code):
        self.asked.append(code)
        if code in self.broken:
            raise LookupError(code)
        row = case_store.find_case(conn, code)
        case_store.put_deadline(conn, replace(row, special_until_us=None))
        return True


@pytest.mark.timeout(60)
async def test_special_procedures_end_in_batches_the_longest_over_first(store, clock):
    """However many are over, each is asked for once, in batches; one that cannot be ended stays and stops no other, and those
    that last are left alone.
    """
    now_us = clock.now_us()

    def fill(conn):
        for number in range(2 * BATCH + 30):
            row, case = case_of(f"c{number:03d}", [], now_us)
            case_store.insert_case(conn, replace(row, special_until_us=now_us - 1 - number % 7), case)
        row, case = case_of("lasting", [], now_us)
        case_store.insert_case(conn, replace(row, special_until_us=now_us), case)

    await store.write(fill)
    # The first one of all, and the last.
    broken = {"c006", "c224"}
    work = Ending(store, clock, broken)
    before = SPECIALS_LAPSED._value.get()
    await Lapsing(work).sweep()
    assert len(work.asked) == len(set(work.asked)) == 2 * BATCH + 30
    assert work.asked[0] == "c006"
    assert SPECIALS_LAPSED._value.get() - before == 2 * BATCH + 28
    left = await store.read(case_store.specials_over, now_us + 1, (), BATCH)
    assert {code for _, code in left} == {*broken, "lasting"}
