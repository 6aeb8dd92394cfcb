"""Cases (办件): one table of moves from application to evaluation; everything else is refused with the reason.

A case is the fold of its numbered steps. ``apply`` checks a move and appends a step; ``heal`` folds steps that
arrived in any order and any number of times to the same case. National states (GB/T 39046, case records): 1 接件, 3
受理, 4 不受理, 6 补正开始, 8 部门开始办理, 9 特别程序开始, 10 特别程序结束, 11 办结; windows also count 预审, which
has no number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from services.exchange.domain.time_limits import Calendar, Limit, Stop, add
from shuniu.china_time import civil_date
from shuniu.rules import RuleError, Violation

MAX_NOTE = 2000
MAX_MISSING = 50
# Working days for which one special procedure stops the legal clock: what an agency states, this where it states none,
# and what all of a case may take together. The law excludes the procedure's own time, not an agency's silence.
MOST_SPECIAL_DAYS = 90
USUAL_SPECIAL_DAYS = 30
ALL_SPECIAL_DAYS = 180


class CaseState(StrEnum):
    """State of a case."""

    SUBMITTED = "SUBMITTED"
    PRE_REVIEW = "PRE_REVIEW"
    CORRECTION = "CORRECTION"
    ACCEPTED = "ACCEPTED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    PROCESSING = "PROCESSING"
    SPECIAL = "SPECIAL"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    DELIVERED = "DELIVERED"
    WITHDRAWN = "WITHDRAWN"


class Move(StrEnum):
    """Move of a case."""

    SUBMIT = "SUBMIT"
    PRE_REVIEW = "PRE_REVIEW"
    ACCEPT = "ACCEPT"
    NOT_ACCEPT = "NOT_ACCEPT"
    ASK_CORRECTION = "ASK_CORRECTION"
    SUPPLEMENT = "SUPPLEMENT"
    LAPSE = "LAPSE"
    PROCESS = "PROCESS"
    BEGIN_SPECIAL = "BEGIN_SPECIAL"
    END_SPECIAL = "END_SPECIAL"
    GRANT = "GRANT"
    REFUSE = "REFUSE"
    DELIVER = "DELIVER"
    EVALUATE = "EVALUATE"
    WITHDRAW = "WITHDRAW"


class Role(StrEnum):
    """Role of the person who acts: the applicant, the three roles of officers, or the hub itself (timers)."""

    APPLICANT = "applicant"
    ACCEPTANCE = "受理"
    REVIEW = "审核"
    ISSUE = "签发"
    SYSTEM = "system"


OFFICER_ROLES = frozenset({Role.ACCEPTANCE, Role.REVIEW, Role.ISSUE})

_S, _M = CaseState, Move
# A correction returns to the state in which it was requested: see Case.asked_in.
_BACK = None
# Every move there is.
MOVES: dict[tuple[CaseState | None, Move], CaseState | None] = {
    (None, _M.SUBMIT): _S.SUBMITTED,
    (_S.SUBMITTED, _M.PRE_REVIEW): _S.PRE_REVIEW,
    **{
        (state, move): target
        for state in (_S.SUBMITTED, _S.PRE_REVIEW)
        for move, target in (
            (_M.ACCEPT, _S.ACCEPTED),
            (_M.NOT_ACCEPT, _S.NOT_ACCEPTED),
            (_M.ASK_CORRECTION, _S.CORRECTION),
        )
    },
    (_S.ACCEPTED, _M.ASK_CORRECTION): _S.CORRECTION,
    (_S.CORRECTION, _M.SUPPLEMENT): _BACK,
    (_S.CORRECTION, _M.LAPSE): _S.WITHDRAWN,
    (_S.ACCEPTED, _M.PROCESS): _S.PROCESSING,
    (_S.PROCESSING, _M.BEGIN_SPECIAL): _S.SPECIAL,
    (_S.SPECIAL, _M.END_SPECIAL): _S.PROCESSING,
    (_S.PROCESSING, _M.GRANT): _S.GRANTED,
    (_S.PROCESSING, _M.REFUSE): _S.REFUSED,
    (_S.GRANTED, _M.DELIVER): _S.DELIVERED,
    (_S.REFUSED, _M.DELIVER): _S.DELIVERED,
    # An evaluation changes no state: what was decided stays readable.
    (_S.NOT_ACCEPTED, _M.EVALUATE): _S.NOT_ACCEPTED,
    (_S.DELIVERED, _M.EVALUATE): _S.DELIVERED,
    **{
        (state, _M.WITHDRAW): _S.WITHDRAWN
        for state in (_S.SUBMITTED, _S.PRE_REVIEW, _S.CORRECTION, _S.ACCEPTED, _S.PROCESSING, _S.SPECIAL)
    },
}

ROLES: dict[Move, frozenset[Role]] = {
    _M.SUBMIT: frozenset({Role.APPLICANT}),
    _M.PRE_REVIEW: frozenset({Role.ACCEPTANCE}),
    _M.ACCEPT: frozenset({Role.ACCEPTANCE}),
    _M.NOT_ACCEPT: frozenset({Role.ACCEPTANCE}),
    _M.ASK_CORRECTION: frozenset({Role.ACCEPTANCE}),
    _M.SUPPLEMENT: frozenset({Role.APPLICANT}),
    _M.LAPSE: frozenset({Role.SYSTEM}),
    _M.PROCESS: frozenset({Role.REVIEW}),
    _M.BEGIN_SPECIAL: frozenset({Role.REVIEW}),
    _M.END_SPECIAL: frozenset({Role.REVIEW, Role.SYSTEM}),
    _M.GRANT: frozenset({Role.ISSUE}),
    _M.REFUSE: frozenset({Role.ISSUE}),
    _M.DELIVER: frozenset({Role.ISSUE, Role.ACCEPTANCE, Role.SYSTEM}),
    _M.EVALUATE: frozenset({Role.APPLICANT}),
    _M.WITHDRAW: frozenset({Role.APPLICANT}),
}

# National state codes by the move that enters them; END_SPECIAL reports 10 although the case is in processing again.
_NATIONAL: dict[Move, str] = {
    _M.SUBMIT: "1",
    _M.ACCEPT: "3",
    _M.NOT_ACCEPT: "4",
    _M.ASK_CORRECTION: "6",
    _M.PROCESS: "8",
    _M.BEGIN_SPECIAL: "9",
    _M.END_SPECIAL: "10",
    _M.GRANT: "11",
    _M.REFUSE: "11",
}
# Administrative Licensing Law, articles 32, 38 and 42: the applicant gets a reason for each of these.
_REASON_NEEDED = frozenset({_M.NOT_ACCEPT, _M.REFUSE, _M.BEGIN_SPECIAL, _M.ASK_CORRECTION})
OVER = frozenset({_S.NOT_ACCEPTED, _S.DELIVERED, _S.WITHDRAWN})


class MoveRefusedError(RuleError):
    """The move is not possible; ``violations`` say why."""


class StepConflictError(RuleError):
    """Two different steps carry one number: an alarm, never an overwrite."""


@dataclass(frozen=True, slots=True)
class Command:
    """A request to move a case.

    ``missing`` is the complete list of what a correction must bring (ASK_CORRECTION), ``given`` what it brings
    (SUPPLEMENT), both as material or field names. ``result`` is a certificate number (GRANT, DELIVER). ``level`` is 1
    to 5 (EVALUATE); what a person may choose is checked in ``evaluations``. ``days`` are the working days that a
    special procedure needs (BEGIN_SPECIAL), 0 for the usual ones.
    """

    move: Move
    actor: str
    roles: frozenset[Role]
    at_us: int
    note: str = ""
    missing: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    result: str = ""
    level: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a case, numbered from 1 without gaps. ``national`` is the national state code, empty where there is
    none.
    """

    seq: int
    move: Move
    state: CaseState
    national: str
    actor: str
    at_us: int
    note: str = ""
    missing: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    result: str = ""
    level: int = 0
    days: int = 0

    @property
    def special_days(self) -> int:
        """Working days for which this step stops the clock; 0 unless it begins a special procedure."""
        return (self.days or USUAL_SPECIAL_DAYS) if self.move is Move.BEGIN_SPECIAL else 0


@dataclass(frozen=True, slots=True)
class Case:
    """A case after all its steps. Times are µs UTC, or None for a step that the case has not reached. A stop of the
    clock is (began, ended, most working days; 0: no limit).
    """

    state: CaseState
    steps: tuple[Step, ...]
    accepted_us: int | None = None
    decided_us: int | None = None
    asked_in: CaseState | None = None
    missing: tuple[str, ...] = ()
    stops: tuple[tuple[int, int | None, int], ...] = ()
    result: str = ""
    evaluation: int = 0

    @property
    def seq(self) -> int:
        return self.steps[-1].seq

    @property
    def national(self) -> str:
        """The last national state code that was reached."""
        return next((step.national for step in reversed(self.steps) if step.national), "")

    @property
    def allowed(self) -> tuple[Move, ...]:
        """The moves possible now, by anybody."""
        return tuple(move for state, move in MOVES if state is self.state and not self._used_up(move))

    def _used_up(self, move: Move) -> bool:
        return (
            (move is Move.ASK_CORRECTION and self.asked_in is not None)
            or (move is Move.EVALUATE and self.evaluation > 0)
            or (move is Move.BEGIN_SPECIAL and self.special_days >= ALL_SPECIAL_DAYS)
        )

    @property
    def special_days(self) -> int:
        """Working days that special procedures were given so far."""
        return sum(step.special_days for step in self.steps)

    @property
    def lodged_us(self) -> int:
        """Time at which the application, or what a correction asked for, last came in."""
        return next(step.at_us for step in reversed(self.steps) if step.move in (Move.SUBMIT, Move.SUPPLEMENT))

    def clock_stops(self, calendar: Calendar) -> tuple[Stop, ...]:
        """The stops of the legal clock by civil days, for ``time_limits.due``. A special procedure stops it for the
        days it was given at most, whether or not the agency has ended it.
        """
        return tuple(_stop(calendar, *stop) for stop in self.stops)


def _stop(calendar: Calendar, began_us: int, ended_us: int | None, most_days: int) -> Stop:
    began, ended = civil_date(began_us), None if ended_us is None else civil_date(ended_us)
    if not most_days:
        return Stop(began, ended)
    last = add(calendar, began, Limit(most_days))
    return Stop(began, last if ended is None else min(ended, last))


def submit(actor: str, at_us: int, note: str = "") -> Case:
    """A new case (接件)."""
    return _fold(None, Step(1, Move.SUBMIT, CaseState.SUBMITTED, _NATIONAL[Move.SUBMIT], actor, at_us, note))


def apply(case: Case, command: Command) -> Case:
    """The case after a move, its new step last. Raises MoveRefusedError with every violation."""
    violations = [*_table(case, command), *_content(case, command)]
    if violations:
        raise MoveRefusedError(violations)
    target = MOVES[case.state, command.move]
    if target is _BACK:
        target = case.asked_in
    if target is None:
        raise AssertionError("a correction without the state it was asked in")
    step = Step(
        seq=case.seq + 1,
        move=command.move,
        state=target,
        national=_NATIONAL.get(command.move, ""),
        actor=command.actor,
        # Two replicas' clocks may differ a little; a history that runs backwards would disturb the legal clock.
        at_us=max(command.at_us, case.steps[-1].at_us),
        note=command.note,
        missing=command.missing,
        given=command.given,
        result=command.result,
        level=command.level,
        days=command.days,
    )
    return _fold(case, step)


def _table(case: Case, command: Command) -> Iterable[Violation]:
    move = command.move
    if (case.state, move) not in MOVES:
        possible = ", ".join(each.value for each in case.allowed) or "none"
        yield _fault(
            "move",
            "MOVE_NOT_ALLOWED",
            f"{move.value} is not possible in state {case.state.value}; possible: {possible}",
            f"办件当前状态为 {case.state.value}，不能执行 {move.value}",
        )
    if not command.roles & ROLES[move]:
        wanted = "、".join(sorted(role.value for role in ROLES[move]))
        yield _fault("roles", "ROLE_NOT_ALLOWED", f"{move.value} needs the role {wanted}", f"此操作需要角色：{wanted}")
    if move is Move.ASK_CORRECTION and case.asked_in is not None:
        yield _fault(
            "move",
            "CORRECTION_ALREADY_ASKED",
            "a correction is asked once, completely: accept or decide",
            "补正须一次性告知，不能再次要求补正，请受理或作出决定",
        )
    if move is Move.EVALUATE and case.evaluation:
        yield _fault("move", "ALREADY_EVALUATED", "this case has been evaluated", "该办件已评价，不能重复评价")


def _content(case: Case, command: Command) -> Iterable[Violation]:
    move = command.move
    if not command.actor:
        yield _fault("actor", "ACTOR_MISSING", "say who acts", "请填写经办人")
    if move in _REASON_NEEDED and not command.note.strip():
        yield _fault("note", "REASON_MISSING", "tell the applicant why", "请填写告知申请人的理由")
    if len(command.note) > MAX_NOTE:
        yield _fault("note", "TEXT_TOO_LONG", f"at most {MAX_NOTE} characters", f"不得超过 {MAX_NOTE} 个字符")
    if move is Move.ASK_CORRECTION:
        yield from _correction(command)
    elif command.missing:
        yield _fault(
            "missing", "FIELD_NOT_EXPECTED", "only a correction asks for materials", "仅补正告知时可列出所缺材料"
        )
    yield from _special(case, command)
    if move is Move.SUPPLEMENT:
        for name in case.missing:
            if name not in command.given:
                yield _fault("given", "MATERIAL_MISSING", f"still missing: {name}", f"仍缺少：{name}")


def _special(case: Case, command: Command) -> Iterable[Violation]:
    if command.move is not Move.BEGIN_SPECIAL:
        if command.days:
            yield _fault("days", "FIELD_NOT_EXPECTED", "only a special procedure has days", "仅特别程序需要填写天数")
        return
    left = ALL_SPECIAL_DAYS - case.special_days
    if not 0 <= command.days <= MOST_SPECIAL_DAYS:
        yield _fault(
            "days",
            "VALUE_RANGE",
            f"1 to {MOST_SPECIAL_DAYS} working days",
            f"特别程序应为 1 至 {MOST_SPECIAL_DAYS} 个工作日",
        )
    elif (command.days or USUAL_SPECIAL_DAYS) > left:
        yield _fault(
            "days",
            "SPECIAL_DAYS_USED_UP",
            f"special procedures of a case take at most {ALL_SPECIAL_DAYS} working days, of which {left} are left:"
            " state fewer, or decide",
            f"特别程序合计不得超过 {ALL_SPECIAL_DAYS} 个工作日，尚余 {left} 个，请减少天数或作出决定",
        )


def _correction(command: Command) -> Iterable[Violation]:
    if not command.missing or any(not name.strip() for name in command.missing):
        yield _fault("missing", "CORRECTION_EMPTY", "list everything that is missing", "请一次性列明全部需补正的内容")
    if len(set(command.missing)) != len(command.missing):
        yield _fault("missing", "ROW_REPEATED", "a row is given twice", "补正内容重复")
    if len(command.missing) > MAX_MISSING:
        yield _fault("missing", "TOO_MANY_ROWS", f"at most {MAX_MISSING} rows", f"补正内容不得超过 {MAX_MISSING} 项")


def _fold(case: Case | None, step: Step) -> Case:
    if case is None:
        return Case(step.state, (step,))
    after = replace(case, state=step.state, steps=(*case.steps, step))
    if case.state in {CaseState.CORRECTION, CaseState.SPECIAL}:
        (began, _, most) = after.stops[-1]
        after = replace(after, stops=(*after.stops[:-1], (began, step.at_us, most)))
    if step.state in {CaseState.CORRECTION, CaseState.SPECIAL}:
        after = replace(after, stops=(*after.stops, (step.at_us, None, step.special_days)))
    match step.move:
        case Move.ACCEPT:
            return replace(after, accepted_us=step.at_us)
        case Move.ASK_CORRECTION:
            return replace(after, asked_in=case.state, missing=step.missing)
        case Move.SUPPLEMENT | Move.LAPSE:
            return replace(after, missing=())
        case Move.GRANT | Move.REFUSE:
            return replace(after, decided_us=step.at_us, result=step.result)
        case Move.DELIVER:
            return replace(after, result=step.result or after.result)
        case Move.EVALUATE:
            return replace(after, evaluation=step.level)
        case _:
            return after


@dataclass(frozen=True, slots=True)
class Healed:
    """Result of a set of steps: the case as far as its steps run without a gap, and the numbers to ask for."""

    case: Case | None
    missing: tuple[int, ...]


def heal(steps: Iterable[Step]) -> Healed:
    """Fold steps in whatever order and number they came. Raises StepConflictError where one number has two contents."""
    known: dict[int, Step] = {}
    for step in steps:
        if known.setdefault(step.seq, step) != step:
            raise StepConflictError(
                [_fault("seq", "STEP_CONFLICT", f"step {step.seq} has two contents", f"步骤 {step.seq} 内容冲突")]
            )
    case: Case | None = None
    number = 1
    while number in known:
        case = _fold(case, known[number])
        number += 1
    last = max(known, default=0)
    return Healed(case, tuple(each for each in range(number, last) if each not in known))


def _fault(field: str, reason: str, en: str, zh: str) -> Violation:
    return Violation(field, reason, en, zh)
