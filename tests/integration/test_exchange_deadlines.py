"""What an agency owes by when, and the document that it may deliver, through the real exchange."""

import json
from datetime import date, timedelta

import pytest

from services.exchange.cases import lapsing
from services.exchange.domain.time_limits import WEEKDAYS, Limit, add, calendar_from
from services.exchange.metrics import SPECIALS_LAPSED
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.china_time import civil_date, end_of_day_us
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.testing import eventually
from tests.support.exchange_land import exchange_land
from tests.support.ledger_side import ledger_side


@pytest.fixture
async def land():
    async with exchange_land() as it:
        yield it


async def refused(awaitable, reason, code=Code.INVALID_ARGUMENT):
    with pytest.raises(HubError) as caught:
        await awaitable
    assert (reason, code) == (caught.value.reason, caught.value.code), caught.value


async def granted(land):
    """A case that waits for its delivery."""
    code = (await land.person().apply()).case_code
    for move in ("ACCEPT", "PROCESS", "GRANT"):
        await land.platform("bureau").move(code, move)
    return code


async def test_only_the_own_valid_document_of_a_case_is_delivered(land):
    """Another case's number, an invented one, and the case's own once it is withdrawn are refused; where the register cannot be
    asked nothing is believed, and the same request goes through when it is there again.
    """
    bureau = land.platform("bureau")
    mine, other = await granted(land), await granted(land)

    def deliver(number, request_id="0" * 32):
        return bureau.move(mine, "DELIVER", certificate_number=number, request_id=request_id)

    await refused(deliver("A-1"), "ESIGN_AWAY", Code.UNAVAILABLE)
    async with ledger_side(land.directory) as side:
        await side.issued(other, "B-1")
        for number in ("B-1", "X-1"):
            await refused(deliver(number), "CERTIFICATE_NOT_OF_CASE")
        await side.issued(mine, "A-1")
        await refused(deliver("B-1"), "CERTIFICATE_NOT_OF_CASE")
        assert (await deliver("A-1")).state == pb.CASE_STATE_DELIVERED
        await side.revoked("A-1")
        await side.revoked("B-1")
        await refused(bureau.move(other, "DELIVER", certificate_number="B-1"), "CERTIFICATE_NOT_OF_CASE")
    # Answered before, and not asked again: nobody is there to ask.
    assert (await deliver("A-1")).state == pb.CASE_STATE_DELIVERED


async def test_an_agency_is_told_by_when_to_accept(land):
    """From the application on; the promise takes its place with acceptance, and special procedures have a known end."""
    bureau = land.platform("bureau")
    case = await land.person().apply()
    today = civil_date(case.applied_at.ToMicroseconds())
    assert case.accept_by.ToMicroseconds() == end_of_day_us(add(WEEKDAYS, today, Limit(5)))
    assert not case.HasField("promised_at")
    case = await bureau.move(case.case_code, "ACCEPT")
    assert not case.HasField("accept_by")
    promised = case.promised_at.ToMicroseconds()
    await bureau.move(case.case_code, "PROCESS")
    await refused(bureau.move(case.case_code, "BEGIN_SPECIAL", note="听证", special_days=91), "VALUE_RANGE")
    special = await bureau.move(case.case_code, "BEGIN_SPECIAL", note="听证", special_days=20)
    assert special.promised_at.ToMicroseconds() == promised + timedelta(days=28) // timedelta(microseconds=1)


@pytest.fixture
async def land_later(monkeypatch, tmp_path):
    """An exchange with a calendar that looks at special procedures at once, and how to let days pass for it, in µs."""
    year = civil_date(SystemClock().now_us()).year
    calendar = tmp_path / "calendar.json"
    calendar.write_text(json.dumps({"region": "150000", "years": {str(year + n): {} for n in range(3)}}))
    monkeypatch.setattr(lapsing, "SECONDS", 0.05)
    now_us, passed = SystemClock.now_us, [0]
    monkeypatch.setattr(SystemClock, "now_us", lambda self: now_us(self) + passed[0])

    def later(**time):
        passed[0] = timedelta(**time) // timedelta(microseconds=1)

    async with exchange_land(calendar_file=str(calendar)) as it:
        yield it, later


@pytest.mark.timeout(90)
async def test_a_special_procedure_ends_when_its_days_are_over(land_later):
    """Nobody has to look: the case is handled again, its history says that the hub ended it, the app and the agency hear it once
    each, and the promise stays; a longer procedure goes on, and the agency decides.
    """
    land, later = land_later
    bureau, person = land.platform("bureau"), land.person()

    async def in_special(days):
        code = (await person.apply()).case_code
        for move, more in (("ACCEPT", {}), ("PROCESS", {}), ("BEGIN_SPECIAL", {"note": "听证", "special_days": days})):
            case = await bureau.move(code, move, **more)
        return case

    short, long = await in_special(2), await in_special(20)
    before = SPECIALS_LAPSED._value.get()
    later(days=9)

    async def ended():
        return (await person.get(short.case_code)).state == pb.CASE_STATE_PROCESSING

    await eventually(ended, within=20)
    case = await person.get(short.case_code)
    step = case.steps[-1]
    assert (step.actor, step.national_state, step.state) == ("hub", "10", pb.CASE_STATE_PROCESSING)
    assert "期限已满" in step.note
    assert case.promised_at == short.promised_at
    assert SPECIALS_LAPSED._value.get() - before == 1
    told = [(each.type.split(".")[3], each.target) for each in (await land.trace(short.case_code)).entries]
    assert told.count(("resumed", "bureau")) == 1
    assert [each for each in told if each[1] == "app"].count(("moved", "app")) == len(case.steps) - 1
    assert (await person.get(long.case_code)).state == pb.CASE_STATE_SPECIAL
    await refused(bureau.move(short.case_code, "END_SPECIAL"), "CASE_STATE", Code.FAILED_PRECONDITION)
    assert (await bureau.move(short.case_code, "GRANT")).state == pb.CASE_STATE_GRANTED


async def test_promises_follow_the_calendar_when_it_arrives(land):
    """Without published holidays a deadline is provisional; with them open cases have the new one after a start, decided ones what
    they were promised, and nobody's etag changes.
    """
    bureau, person = land.platform("bureau"), land.person()
    waiting = await person.apply()
    running = await bureau.move((await person.apply()).case_code, "ACCEPT")
    decided = await person.get(await granted(land))
    assert waiting.deadline_provisional
    assert running.deadline_provisional
    today = civil_date(SystemClock().now_us())
    years = {str(year): {"holidays": [], "workdays": []} for year in (today.year, today.year + 1)}
    for day in (today + timedelta(days=number) for number in range(1, 4)):
        years[str(day.year)]["holidays"].append(day.isoformat())
    data = {"region": "150000", "years": years}
    await land.stop()
    (land.directory / "calendar.json").write_text(json.dumps(data))
    with land.path.open("a") as settings:
        settings.write(f'calendar_file = "{land.directory}/calendar.json"\n')
    await land.start()
    due = end_of_day_us(add(calendar_from(data), today, Limit(5)))

    async def counted_anew():
        return not (await person.get(running.case_code)).deadline_provisional

    await eventually(counted_anew)
    after = await person.get(waiting.case_code)
    assert (after.accept_by.ToMicroseconds(), after.deadline_provisional, after.etag) == (due, False, waiting.etag)
    assert (await person.get(running.case_code)).promised_at.ToMicroseconds() == due
    assert (await person.get(decided.case_code)).promised_at == decided.promised_at


def test_the_calendar_of_that_test_moves_the_deadline():
    """Three days off from tomorrow on hold at least one working day, whatever today is."""
    for today in (date(2026, 11, 23) + timedelta(days=number) for number in range(7)):
        off = [(today + timedelta(days=number)).isoformat() for number in range(1, 4)]
        calendar = calendar_from({"region": "x", "years": {"2026": {"holidays": off}}})
        assert add(calendar, today, Limit(5)) > add(WEEKDAYS, today, Limit(5))
