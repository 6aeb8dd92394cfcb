"""Special procedures that the hub ends: when their days are over by the calendar that it has now."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.exchange.cases import store
from services.exchange.cases.casework import Casework
from services.exchange.cases.deadlines import Deadlines, _count, dated
from services.exchange.cases.domain import life
from services.exchange.cases.domain.life import Command, Move
from services.exchange.cases.store import CaseRow
from services.exchange.domain.time_limits import Calendar, calendar_from
from services.exchange.store import METADATA
from shuniu.china_time import CHINA
from shuniu.kit.store import Store
from shuniu.kit.testing import ManualClock

HOLIDAYS = ["2026-03-04", "2026-03-05", "2026-03-06"]


def march(day: int, hour: int = 9) -> int:
    return int(datetime(2026, 3, day, hour, tzinfo=CHINA).timestamp() * 1_000_000)


def calendar(holidays: list[str]) -> Calendar:
    return calendar_from({"region": "x", "years": {"2026": {"holidays": holidays, "workdays": []}}})


def in_special() -> tuple[CaseRow, life.Case]:
    """Of three days, since 2 March."""
    case = life.submit("applicant", march(2, 8))
    moves: tuple[tuple[Move, dict[str, Any]], ...] = (
        (Move.ACCEPT, {}),
        (Move.PROCESS, {}),
        (Move.BEGIN_SPECIAL, {"note": "x", "days": 3}),
    )
    for hour, (move, more) in enumerate(moves, 9):
        case = life.apply(case, Command(move, "bureau", life.OFFICER_ROLES, march(2, hour), **more))
    row = CaseRow(
        case_code="C1", person_id="p", source_platform="app", handler_platform="bureau", item_code="i", base_code="b",
        item_title="t", division="150000", result_template="", limit_amount=0, limit_unit="", channel="web",
        applicant_display="x", state=case.state.value, version=case.seq, applied_us=march(2), due_us=None, missing=(),
        certificate_number="", evaluation=0, form=b"",
    )  # fmt: skip
    return row, case


@pytest.fixture
async def kept(tmp_path: Path) -> Any:
    opened = Store.unchecked(f"sqlite:///{tmp_path}/s.db", METADATA, clock=ManualClock(), writer="t")
    await opened.create_schema()
    yield opened
    await opened.close()


async def test_an_end_by_an_older_calendar_is_counted_anew(kept: Store) -> None:
    """Holidays that were published since move it: the agency has the days that it stated."""
    row, case = in_special()
    now = calendar(HOLIDAYS)
    await kept.write(store.insert_case, dated(row, case, calendar([])), case)
    base = SimpleNamespace(clock=SimpleNamespace(now_us=lambda: march(6)))
    work = Casework(base, None, None, now, None)  # type: ignore[arg-type]  # nothing else is asked
    assert not await kept.write(work.end_special, "C1")
    found = await kept.read(store.find_case, "C1")
    assert found is not None
    assert found.special_until_us == dated(row, case, now).special_until_us
    assert found.special_until_us > march(6)


async def test_a_procedure_that_an_older_version_began_gets_its_end(kept: Store) -> None:
    """It stored none, and counted it by no calendar."""
    row, case = in_special()
    await kept.write(store.insert_case, row, case)
    now = calendar(HOLIDAYS)
    assert await kept.write(_count, now, "") == ("", 1)
    found = await kept.read(store.find_case, "C1")
    assert found is not None
    assert found.special_until_us == dated(row, case, now).special_until_us
    assert Deadlines(kept, now).calendar.digest == found.counted_by
