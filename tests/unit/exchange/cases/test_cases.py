"""Cases: the table of moves, corrections told once, roles, and healing from any order of steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.exchange.cases.domain.life import (
    MOVES,
    OFFICER_ROLES,
    OVER,
    ROLES,
    Case,
    CaseState,
    Command,
    Move,
    MoveRefusedError,
    Role,
    StepConflictError,
    apply,
    heal,
    submit,
)
from services.exchange.domain.time_limits import WEEKDAYS, Limit, Stop, add
from shuniu.china_time import civil_date

DAY_US = 86_400_000_000
EVERYBODY = frozenset(Role)


def _do(case: Case, move: Move, *, roles: frozenset[Role] = EVERYBODY, **fields: object) -> Case:
    command = Command(move, "someone", roles, case.steps[-1].at_us + DAY_US, **{"note": "理由", **fields})  # type: ignore[arg-type]
    return apply(case, command)


def _run(*moves: Move) -> Case:
    case = submit("someone", DAY_US)
    for move in moves:
        missing = ("甲", "乙") if move is Move.ASK_CORRECTION else ()
        case = _do(case, move, missing=missing, given=case.missing, level=5 if move is Move.EVALUATE else 0)
    return case


def _reasons(case: Case, move: Move, **fields: object) -> set[str]:
    with pytest.raises(MoveRefusedError) as caught:
        _do(case, move, **fields)  # type: ignore[arg-type]
    return {each.reason for each in caught.value.violations}


def test_the_whole_way() -> None:
    """From application to evaluation with a correction and a special procedure; national states as the records want
    them.
    """
    case = _run(
        Move.PRE_REVIEW,
        Move.ASK_CORRECTION,
        Move.SUPPLEMENT,
        Move.ACCEPT,
        Move.PROCESS,
        Move.BEGIN_SPECIAL,
        Move.END_SPECIAL,
        Move.GRANT,
        Move.DELIVER,
        Move.EVALUATE,
    )
    assert [step.national for step in case.steps] == ["1", "", "6", "", "3", "8", "9", "10", "11", "", ""]
    assert (case.state, case.evaluation, case.state in OVER, case.national) == (CaseState.DELIVERED, 5, True, "11")
    assert len(case.clock_stops(WEEKDAYS)) == 2
    assert all(stop.ended is not None for stop in case.clock_stops(WEEKDAYS))


def test_a_correction_is_asked_once_and_completely() -> None:
    """A second request is refused, also from another state; what comes back must be everything that was asked."""
    asked = _run(Move.ASK_CORRECTION)
    assert asked.clock_stops(WEEKDAYS)[0].ended is None
    assert _reasons(asked, Move.SUPPLEMENT, given=("甲",)) == {"MATERIAL_MISSING"}
    back = _do(asked, Move.SUPPLEMENT, given=("乙", "甲", "丙"))
    assert back.state is CaseState.SUBMITTED
    assert Move.ASK_CORRECTION not in back.allowed
    assert _reasons(back, Move.ASK_CORRECTION, missing=("丙",)) == {"CORRECTION_ALREADY_ASKED"}
    assert _reasons(_do(back, Move.ACCEPT), Move.ASK_CORRECTION, missing=("丙",)) == {"CORRECTION_ALREADY_ASKED"}
    assert _reasons(_run(), Move.ASK_CORRECTION) == {"CORRECTION_EMPTY"}
    assert _reasons(_run(), Move.ASK_CORRECTION, missing=("甲", "甲")) == {"ROW_REPEATED"}


def test_a_correction_returns_to_where_it_was_asked() -> None:
    """A case that was accepted stays accepted."""
    assert _run(Move.ACCEPT, Move.ASK_CORRECTION, Move.SUPPLEMENT).state is CaseState.ACCEPTED


@pytest.mark.parametrize("move", [Move.NOT_ACCEPT, Move.REFUSE, Move.BEGIN_SPECIAL])
def test_setbacks_need_a_reason(move: Move) -> None:
    """The applicant is told why."""
    case = _run() if move is Move.NOT_ACCEPT else _run(Move.ACCEPT, Move.PROCESS)
    assert _reasons(case, move, note=" ") == {"REASON_MISSING"}


def test_each_move_has_its_roles() -> None:
    """Whoever does not hold the role is refused, whatever the state."""
    for state, move in MOVES:
        if state is None:
            continue
        for role in Role:
            case = Case(state, _run().steps, asked_in=CaseState.SUBMITTED, stops=((1, None, 0),))
            try:
                _do(
                    case, move, roles=frozenset({role}), missing=("甲",) if move is Move.ASK_CORRECTION else (), level=3
                )
            except MoveRefusedError as refusal:
                reasons = {each.reason for each in refusal.violations}
            else:
                reasons = set()
            assert ("ROLE_NOT_ALLOWED" in reasons) == (role not in ROLES[move])
    assert all(roles <= OFFICER_ROLES or roles & {Role.APPLICANT, Role.SYSTEM} for roles in ROLES.values())


def test_an_illegal_move_tells_the_legal_ones() -> None:
    """The refusal names state and possible moves."""
    with pytest.raises(MoveRefusedError) as caught:
        _do(_run(), Move.DELIVER)
    assert caught.value.reason == "MOVE_NOT_ALLOWED"
    assert "ACCEPT" in caught.value.en
    assert "SUBMITTED" in caught.value.zh


def test_one_evaluation_of_a_case_that_is_over() -> None:
    """A case is evaluated after its end, and once."""
    assert _reasons(_run(Move.ACCEPT), Move.EVALUATE, level=4) == {"MOVE_NOT_ALLOWED"}
    done = _run(Move.NOT_ACCEPT)
    assert _reasons(_do(done, Move.EVALUATE, level=4), Move.EVALUATE, level=4) == {"ALREADY_EVALUATED"}


def test_nothing_moves_a_withdrawn_case() -> None:
    """Withdrawn is the end."""
    assert _run(Move.WITHDRAW).allowed == ()


def test_special_procedures_end_by_themselves() -> None:
    """One stops the clock for the working days it was given, 30 where none were stated, however long the agency keeps it open;
    all of a case together have 180.
    """
    processing = _run(Move.ACCEPT, Move.PROCESS)
    stated, usual = (_do(processing, Move.BEGIN_SPECIAL, days=days) for days in (5, 0))
    began = civil_date(stated.steps[-1].at_us)
    assert stated.clock_stops(WEEKDAYS) == (Stop(began, add(WEEKDAYS, began, Limit(5))),)
    assert usual.clock_stops(WEEKDAYS) == (Stop(began, add(WEEKDAYS, began, Limit(30))),)
    kept_open = apply(stated, Command(Move.END_SPECIAL, "someone", EVERYBODY, stated.steps[-1].at_us + 300 * DAY_US))
    assert kept_open.clock_stops(WEEKDAYS) == stated.clock_stops(WEEKDAYS)
    soon = _do(stated, Move.END_SPECIAL)
    assert soon.clock_stops(WEEKDAYS) == (Stop(began, began + timedelta(days=1)),)
    for days in (-1, 91):
        assert _reasons(processing, Move.BEGIN_SPECIAL, days=days) == {"VALUE_RANGE"}
    assert _reasons(_run(), Move.ACCEPT, days=5) == {"FIELD_NOT_EXPECTED"}
    case = processing
    for days in (90, 60):
        case = _do(_do(case, Move.BEGIN_SPECIAL, days=days), Move.END_SPECIAL)
    assert _reasons(case, Move.BEGIN_SPECIAL, days=31) == {"SPECIAL_DAYS_USED_UP"}
    case = _do(_do(case, Move.BEGIN_SPECIAL), Move.END_SPECIAL)
    assert Move.BEGIN_SPECIAL not in case.allowed


def test_history_never_runs_backwards() -> None:
    """A replica whose clock lags does not write a step before the last one."""
    case = _run()
    late = apply(case, Command(Move.ACCEPT, "someone", EVERYBODY, 0))
    assert late.steps[-1].at_us == case.steps[-1].at_us


WAY = _run(Move.ASK_CORRECTION, Move.SUPPLEMENT, Move.ACCEPT, Move.PROCESS, Move.GRANT, Move.DELIVER, Move.EVALUATE)


@given(st.permutations(WAY.steps), st.lists(st.sampled_from(WAY.steps), max_size=8))
def test_any_order_heals_to_one_case(steps: list[object], again: list[object]) -> None:
    """Out of order and doubled, the steps make the same case."""
    healed = heal([*again, *steps])  # type: ignore[list-item]
    assert healed.case == WAY
    assert healed.missing == ()


@given(st.sets(st.sampled_from(range(1, len(WAY.steps) + 1))))
def test_a_gap_is_named(present: set[int]) -> None:
    """With steps missing the case stands where the first gap begins, and the gap is asked for."""
    healed = heal(step for step in WAY.steps if step.seq in present)
    last = max(present, default=0)
    assert healed.missing == tuple(number for number in range(1, last) if number not in present)
    reached = healed.case.seq if healed.case else 0
    assert set(range(1, reached + 1)) <= present


def test_two_contents_under_one_number_are_an_alarm() -> None:
    """A conflict is never overwritten."""
    other = _run(Move.ACCEPT).steps[1]
    with pytest.raises(StepConflictError):
        heal([*WAY.steps, other])


class AnyMoves(RuleBasedStateMachine):
    """Moves at random: only the table's moves happen, and the promises hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.case = submit("someone", DAY_US)
        self.corrections = 0

    @initialize()
    def begin(self) -> None:
        self.case = submit("someone", DAY_US)

    @precondition(lambda self: self.case.allowed)
    @rule(data=st.data())
    def legal(self, data: st.DataObject) -> None:
        self._try(data.draw(st.sampled_from(self.case.allowed)), must_work=True)

    @rule(move=st.sampled_from(Move))
    def any_move(self, move: Move) -> None:
        self._try(move, must_work=False)

    def _try(self, move: Move, *, must_work: bool) -> None:
        before = self.case
        missing = ("甲",) if move is Move.ASK_CORRECTION else ()
        try:
            self.case = _do(before, move, missing=missing, given=before.missing, level=3)
        except MoveRefusedError:
            assert not must_work
            assert move not in before.allowed
            return
        assert move in before.allowed
        self.corrections += move is Move.ASK_CORRECTION

    @invariant()
    def promises(self) -> None:
        assert self.corrections <= 1
        assert [step.seq for step in self.case.steps] == list(range(1, self.case.seq + 1))
        running = [ended for _, ended, _ in self.case.stops if ended is None]
        assert len(running) == (self.case.state in {CaseState.CORRECTION, CaseState.SPECIAL})
        assert heal(reversed(self.case.steps)).case == self.case


AnyMoves.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestAnyMoves = AnyMoves.TestCase
