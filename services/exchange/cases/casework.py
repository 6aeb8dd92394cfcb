"""Units of work on cases: each checks a move, stores the step and its event, and returns row and history."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar, TypeVarTuple

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.exchange import events
from services.exchange.cases import store
from services.exchange.cases.deadlines import dated
from services.exchange.cases.domain import application, life
from services.exchange.cases.domain import codes as case_codes
from services.exchange.cases.domain.application import Application, Material
from services.exchange.cases.domain.life import CaseState, Command, Move, Role
from services.exchange.cases.domain.routing import ItemBook
from services.exchange.cases.refusals import case_unknown, refusal
from services.exchange.cases.store import CaseRow
from services.exchange.cases.views import case_changed, case_view, etag
from services.exchange.domain import texts
from services.exchange.domain.time_limits import Calendar, Limit
from services.exchange.evaluations import domain as evaluations
from services.exchange.evaluations import store as evaluation_store
from services.exchange.evaluations.domain import Channel, Evaluation, Level
from services.exchange.evidence.domain import Kind
from services.exchange.evidence.log import EvidenceBook
from services.exchange.people.store import Person
from services.exchange.service.moments import instant
from shuniu import china_time
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.rules import RuleError, Violation

APPLICANT: Final = "applicant"
HUB: Final = "hub"
# Every move that is not here is the agency's: CASE_MOVED.
_TOPICS: Final = {
    Move.SUBMIT: events.CASE_SUBMITTED,
    Move.SUPPLEMENT: events.CASE_SUPPLEMENTED,
    Move.WITHDRAW: events.CASE_WITHDRAWN,
    Move.EVALUATE: events.CASE_EVALUATED,
}
# A platform does not say which roles its officer has; it answers for him, so all are assumed.
_AGENCY: Final = life.OFFICER_ROLES
_PERSON: Final = frozenset({Role.APPLICANT})
_TIMER: Final = frozenset({Role.SYSTEM})
# The applicant reads it in the history.
_DAYS_OVER: Final = "特别程序期限已满，恢复计算办理时限。"
_OFFICER_LONGEST: Final = 64
_EVIDENCED: Final = {
    Move.NOT_ACCEPT: Kind.DECIDED,
    Move.GRANT: Kind.DECIDED,
    Move.REFUSE: Kind.DECIDED,
    Move.DELIVER: Kind.DELIVERED,
}


Ts = TypeVarTuple("Ts")
Worked = tuple[CaseRow, life.Case]
"""The case as a unit left it."""
# Answers that hold one case.
Response = TypeVar(
    "Response",
    pb.ApplyCaseResponse,
    pb.SupplementCaseResponse,
    pb.WithdrawCaseResponse,
    pb.EvaluateCaseResponse,
    pb.MoveCaseResponse,
)


@dataclass(frozen=True, slots=True)
class Casework:
    """The units and what they need: foundation, items, calendar, keys of forms, evidence."""

    base: Foundation
    items: ItemBook
    keyring: Keyring
    calendar: Calendar
    evidence: EvidenceBook

    async def answer(
        self,
        request: Message,
        response_type: type[Response],
        target: str,
        unit: Callable[[Connection, *Ts], Worked],
        *args: *Ts,
    ) -> Response:
        """Runs a unit once per request_id and answers with its case.

        The form is filled in afterwards: the request log holds answers in clear, forms stay sealed.
        """
        worked: list[CaseRow] = []

        def work(conn: Connection) -> Response:
            row, case = unit(conn, *args)
            worked[:] = [row]
            return response_type(case=case_view(row, case))

        response = await self.base.mutate(request, response_type, work, target=target)
        found = [row for row in worked if (row.case_code, etag(row)) == (response.case.case_code, response.case.etag)]
        if not found:
            # Answered before, by another call: this one's unit did not run, or lost to it.
            found = [await self.base.store.read(_case, response.case.case_code)]
        response.case.form.update(self.opened_form(found[0]))
        return response

    def apply(self, conn: Connection, asked: Application, person: Person, platform: str) -> Worked:
        """Stores a new case and publishes its event to the handling agency. `platform`: through which it came.
        Raises HubError.
        """
        now_us = self.base.clock.now_us()
        today = china_time.civil_date(now_us)
        try:
            item = application.decide(asked, self.items, today, self._is_linked)
            serial = store.next_serial(conn, item.code, f"{today:%Y%m%d}")
            code = case_codes.build(item.code, today, serial).text
        except RuleError as error:
            raise refusal(error) from None
        case = life.submit(APPLICANT, now_us)
        limit = item.limit or Limit(0)
        row = CaseRow(
            case_code=code,
            person_id=person.person_id,
            source_platform=platform,
            handler_platform=item.handler,
            item_code=item.code,
            base_code=item.base_code,
            item_title=item.title,
            division=item.division,
            result_template=item.result_template,
            limit_amount=limit.value,
            limit_unit=limit.unit.value if item.limit else "",
            channel=asked.channel,
            applicant_display=person.display_name,
            state=case.state.value,
            version=case.seq,
            applied_us=now_us,
            due_us=None,
            missing=(),
            certificate_number="",
            evaluation=0,
            form=self._sealed_form(code, asked.form),
        )
        row = dated(row, case, self.calendar)
        store.insert_case(conn, row, case)
        store.put_materials(conn, code, asked.materials, now_us)
        self._tell(conn, row, case)
        return row, case

    def _is_linked(self, platform: str) -> bool:
        """Tells whether a platform can handle a case: enrolled, with zone and clearance that let it receive the event.

        A suspended one still gets cases.
        """
        entry = self.base.registry.platform(platform)
        return entry is not None and entry.state not in ("APPLIED", "RETIRED") and self.base.may_receive(platform)

    def supplement(
        self, conn: Connection, code: str, person_id: str, materials: list[Material], form: Mapping[str, str]
    ) -> Worked:
        """Stores what a correction requested. Raises HubError."""
        row, case = self._of_person(conn, code, person_id)
        given = tuple(dict.fromkeys((*(each.name for each in materials), *form)))
        faults = [*application.material_faults(materials), *application.form_faults(form)]
        command = Command(Move.SUPPLEMENT, APPLICANT, _PERSON, self.base.clock.now_us(), given=given)
        merged = {**self.opened_form(row), **form}
        worked = self._moved(conn, replace(row, form=self._sealed_form(code, merged)), case, command, faults)
        store.put_materials(conn, code, materials, command.at_us)
        return worked

    def withdraw(self, conn: Connection, code: str, person_id: str, reason: str) -> Worked:
        """The applicant takes the case back. Raises HubError."""
        row, case = self._of_person(conn, code, person_id)
        command = Command(Move.WITHDRAW, APPLICANT, _PERSON, self.base.clock.now_us(), note=reason)
        faults = texts.text_faults("reason", reason, life.MAX_NOTE)
        return self._moved(conn, row, case, command, faults)

    def evaluate(self, conn: Connection, code: str, person_id: str, level: int, channel: str, comment: str) -> Worked:
        """Stores the person's only evaluation of a finished case. Raises HubError."""
        row, case = self._of_person(conn, code, person_id)
        now_us = self.base.clock.now_us()
        command = Command(Move.EVALUATE, APPLICANT, _PERSON, now_us, level=level)
        worked = self._moved(conn, row, case, command, evaluations.evaluation_faults(level, channel, comment))
        evaluation_store.insert_evaluation(conn, Evaluation(code, Level(level), Channel(channel), now_us, comment))
        return worked

    def move(self, conn: Connection, row: CaseRow, asked: pb.MoveCaseRequest, move: Move, certificate: str) -> Worked:
        """One move of the handling agency. `certificate`: number of the case's own valid document. Raises HubError."""
        case = store.load_history(conn, row.case_code)
        delivers_grant = move is Move.DELIVER and case.state is CaseState.GRANTED
        command = Command(
            move,
            row.handler_platform,
            _AGENCY,
            self.base.clock.now_us(),
            note=asked.note,
            missing=tuple(asked.missing_materials),
            result=asked.certificate_number,
            days=asked.special_days,
        )
        faults = [
            *texts.text_faults("note", asked.note, life.MAX_NOTE),
            *texts.text_faults("officer", asked.officer, _OFFICER_LONGEST),
            *application.certificate_faults(
                asked.certificate_number,
                own=certificate,
                wanted=delivers_grant and bool(row.result_template),
                possible=delivers_grant,
            ),
        ]
        for name in asked.missing_materials[: life.MAX_MISSING]:
            faults += texts.text_faults("missing_materials", name, application.MAX_NAME)
        return self._moved(conn, row, case, command, faults, officer=asked.officer)

    def end_special(self, conn: Connection, code: str) -> bool:
        """Ends a special procedure whose days are over, and tells the agency. False where the case moved meanwhile, or
        where another replica was first.
        """
        row = store.find_case(conn, code)
        now_us = self.base.clock.now_us()
        if row is None or row.special_until_us is None or row.special_until_us >= now_us:
            return False
        case = store.load_history(conn, code)
        anew = dated(row, case, self.calendar)
        if anew.special_until_us is None or anew.special_until_us >= now_us:
            # Counted with another calendar, or left by a version that knows no such end and moved the case on.
            store.put_deadline(conn, anew)
            return False
        command = Command(Move.END_SPECIAL, HUB, _TIMER, now_us, note=_DAYS_OVER)
        moved, after = self._moved(conn, row, case, command, ())
        self.base.publish(conn, events.CASE_RESUMED, code, case_changed(moved, after), division=moved.division)
        return True

    def _of_person(self, conn: Connection, code: str, person_id: str) -> tuple[CaseRow, life.Case]:
        row = store.find_case(conn, code)
        if row is None or row.person_id != person_id:
            raise case_unknown()
        return row, store.load_history(conn, code)

    def _moved(
        self,
        conn: Connection,
        row: CaseRow,
        case: life.Case,
        command: Command,
        faults: Iterable[Violation],
        *,
        officer: str = "",
    ) -> Worked:
        """Stores the step and publishes its event. A fault of state is raised alone, faults of content together."""
        found = list(faults)
        try:
            try:
                after = life.apply(case, command)
            except life.MoveRefusedError as error:
                if (case.state, command.move) not in life.MOVES or any(
                    each.field == "move" for each in error.violations
                ):
                    raise
                found += error.violations
            if found:
                raise texts.ContentError(dict.fromkeys(found))
        except RuleError as error:
            raise refusal(error, case) from None
        moved = replace(
            row,
            state=after.state.value,
            version=after.seq,
            missing=after.missing,
            certificate_number=after.result,
            evaluation=after.evaluation,
        )
        moved = dated(moved, after, self.calendar)
        store.move_case(conn, row, moved, after.steps[-1], officer)
        if command.move in _EVIDENCED:
            self._keep_evidence(conn, moved, after.steps[-1])
        self._tell(conn, moved, after)
        return moved, after

    def _keep_evidence(self, conn: Connection, row: CaseRow, step: life.Step) -> None:
        facts = {
            "case": row.case_code,
            "item": row.item_code,
            "division": row.division,
            "handler": row.handler_platform,
            "source": row.source_platform,
            "seq": step.seq,
            "move": step.move.value,
            "state": step.state.value,
            "certificate": row.certificate_number,
        }
        parties = (row.handler_platform, row.source_platform)
        kind = _EVIDENCED[step.move]
        piece_id = new_ulid(self.base.clock)
        self.evidence.keep(conn, piece_id, kind, step.at_us, parties, facts, case_code=row.case_code)

    def _tell(self, conn: Connection, row: CaseRow, case: life.Case) -> None:
        """Publishes the event of the case's last step."""
        step = case.steps[-1]
        topic = _TOPICS.get(step.move, events.CASE_MOVED)
        payload: Message = case_changed(row, case)
        if step.move is Move.EVALUATE:
            payload = events_pb2.CaseEvaluated(
                case_code=row.case_code,
                level=case.evaluation,
                evaluated_at=instant(step.at_us),
                handler_platform=row.handler_platform,
            )
        self.base.publish(conn, topic, row.case_code, payload, division=row.division)

    def _sealed_form(self, code: str, form: Mapping[str, str]) -> bytes:
        plain = json.dumps(dict(form), ensure_ascii=False, separators=(",", ":")).encode()
        return self.keyring.encrypt(plain, _context(code))

    def opened_form(self, row: CaseRow) -> dict[str, str]:
        """The form answers of a case. Raises UnreadableError when the row was tampered with."""
        form: dict[str, str] = json.loads(self.keyring.decrypt(row.form, _context(row.case_code)))
        return form


def _case(conn: Connection, code: str) -> CaseRow:
    row = store.find_case(conn, code)
    if row is None:
        raise LookupError(f"case {code}: answered, and not there")
    return row


def _context(code: str) -> bytes:
    return f"case_file/{code}/form".encode()
