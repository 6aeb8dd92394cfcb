"""CaseHandlingService, what the agency does, and CaseRegistryService, what other services of the hub may know."""

from typing import Any

from sqlalchemy import Connection

from services.exchange.service.case_views import MOVES, STATES, case_view, etag, states_asked
from services.exchange.service.casework import Casework
from services.exchange.service.pages import Page, Pages, cut
from services.exchange.service.refusals import case_unknown, etag_mismatch
from services.exchange.store import cases as store
from services.exchange.store.cases import CaseRow
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.caller import current_caller

_MOST_CASES = 64


class Handling(case_pb2_grpc.CaseHandlingServiceServicer):
    """Moves of the agency that a case was routed to."""

    def __init__(self, work: Casework, pages: Pages) -> None:
        self._work = work
        self._base = work.base
        self._pages = pages

    async def MoveCase(self, request: pb.MoveCaseRequest, context: Any) -> pb.MoveCaseResponse:
        return await self._work.answer(
            request, pb.MoveCaseResponse, lambda conn: self._move(conn, request), f"case/{request.case_code[:43]}"
        )

    def _move(self, conn: Connection, request: pb.MoveCaseRequest) -> pb.Case:
        row = store.find_case(conn, request.case_code)
        if row is None or row.handler_platform != current_caller().platform:
            raise case_unknown()
        if request.etag and request.etag != etag(row):
            raise etag_mismatch()
        move = MOVES.get(request.move)
        if move is None:
            raise errors.invalid_field("move", "MOVE_UNKNOWN", "Name the move.", "请填写要执行的操作。")
        return self._work.move(conn, row, request, move)

    async def ListHandledCases(self, request: pb.ListHandledCasesRequest, context: Any) -> pb.ListHandledCasesResponse:
        caller = current_caller()
        states = states_asked(request.states)
        if request.states and not states:
            raise errors.invalid_field("states", "STATE_UNKNOWN", "Name states of the contract.", "办件状态不正确。")
        query = f"handled:{','.join(sorted(states))}"
        page = self._pages.asked(caller.key, query, request.page_token, request.page_size, default=50, most=500)
        rows = await self._base.store.read(_rows_of_handler, caller.platform, tuple(states), page)
        shown, last = cut(rows, page.size)
        response = pb.ListHandledCasesResponse()
        for row in shown:
            view = case_view(row)
            view.form.update(self._work.opened_form(row))
            response.cases.append(view)
        if last is not None:
            response.next_page_token = self._pages.token(caller.key, query, (last.case_code,))
        return response


def _rows_of_handler(conn: Connection, platform: str, states: tuple[str, ...], page: Page) -> list[CaseRow]:
    return store.cases_of_handler(conn, platform, states, page.after, page.size + 1)


class CaseRegistry(case_pb2_grpc.CaseRegistryServiceServicer):
    """Parties of a case, for identity's reveals and esign's documents."""

    def __init__(self, work: Casework) -> None:
        self._work = work

    async def GetCaseParties(self, request: pb.GetCasePartiesRequest, context: Any) -> pb.GetCasePartiesResponse:
        row = await self._work.base.store.read(store.find_case, request.case_code)
        if row is None:
            raise case_unknown()
        return self._parties(row)

    async def BatchGetCaseParties(
        self, request: pb.BatchGetCasePartiesRequest, context: Any
    ) -> pb.BatchGetCasePartiesResponse:
        if len(request.case_codes) > _MOST_CASES:
            raise errors.invalid_field(
                "case_codes", "TOO_MANY", f"At most {_MOST_CASES} cases at once.", f"一次最多 {_MOST_CASES} 个办件。"
            )
        rows = await self._work.base.store.read(store.find_cases, tuple(request.case_codes))
        try:
            return pb.BatchGetCasePartiesResponse(parties=[self._parties(rows[code]) for code in request.case_codes])
        except KeyError:
            raise case_unknown() from None

    def _parties(self, row: CaseRow) -> pb.GetCasePartiesResponse:
        return pb.GetCasePartiesResponse(
            person_id=row.person_id,
            handler_platform=row.handler_platform,
            source_platform=row.source_platform,
            item_code=row.item_code,
            item_title=row.item_title,
            division=row.division,
            state=STATES[store.state_of(row)],
            result_template=row.result_template,
            form=self._work.opened_form(row),
        )
