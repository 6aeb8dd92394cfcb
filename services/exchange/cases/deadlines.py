"""Deadlines of cases: counted at each move, and anew for all open cases when the calendar has changed."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from services.exchange.cases import store
from services.exchange.cases.domain import life
from services.exchange.cases.domain.deadline import DECIDED, next_deadline, special_until_us
from services.exchange.cases.store import CaseRow
from services.exchange.domain.time_limits import Calendar
from shuniu.kit.process import log
from shuniu.kit.store import Store

_log = log.get("deadlines")
_BATCH: Final = 100


def dated(row: CaseRow, case: life.Case, calendar: Calendar) -> CaseRow:
    """The row with its deadline, and the end of its special procedure, as this calendar has them."""
    found = next_deadline(case, row.limit, calendar)
    runs = found.due_us is not None and case.state not in DECIDED
    return replace(
        row,
        due_us=found.due_us,
        provisional=int(runs and found.provisional),
        # A special procedure has an end also where the item has no limit.
        counted_by=calendar.digest if runs or case.state is life.CaseState.SPECIAL else None,
        special_until_us=special_until_us(case, calendar),
    )


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Each replica runs it once at its start, because the calendar may have changed."""

    store: Store
    calendar: Calendar

    async def count_anew(self) -> None:
        """Task: counts deadlines that rest on another calendar, in small units, so that moves go on between them."""
        after, counted = "", 0
        while True:
            last, number = await self.store.write(_count, self.calendar, after)
            counted += number
            if not last:
                break
            after = last
        if counted:
            _log.info("deadlines_counted_anew", cases=counted, region=self.calendar.region)
        await asyncio.Event().wait()


def _count(conn: Connection, calendar: Calendar, after: str) -> tuple[str, int]:
    """Counts a batch anew, from after a case code. Returns its last code, empty at the end, and how many."""
    rows = store.cases_counted_otherwise(conn, calendar.digest, after, _BATCH)
    for row in rows:
        store.put_deadline(conn, dated(row, store.load_history(conn, row.case_code), calendar))
    return rows[-1].case_code if len(rows) == _BATCH else "", len(rows)
