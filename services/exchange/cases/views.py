"""Cases between domain and contract."""

from collections.abc import Iterable, Mapping
from typing import Final

from services.exchange.cases.domain import life
from services.exchange.cases.domain.application import Material
from services.exchange.cases.domain.deadline import UNACCEPTED
from services.exchange.cases.domain.life import CaseState, Move
from services.exchange.cases.store import CaseRow
from services.exchange.evaluations.domain import Channel
from services.exchange.service.moments import instant
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import case_pb2 as pb

STATES: Final[Mapping[CaseState, pb.CaseState.ValueType]] = {
    CaseState.SUBMITTED: pb.CASE_STATE_SUBMITTED,
    # A window's pre-review is not published: the case counts as submitted until it is accepted.
    CaseState.PRE_REVIEW: pb.CASE_STATE_SUBMITTED,
    CaseState.CORRECTION: pb.CASE_STATE_CORRECTION,
    CaseState.ACCEPTED: pb.CASE_STATE_ACCEPTED,
    CaseState.NOT_ACCEPTED: pb.CASE_STATE_NOT_ACCEPTED,
    CaseState.PROCESSING: pb.CASE_STATE_PROCESSING,
    CaseState.SPECIAL: pb.CASE_STATE_SPECIAL,
    CaseState.GRANTED: pb.CASE_STATE_GRANTED,
    CaseState.REFUSED: pb.CASE_STATE_REFUSED,
    CaseState.DELIVERED: pb.CASE_STATE_DELIVERED,
    CaseState.WITHDRAWN: pb.CASE_STATE_WITHDRAWN,
}
MOVES: Final[Mapping[int, Move]] = {
    pb.CASE_MOVE_ACCEPT: Move.ACCEPT,
    pb.CASE_MOVE_NOT_ACCEPT: Move.NOT_ACCEPT,
    pb.CASE_MOVE_ASK_CORRECTION: Move.ASK_CORRECTION,
    pb.CASE_MOVE_PROCESS: Move.PROCESS,
    pb.CASE_MOVE_BEGIN_SPECIAL: Move.BEGIN_SPECIAL,
    pb.CASE_MOVE_END_SPECIAL: Move.END_SPECIAL,
    pb.CASE_MOVE_GRANT: Move.GRANT,
    pb.CASE_MOVE_REFUSE: Move.REFUSE,
    pb.CASE_MOVE_DELIVER: Move.DELIVER,
}
# GB/T 39735 knows one kind of terminal in a hall.
EVALUATION_CHANNELS: Final[Mapping[int, Channel]] = {
    pb.CHANNEL_PC: Channel.PC,
    pb.CHANNEL_APP: Channel.APP,
    pb.CHANNEL_MINI_PROGRAM: Channel.MINI_PROGRAM,
    pb.CHANNEL_KIOSK: Channel.HALL_DEVICE,
    pb.CHANNEL_COUNTER: Channel.HALL_DEVICE,
}


def states_asked(states: Iterable[int]) -> list[str]:
    """The domain's names of contract states."""
    wanted = set(states)
    return [state.value for state, number in STATES.items() if int(number) in wanted]


def channel_name(channel: int) -> str:
    """CHANNEL_APP → APP; empty for one that is unset or unknown."""
    if channel == pb.CHANNEL_UNSPECIFIED or channel not in pb.Channel.values():
        return ""
    return pb.Channel.Name(pb.Channel.ValueType(channel)).removeprefix("CHANNEL_")


def materials_of(given: Iterable[pb.GivenMaterial]) -> list[Material]:
    return [Material(each.name, each.sha256, each.media_type) for each in given]


def case_view(row: CaseRow, history: life.Case | None = None) -> pb.Case:
    """A case without its form; with its steps when the history is given."""
    view = pb.Case(
        case_code=row.case_code,
        item_code=row.item_code,
        item_title=row.item_title,
        division=row.division,
        source_platform=row.source_platform,
        handler_platform=row.handler_platform,
        state=STATES[CaseState(row.state)],
        channel=pb.Channel.Value(f"CHANNEL_{row.channel}"),
        applicant_display=row.applicant_display,
        missing_materials=row.missing,
        certificate_number=row.certificate_number,
        evaluation=row.evaluation,
        etag=etag(row),
        applied_at=instant(row.applied_us),
    )
    if row.due_us is not None:
        due = view.accept_by if CaseState(row.state) in UNACCEPTED else view.promised_at
        due.FromMicroseconds(row.due_us)
        view.deadline_provisional = bool(row.provisional)
    if history is not None:
        view.steps.extend(_step_view(step) for step in history.steps)
    return view


def _step_view(step: life.Step) -> pb.CaseStep:
    # What a correction asks for is said with it: people read the history, not the fields.
    asked = f"{step.note}：{'、'.join(step.missing)}" if step.missing else step.note
    return pb.CaseStep(
        seq=step.seq,
        state=STATES[step.state],
        national_state=step.national,
        actor=step.actor,
        note=asked,
        time=instant(step.at_us),
    )


def etag(row: CaseRow) -> str:
    return f'"{row.version}"'


def case_changed(row: CaseRow, history: life.Case) -> events_pb2.CaseChanged:
    """The event of a case's last step: codes only, no names, no numbers."""
    return events_pb2.CaseChanged(
        case_code=row.case_code,
        item_code=row.item_code,
        division=row.division,
        state=STATES[CaseState(row.state)],
        national_state=history.national,
        missing_materials=row.missing,
        certificate_number=row.certificate_number,
        source_platform=row.source_platform,
        handler_platform=row.handler_platform,
        changed_at=instant(history.steps[-1].at_us),
    )


def evaluation_channel(channel: int) -> str:
    """The evaluation's channel (GB/T 39735); empty for one that is unset or unknown."""
    found = EVALUATION_CHANNELS.get(channel)
    return found.value if found else ""
