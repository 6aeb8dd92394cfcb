"""What the exchange keeps of cases and of people's pairwise subjects, and how it is asked for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from services.exchange.domain import cases
from services.exchange.domain.application import Material
from services.exchange.domain.evaluations import Evaluation
from services.exchange.store.tables import case_file, case_material, case_step, evaluation, subject
from shuniu.kit.paging import Position, keyset
from shuniu.kit.sql import LostRaceError, binding_of

_OVER: Final = tuple(state.value for state in cases.OVER)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case without its history. `missing` names what a correction round asked for; `form` is ciphertext."""

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


@dataclass(frozen=True, slots=True)
class Person:
    """Who a pairwise subject is, as identity said."""

    person_id: str
    display_name: str


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
    return binding_of(conn).dialect.next_value(conn, f"case:{item_code}:{day}")


def insert_case(conn: Connection, row: CaseRow, case: cases.Case) -> None:
    conn.execute(insert(case_file), _values(row))
    for step in case.steps:
        _insert_step(conn, row.case_code, step, "")


def move_case(conn: Connection, before: CaseRow, after: CaseRow, step: cases.Step, officer: str) -> None:
    """Keep a case's new step. Raises LostRaceError when another replica moved it meanwhile: the unit runs again."""
    changed = conn.execute(
        update(case_file)
        .where(case_file.c.case_code == before.case_code, case_file.c.version == before.version)
        .values(_values(after))
    )
    if changed.rowcount != 1:
        raise LostRaceError(before.case_code)
    _insert_step(conn, before.case_code, step, officer)


def _insert_step(conn: Connection, case_code: str, step: cases.Step, officer: str) -> None:
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
        },
    )


def find_case(conn: Connection, case_code: str) -> CaseRow | None:
    row = conn.execute(select(case_file).where(case_file.c.case_code == case_code)).first()
    return None if row is None else _case_row(row)


def find_cases(conn: Connection, case_codes: Sequence[str]) -> dict[str, CaseRow]:
    """Those of the cases that are there, by case code."""
    rows = conn.execute(select(case_file).where(case_file.c.case_code.in_(case_codes)))
    return {row.case_code: _case_row(row) for row in rows}


def any_case(conn: Connection) -> bool:
    """Whether there is a case at all."""
    return conn.execute(select(case_file.c.case_code).limit(1)).first() is not None


def load_history(conn: Connection, case_code: str) -> cases.Case:
    """The case as its steps made it. Raises LookupError for a case without steps, which cannot be."""
    rows = conn.execute(select(case_step).where(case_step.c.case_code == case_code).order_by(case_step.c.seq))
    healed = cases.heal(
        cases.Step(
            seq=row.seq,
            move=cases.Move(row.move),
            state=cases.State(row.state),
            national=row.national,
            actor=row.actor,
            at_us=row.at_us,
            note=row.note,
            missing=tuple(json.loads(row.missing)),
            given=tuple(json.loads(row.given)),
            result=row.result,
            level=row.level,
        )
        for row in rows
    )
    if healed.case is None or healed.missing:
        raise LookupError(f"case {case_code}: steps {healed.missing or 'all'} are not there")
    return healed.case


def state_of(row: CaseRow) -> cases.State:
    return cases.State(row.state)


def history_is_over(row: CaseRow) -> bool:
    """Whether nothing may happen to the case any more but its evaluation."""
    return state_of(row) in cases.OVER


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


def insert_evaluation(conn: Connection, given: Evaluation) -> None:
    conn.execute(
        insert(evaluation),
        {
            "case_code": given.case_id,
            "level": int(given.level),
            "channel": given.channel.value,
            "comment": given.comment,
            "at_us": given.at_us,
        },
    )


def find_person(conn: Connection, platform: str, pairwise: str) -> Person | None:
    row = conn.execute(
        select(subject.c.person_id, subject.c.display_name).where(
            subject.c.platform == platform, subject.c.subject == pairwise
        )
    ).first()
    return None if row is None else Person(row.person_id, row.display_name)


def keep_person(conn: Connection, platform: str, pairwise: str, person: Person, now_us: int) -> None:
    row = {
        "platform": platform,
        "subject": pairwise,
        "person_id": person.person_id,
        "display_name": person.display_name,
        "seen_us": now_us,
    }
    binding_of(conn).dialect.upsert(conn, subject, [row], ["platform", "subject"], "seen_us")


def case_counts(conn: Connection, now_us: int) -> tuple[Mapping[str, int], int]:
    """(cases by state, cases past their promised end)."""
    by_state = conn.execute(select(case_file.c.state, func.count()).group_by(case_file.c.state))
    decided = (*_OVER, cases.State.GRANTED.value, cases.State.REFUSED.value)
    overdue = conn.execute(
        select(func.count())
        .select_from(case_file)
        .where(case_file.c.due_us < now_us, case_file.c.state.not_in(decided))
    ).scalar_one()
    return {row[0]: row[1] for row in by_state}, int(overdue)
