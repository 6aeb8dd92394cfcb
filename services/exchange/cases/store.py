"""Cases, their steps and materials. Instants are µs UTC; lists and maps are JSON text; ciphertext carries its key."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from services.exchange.cases.domain import life
from services.exchange.cases.domain.application import Material
from services.exchange.cases.domain.codes import MAX_SERIAL
from services.exchange.cases.domain.deadline import DECIDED
from services.exchange.domain.time_limits import Limit, Unit
from shuniu.china_time import civil_date
from shuniu.kit.rpc.paging import Position, keyset
from shuniu.kit.store import LostRaceError, binding_of
from shuniu.kit.store.partial import partial

TABLES: Final = MetaData()
_HALF: Final = MAX_SERIAL // 2
# A version before this end was counted leaves `counted_by` empty in a special procedure.
_COUNTED: Final = "(counted_by is not null or state = 'SPECIAL')"
_SPECIAL: Final = "special_until_us is not null"

# One row a case; `version` is the number of its last step, `due_us` the agency's next deadline while its clock runs.
case_file = Table(
    "case_file",
    TABLES,
    Column("case_code", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("source_platform", Text, nullable=False),
    Column("handler_platform", Text, nullable=False),
    Column("item_code", Text, nullable=False),
    Column("base_code", Text, nullable=False),
    Column("item_title", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("result_template", Text, nullable=False),
    # Promised limit at the time of application; 0 and an empty unit: none was promised.
    Column("limit_amount", BigInteger, nullable=False),
    Column("limit_unit", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("applicant_display", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("applied_us", BigInteger, nullable=False),
    Column("due_us", BigInteger),
    Column("missing", Text, nullable=False),
    Column("certificate_number", Text, nullable=False),
    Column("evaluation", BigInteger, nullable=False),
    Column("form", LargeBinary, nullable=False),
    # 1 while a year without published holidays counts for `due_us`.
    Column("provisional", BigInteger, nullable=False, server_default="0"),
    # Digest of the calendar that `due_us` was counted with; absent where no deadline runs.
    Column("counted_by", Text),
    # End of the special procedure that lasts, where the holidays of its years are published.
    Column("special_until_us", BigInteger),
    partial("case_file_special", "special_until_us", "case_code", where=_SPECIAL),
    partial("case_file_counted", "case_code", "counted_by", where=_COUNTED),
    Index("case_file_person", "person_id", "applied_us"),
    Index("case_file_handler", "handler_platform", "case_code"),
    Index("case_file_due", "state", "due_us"),
)

# The history: a case is the fold of its steps.
case_step = Table(
    "case_step",
    TABLES,
    Column("case_code", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("move", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("national", Text, nullable=False),
    Column("actor", Text, nullable=False),
    # Employee number of the officer; for the agency's own records, never published.
    Column("officer", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("missing", Text, nullable=False),
    Column("given", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("level", BigInteger, nullable=False),
    # Working days given to the special procedure that begins; 0 for the usual ones.
    Column("days", BigInteger, nullable=False, server_default="0"),
)

case_material = Table(
    "case_material",
    TABLES,
    Column("case_code", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("given_us", BigInteger, nullable=False),
)


_DECIDED: Final = tuple(state.value for state in DECIDED)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case without its history. `missing` names what a correction requested; `form` is ciphertext."""

    case_code: str
    person_id: str
    source_platform: str
    handler_platform: str
    item_code: str
    base_code: str
    item_title: str
    division: str
    result_template: str
    limit_amount: int
    limit_unit: str
    channel: str
    applicant_display: str
    state: str
    version: int
    applied_us: int
    due_us: int | None
    missing: tuple[str, ...]
    certificate_number: str
    evaluation: int
    form: bytes
    provisional: int = 0
    counted_by: str | None = None
    special_until_us: int | None = None

    @property
    def limit(self) -> Limit | None:
        """The legal limit that the item had when the case was applied for; None when it had none."""
        return Limit(self.limit_amount, Unit(self.limit_unit)) if self.limit_unit else None


_COLUMNS: Final = tuple(column.name for column in case_file.columns)


def _case_row(row: Row[Any]) -> CaseRow:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return CaseRow(**{**values, "missing": tuple(json.loads(row.missing)), "form": bytes(row.form)})


def _values(row: CaseRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"missing": _json(row.missing)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def next_serial(conn: Connection, item_code: str, day: str) -> int:
    """The next serial of an item's cases on a civil day (YYYYMMDD), from 1; never given twice."""
    binding = binding_of(conn)
    serial = binding.dialect.next_value(conn, f"case:{item_code}:{day}")
    # On the day of a restore the world may hold codes that this store has forgotten: their other half is left.
    restored_today = binding.restored_us and f"{civil_date(binding.restored_us):%Y%m%d}" == day
    return serial + _HALF if restored_today else serial


def insert_case(conn: Connection, row: CaseRow, case: life.Case) -> None:
    conn.execute(insert(case_file), _values(row))
    for step in case.steps:
        _insert_step(conn, row.case_code, step, "")


def move_case(conn: Connection, before: CaseRow, after: CaseRow, step: life.Step, officer: str) -> None:
    """Stores a case's new step. Raises LostRaceError when another replica moved it meanwhile: the unit runs again."""
    changed = conn.execute(
        update(case_file)
        .where(case_file.c.case_code == before.case_code, case_file.c.version == before.version)
        .values(_values(after))
    )
    if changed.rowcount != 1:
        raise LostRaceError(before.case_code)
    _insert_step(conn, before.case_code, step, officer)


def _insert_step(conn: Connection, case_code: str, step: life.Step, officer: str) -> None:
    conn.execute(
        insert(case_step),
        {
            "case_code": case_code,
            "seq": step.seq,
            "move": step.move.value,
            "state": step.state.value,
            "national": step.national,
            "actor": step.actor,
            "officer": officer,
            "at_us": step.at_us,
            "note": step.note,
            "missing": _json(step.missing),
            "given": _json(step.given),
            "result": step.result,
            "level": step.level,
            "days": step.days,
        },
    )


def find_case(conn: Connection, case_code: str) -> CaseRow | None:
    row = conn.execute(select(case_file).where(case_file.c.case_code == case_code)).first()
    return None if row is None else _case_row(row)


def find_cases(conn: Connection, case_codes: Sequence[str]) -> dict[str, CaseRow]:
    """Returns the cases that exist, by case code."""
    rows = conn.execute(select(case_file).where(case_file.c.case_code.in_(case_codes)))
    return {row.case_code: _case_row(row) for row in rows}


def any_case(conn: Connection) -> bool:
    """Tells whether there is a case at all."""
    return conn.execute(select(case_file.c.case_code).limit(1)).first() is not None


def load_history(conn: Connection, case_code: str) -> life.Case:
    """The case as its steps made it. Raises LookupError for a case without steps, which cannot be."""
    rows = conn.execute(select(case_step).where(case_step.c.case_code == case_code).order_by(case_step.c.seq))
    healed = life.heal(
        life.Step(
            seq=row.seq,
            move=life.Move(row.move),
            state=life.CaseState(row.state),
            national=row.national,
            actor=row.actor,
            at_us=row.at_us,
            note=row.note,
            missing=tuple(json.loads(row.missing)),
            given=tuple(json.loads(row.given)),
            result=row.result,
            level=row.level,
            days=row.days,
        )
        for row in rows
    )
    if healed.case is None or healed.missing:
        raise LookupError(f"case {case_code}: steps {healed.missing or 'all'} are not there")
    return healed.case


def state_of(row: CaseRow) -> life.CaseState:
    return life.CaseState(row.state)


def history_is_over(row: CaseRow) -> bool:
    """Tells whether nothing may happen to the case any more but its evaluation."""
    return state_of(row) in life.OVER


def cases_counted_otherwise(conn: Connection, calendar: str, after: str, limit: int) -> list[CaseRow]:
    """Cases whose deadline was counted with another calendar than this digest's, by code, from after a code."""
    counted = case_file.c.counted_by
    statement = select(case_file).where(
        text(_COUNTED), case_file.c.case_code > after, or_(counted != calendar, counted.is_(None))
    )
    return [_case_row(row) for row in conn.execute(statement.order_by(case_file.c.case_code).limit(limit))]


def put_deadline(conn: Connection, row: CaseRow) -> None:
    """Stores deadlines that were counted anew, unless the case has moved since it was read: the move counted too."""
    conn.execute(
        update(case_file)
        .where(case_file.c.case_code == row.case_code, case_file.c.version == row.version)
        .values(
            due_us=row.due_us,
            provisional=row.provisional,
            counted_by=row.counted_by,
            special_until_us=row.special_until_us,
        )
    )


def specials_over(conn: Connection, now_us: int, after: Position, limit: int) -> list[tuple[int, str]]:
    """(end, case code) of special procedures whose end has passed, the longest over first, from after such a pair."""
    ends = case_file.c.special_until_us
    statement = select(ends, case_file.c.case_code).where(text(_SPECIAL), ends < now_us)
    return [(row[0], row[1]) for row in conn.execute(keyset(statement, (ends, case_file.c.case_code), after, limit))]


def cases_of_person(conn: Connection, person_id: str, after: Position, limit: int) -> list[CaseRow]:
    """A person's cases, newest first."""
    statement = select(case_file).where(case_file.c.person_id == person_id)
    # Newest first in ascending keys: the instant counted backwards.
    return _page(conn, statement, [-case_file.c.applied_us, case_file.c.case_code], after, limit)


def cases_of_handler(
    conn: Connection, platform: str, states: Iterable[str], after: Position, limit: int
) -> list[CaseRow]:
    """Cases routed to a platform, by code; only these states unless there are none."""
    statement = select(case_file).where(case_file.c.handler_platform == platform)
    wanted = list(states)
    if wanted:
        statement = statement.where(case_file.c.state.in_(wanted))
    return _page(conn, statement, [case_file.c.case_code], after, limit)


def _page(
    conn: Connection, statement: Select[Any], columns: Sequence[Any], after: Position, limit: int
) -> list[CaseRow]:
    return [_case_row(row) for row in conn.execute(keyset(statement, columns, after, limit))]


def put_materials(conn: Connection, case_code: str, materials: Sequence[Material], at_us: int) -> None:
    """Note what was given; a material given again replaces the older one."""
    rows = [
        {
            "case_code": case_code,
            "name": each.name,
            "sha256": each.sha256,
            "media_type": each.media_type,
            "given_us": at_us,
        }
        for each in materials
    ]
    if rows:
        binding_of(conn).dialect.upsert(conn, case_material, rows, ["case_code", "name"], None)


def case_counts(conn: Connection, now_us: int) -> tuple[Mapping[str, int], int]:
    """(cases by state, cases past the agency's next deadline)."""
    by_state = conn.execute(select(case_file.c.state, func.count()).group_by(case_file.c.state))
    overdue = conn.execute(
        select(func.count())
        .select_from(case_file)
        .where(case_file.c.due_us < now_us, case_file.c.state.not_in(_DECIDED))
    ).scalar_one()
    return {row[0]: row[1] for row in by_state}, int(overdue)
