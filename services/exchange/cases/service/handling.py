"""CaseHandlingService: what the agency does."""

from typing import Any

from sqlalchemy import Connection

from services.exchange.cases import store
from services.exchange.cases.casework import Casework, Worked
from services.exchange.cases.certificates import Certificates
from services.exchange.cases.refusals import case_unknown, etag_mismatch
from services.exchange.cases.store import CaseRow
from services.exchange.cases.views import MOVES, case_view, etag, states_asked
from services.exchange.service.pages import Page, Pages, cut
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import asked_of
from shuniu.kit.rpc import requests
from shuniu.kit.rpc.caller import current_caller


class CaseHandlingService(case_pb2_grpc.CaseHandlingServiceServicer):
    """Moves of the agency that a case was routed to."""

    def __init__(self, work: Casework, pages: Pages, certificates: Certificates) -> None:
        self._work = work
        self._certificates = certificates
        self._base = work.base
        self._pages = pages

    async def MoveCase(self, request: pb.MoveCaseRequest, context: Any) -> pb.MoveCaseResponse:
        own = ""
        # A repeated request has its answer, whatever became of the document and whether or not esign is there.
        if request.move == pb.CASE_MOVE_DELIVER and request.certificate_number and not await self._answered(request):
            own = await self._certificates.of_case(request.case_code)
        return await self._work.answer(
            request, pb.MoveCaseResponse, f"case/{request.case_code[:43]}", self._move, request, own
        )

    async def _answered(self, request: pb.MoveCaseRequest) -> bool:
        return bool(await self._base.store.read(requests.answered, [asked_of(request)]))

    def _move(self, conn: Connection, request: pb.MoveCaseRequest, certificate: str) -> Worked:
        row = store.find_case(conn, request.case_code)
        if row is None or row.handler_platform != current_caller().platform:
            raise case_unknown()
        if request.etag and request.etag != etag(row):
            raise etag_mismatch()
        move = MOVES.get(request.move)
        if move is None:
            raise errors.invalid_field("move", "MOVE_UNKNOWN", "Name the move.", "请填写要执行的操作。")
        return self._work.move(conn, row, request, move, certificate)

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
