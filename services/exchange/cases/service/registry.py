"""CaseRegistryService: what other services of the hub may know of a case."""

from typing import Any

from services.exchange.cases import store
from services.exchange.cases.casework import Casework
from services.exchange.cases.refusals import case_unknown
from services.exchange.cases.store import CaseRow
from services.exchange.cases.views import STATES
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2_grpc
from shuniu.kit import errors

_MOST_CASES = 64


class CaseRegistryService(case_pb2_grpc.CaseRegistryServiceServicer):
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
