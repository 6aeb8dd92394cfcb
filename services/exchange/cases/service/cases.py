"""CaseService: what the applicant does."""

from typing import Any

from sqlalchemy import Connection

from services.exchange.cases import store
from services.exchange.cases.casework import Casework
from services.exchange.cases.domain.application import Application
from services.exchange.cases.refusals import case_unknown
from services.exchange.cases.store import CaseRow
from services.exchange.cases.views import case_view, channel_name, evaluation_channel, materials_of
from services.exchange.people.resolving import People
from services.exchange.people.store import Person
from services.exchange.service.pages import Page, Pages, cut
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2_grpc
from shuniu.kit.rpc.caller import Caller, CallerKind, current_caller


class CaseService(case_pb2_grpc.CaseServiceServicer):
    """Applications of people, through any platform."""

    def __init__(self, work: Casework, people: People, pages: Pages) -> None:
        self._work = work
        self._base = work.base
        self._people = people
        self._pages = pages

    async def ApplyCase(self, request: pb.ApplyCaseRequest, context: Any) -> pb.ApplyCaseResponse:
        caller = current_caller()
        person = await self._people.of(caller)
        asked = Application(
            ial=caller.ial,
            item_code=request.item_code,
            division=request.division,
            form=dict(request.form),
            materials=materials_of(request.materials),
            channel=channel_name(request.channel),
        )
        return await self._work.answer(
            request,
            pb.ApplyCaseResponse,
            f"item/{request.item_code[:31]}",
            self._work.apply,
            asked,
            person,
            caller.platform,
        )

    async def SupplementCase(self, request: pb.SupplementCaseRequest, context: Any) -> pb.SupplementCaseResponse:
        person = await self._people.of(current_caller())
        return await self._work.answer(
            request,
            pb.SupplementCaseResponse,
            _target(request.case_code),
            self._work.supplement,
            request.case_code,
            person.person_id,
            materials_of(request.materials),
            dict(request.form),
        )

    async def WithdrawCase(self, request: pb.WithdrawCaseRequest, context: Any) -> pb.WithdrawCaseResponse:
        person = await self._people.of(current_caller())
        return await self._work.answer(
            request,
            pb.WithdrawCaseResponse,
            _target(request.case_code),
            self._work.withdraw,
            request.case_code,
            person.person_id,
            request.reason,
        )

    async def EvaluateCase(self, request: pb.EvaluateCaseRequest, context: Any) -> pb.EvaluateCaseResponse:
        person = await self._people.of(current_caller())
        return await self._work.answer(
            request,
            pb.EvaluateCaseResponse,
            _target(request.case_code),
            self._work.evaluate,
            request.case_code,
            person.person_id,
            request.level,
            evaluation_channel(request.channel),
            request.comment,
        )

    async def GetCase(self, request: pb.GetCaseRequest, context: Any) -> pb.GetCaseResponse:
        caller = current_caller()
        person = await self._people.of(caller) if caller.kind is CallerKind.PERSON else None
        case = await self._base.store.read(self._read, request.case_code, caller, person)
        return pb.GetCaseResponse(case=case)

    def _read(self, conn: Connection, code: str, caller: Caller, person: Person | None) -> pb.Case:
        row = store.find_case(conn, code)
        if row is None or not _may_read(row, caller, person):
            raise case_unknown()
        view = case_view(row, store.load_history(conn, code))
        # Answers are for the applicant and the handling agency; the platform between them only carried them.
        if person is not None or caller.platform == row.handler_platform:
            view.form.update(self._work.opened_form(row))
        return view

    async def ListCases(self, request: pb.ListCasesRequest, context: Any) -> pb.ListCasesResponse:
        caller = current_caller()
        person = await self._people.of(caller)
        page = self._pages.asked(caller.key, "cases", request.page_token, request.page_size, default=20, most=100)
        rows = await self._base.store.read(_rows_of_person, person.person_id, page)
        shown, last = cut(rows, page.size)
        response = pb.ListCasesResponse(cases=[case_view(row) for row in shown])
        if last is not None:
            response.next_page_token = self._pages.token(caller.key, "cases", (-last.applied_us, last.case_code))
        return response


def _target(case_code: str) -> str:
    return f"case/{case_code[:43]}"


def _may_read(row: CaseRow, caller: Caller, person: Person | None) -> bool:
    if caller.kind is CallerKind.PERSON:
        return person is not None and person.person_id == row.person_id
    if caller.kind is CallerKind.PLATFORM:
        return caller.platform in (row.source_platform, row.handler_platform)
    return caller.kind is CallerKind.OPERATOR


def _rows_of_person(conn: Connection, person_id: str, page: Page) -> list[CaseRow]:
    return store.cases_of_person(conn, person_id, page.after, page.size + 1)
