"""ResourceService: the directory of resources and the grants on them."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from google.type import date_pb2
from sqlalchemy import Connection

from services.exchange.directory import domain as resources
from services.exchange.directory import receiving
from services.exchange.directory import store as directory_store
from services.exchange.directory.descriptions import describe, publish, resource_view
from services.exchange.directory.domain import Resource, ShareClass
from services.exchange.directory.refusals import not_owned, resource_unknown
from services.exchange.domain import texts, time_limits
from services.exchange.domain.time_limits import Calendar, Limit
from services.exchange.grants import domain as grants
from services.exchange.grants import store
from services.exchange.grants.domain import Action, Contract, Grant, Party
from services.exchange.grants.refusals import refusal
from services.exchange.grants.store import GrantRow
from services.exchange.service.days import day_of
from services.exchange.service.pages import Page, Pages, cut
from shuniu import china_time
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.api.exchange.v1 import query_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import CallerKind, current_caller
from shuniu.rules import RuleError, Violation

# The contract has five states: the hub's own review is part of the application, an agreed grant is in force.
_STATE_NAMES: Final = {
    grants.GrantState.REVIEWED: "APPLIED",
    grants.GrantState.GRANTED: "ACTIVE",
    grants.GrantState.SUSPENDED: "REVOKED",
}
_MAX_PURPOSE: Final = 200
_MAX_CODE: Final = 31


class ResourceService(query_pb2_grpc.ResourceServiceServicer):
    """Providers describe and decide, consumers apply; a grant is the contract that every call cites."""

    def __init__(self, base: Foundation, pages: Pages, calendar: Calendar) -> None:
        self._base = base
        self._pages = pages
        self._calendar = calendar

    async def CreateResource(self, request: pb.CreateResourceRequest, context: Any) -> pb.CreateResourceResponse:
        return await self._base.mutate(
            request,
            pb.CreateResourceResponse,
            lambda conn: pb.CreateResourceResponse(
                resource=resource_view(describe(conn, request, current_caller().platform, self._base.clock.now_us()))
            ),
            target=f"resource/{request.resource.code[:60]}",
        )

    async def PublishResource(self, request: pb.PublishResourceRequest, context: Any) -> pb.PublishResourceResponse:
        return await self._base.mutate(
            request,
            pb.PublishResourceResponse,
            lambda conn: pb.PublishResourceResponse(
                resource=resource_view(publish(conn, request, current_caller().platform, self._base.clock.now_us()))
            ),
            target=f"resource/{request.code[:60]}",
        )

    async def ListResources(self, request: pb.ListResourcesRequest, context: Any) -> pb.ListResourcesResponse:
        caller = current_caller()
        page = self._pages.asked(caller.key, "resources", request.page_token, request.page_size, default=100, most=500)
        rows = await self._base.store.read(
            directory_store.resources_seen_by, caller.platform, page.after, page.size + 1
        )
        shown, last = cut(rows, page.size)
        response = pb.ListResourcesResponse(resources=[resource_view(row) for row in shown])
        if last is not None:
            response.next_page_token = self._pages.token(caller.key, "resources", (last.code,))
        return response

    async def ApplyGrant(self, request: pb.ApplyGrantRequest, context: Any) -> pb.ApplyGrantResponse:
        return await self._base.mutate(
            request,
            pb.ApplyGrantResponse,
            lambda conn: pb.ApplyGrantResponse(grant=self._grant_view(self._apply(conn, request))),
            target=f"resource/{request.resource[:60]}",
        )

    def _apply(self, conn: Connection, request: pb.ApplyGrantRequest) -> GrantRow:
        platform = current_caller().platform
        found = directory_store.find_resource(conn, request.resource)
        if found is None or found.state is not resources.ResourceState.PUBLISHED:
            raise resource_unknown()
        _refuse_receiver(receiving.refusal(self._base, found, platform), found)
        if len(store.live_grants(conn, platform, found.code)) >= grants.MOST_LIVE:
            raise errors.exhausted(
                "GRANTS_COUNT",
                f"Your platform has {grants.MOST_LIVE} grants on this resource; end one that is not needed.",
                f"贵平台在该资源上已有 {grants.MOST_LIVE} 项授权，请先终止不需要的授权。",
            )
        now_us = self._base.clock.now_us()
        try:
            texts.refuse(_grant_faults(request))
            contract = Contract(
                consumer=platform,
                provider=found.provider,
                resource=found.code,
                purpose=request.purpose,
                item=request.item_code,
                fields=frozenset(request.fields),
                daily_quota=request.daily_quota,
                begins_us=now_us,
                ends_us=_ends_us(day_of(request.valid_until), now_us),
            )
            stopped = store.stopped(conn, platform, found.code)
            grant = grants.propose(new_ulid(self._base.clock), contract, found, stopped=stopped)
            row = self._forward(grant, now_us)
        except RuleError as error:
            raise refusal(error) from None
        store.insert_grant(conn, row)
        return row

    def _forward(self, grant: Grant, now_us: int) -> GrantRow:
        """The hub's own move: activates an agreed grant, reviews an application that is in form."""
        if grant.state is grants.GrantState.GRANTED:
            return GrantRow(grants.act(grant, Action.ACTIVATE, Party.HUB))
        today = china_time.civil_date(now_us)
        last_day = time_limits.add(self._calendar, today, Limit(grants.DECISION_WORKING_DAYS))
        return GrantRow(grants.act(grant, Action.REVIEW, Party.HUB), china_time.end_of_day_us(last_day))

    async def DecideGrant(self, request: pb.DecideGrantRequest, context: Any) -> pb.DecideGrantResponse:
        return await self._base.mutate(
            request,
            pb.DecideGrantResponse,
            lambda conn: pb.DecideGrantResponse(grant=self._grant_view(self._decide(conn, request))),
            target=f"grant/{request.id[:26]}",
        )

    def _decide(self, conn: Connection, request: pb.DecideGrantRequest) -> GrantRow:
        row = self._mine(conn, request.id)
        if row.grant.contract.provider != current_caller().platform:
            raise not_owned()
        if request.decision not in (pb.GRANT_DECISION_GRANT, pb.GRANT_DECISION_REFUSE):
            raise errors.invalid_field("decision", "DECISION_MISSING", "Say grant or refuse.", "请选择同意或拒绝。")
        if request.decision == pb.GRANT_DECISION_REFUSE:
            return self._act(conn, row, Action.REFUSE, Party.PROVIDER, request.reason)
        if row.grant.state is grants.GrantState.ACTIVE:
            return row
        contract = row.grant.contract
        found = directory_store.find_resource(conn, contract.resource)
        if found is None:
            raise resource_unknown()
        _refuse_receiver(receiving.refusal(self._base, found, contract.consumer), found)
        row = self._limited(row, request.daily_quota)
        agreed = self._act(conn, row, Action.GRANT, Party.PROVIDER, request.reason)
        return self._act(conn, agreed, Action.ACTIVATE, Party.HUB, request.reason)

    @staticmethod
    def _limited(row: GrantRow, daily_quota: int) -> GrantRow:
        try:
            return GrantRow(grants.limited(row.grant, daily_quota), row.deadline_us)
        except RuleError as error:
            raise refusal(error) from None

    async def RevokeGrant(self, request: pb.RevokeGrantRequest, context: Any) -> pb.RevokeGrantResponse:
        return await self._base.mutate(
            request,
            pb.RevokeGrantResponse,
            lambda conn: pb.RevokeGrantResponse(grant=self._grant_view(self._revoke(conn, request))),
            target=f"grant/{request.id[:26]}",
        )

    def _revoke(self, conn: Connection, request: pb.RevokeGrantRequest) -> GrantRow:
        row = self._mine(conn, request.id)
        contract = row.grant.contract
        if contract.provider != current_caller().platform:
            return self._act(conn, row, Action.REVOKE, Party.CONSUMER, request.reason)
        revoked = self._act(conn, row, Action.REVOKE, Party.PROVIDER, request.reason)
        store.stop(conn, contract.consumer, contract.resource, self._base.clock.now_us())
        found = directory_store.find_resource(conn, contract.resource)
        if found is not None and found.share is ShareClass.UNCONDITIONAL:
            # The consumer may have made more of them beforehand, which the provider never decided on.
            for other in store.live_grants(conn, contract.consumer, contract.resource):
                if (other.grant.state, Action.REVOKE) in grants.MOVES:
                    self._act(conn, other, Action.REVOKE, Party.PROVIDER, request.reason)
        return revoked

    def _mine(self, conn: Connection, grant_id: str) -> GrantRow:
        row = store.find_grant(conn, grant_id)
        contract = row.grant.contract if row else None
        if row is None or contract is None or current_caller().platform not in (contract.provider, contract.consumer):
            raise errors.not_found(
                "GRANT_UNKNOWN",
                "There is no such grant of yours; check its id.",
                "授权不存在或与贵平台无关，请核对编号。",
            )
        return row

    def _act(self, conn: Connection, row: GrantRow, action: Action, party: Party, note: str) -> GrantRow:
        try:
            texts.refuse(texts.text_faults("reason", note, _MAX_PURPOSE))
            after = grants.act(row.grant, action, party, note=note)
        except RuleError as error:
            raise refusal(error) from None
        if after is row.grant:
            return row
        kept = GrantRow(after)
        store.update_grant(conn, row.grant, kept)
        return kept

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Any) -> pb.ListGrantsResponse:
        caller = current_caller()
        page = self._pages.asked(caller.key, "grants", request.page_token, request.page_size, default=100, most=500)
        platform = None if caller.kind is CallerKind.OPERATOR else caller.platform
        rows = await self._base.store.read(_grant_rows, platform, page)
        shown, last = cut(rows, page.size)
        response = pb.ListGrantsResponse(grants=[self._grant_view(row) for row in shown])
        if last is not None:
            response.next_page_token = self._pages.token(caller.key, "grants", (last.grant.id,))
        return response

    def _grant_view(self, row: GrantRow) -> pb.Grant:
        contract, state = row.grant.contract, row.grant.state
        over = grants.term_is_over(row.grant, self._base.clock.now_us())
        last_day = china_time.civil_date(contract.ends_us - 1)
        view = pb.Grant(
            id=row.grant.id,
            resource=contract.resource,
            consumer=contract.consumer,
            item_code=contract.item,
            purpose=contract.purpose,
            fields=sorted(contract.fields),
            daily_quota=contract.daily_quota,
            valid_until=date_pb2.Date(year=last_day.year, month=last_day.month, day=last_day.day),
            state="EXPIRED" if over else _STATE_NAMES.get(state, state.value),
            reason=row.grant.note,
        )
        if row.deadline_us is not None:
            view.deadline.FromMicroseconds(row.deadline_us)
        return view


def _grant_rows(conn: Connection, platform: str | None, page: Page) -> list[GrantRow]:
    return store.grants_of(conn, platform, page.after, page.size + 1)


def _refuse_receiver(reason: str, found: Resource) -> None:
    """Raises PERMISSION_DENIED when there is a reason."""
    if reason == "SECRECY":
        raise errors.denied(
            "SECRECY_TOO_HIGH",
            "The resource's label is above what the consumer may receive; ask the hub's operator.",
            "该资源的密级高于使用方可接收的级别，请联系枢纽管理员。",
            label=found.secrecy,
        )
    if reason:
        raise errors.denied(
            "ZONE_PAIR",
            "Data of this resource may not go into the consumer's zone; ask the hub's operator.",
            "该资源的数据不得进入使用方所在的安全域，请联系枢纽管理员。",
            cause=reason,
        )


def _grant_faults(request: pb.ApplyGrantRequest) -> Iterable[Violation]:
    yield from texts.text_faults("purpose", request.purpose, _MAX_PURPOSE)
    if len(request.item_code) > _MAX_CODE or not (request.item_code.isascii() and request.item_code.isalnum()):
        yield Violation("item_code", "CODE_FORM", "the code of a base item", "请填写基本事项编码")
    if len(set(request.fields)) != len(request.fields):
        yield Violation("fields", "ROW_REPEATED", "a field is given twice", "字段重复")
    if day_of(request.valid_until) is None:
        yield Violation("valid_until", "DATE_FORM", "a day of the calendar", "请填写有效日期")


def _ends_us(last_day: date | None, now_us: int) -> int:
    """The end of the day wanted, but of no later one than the longest term allows: the answer names the day given."""
    longest = china_time.civil_date(now_us) + timedelta(days=grants.MAX_TERM_DAYS - 1)
    return china_time.end_of_day_us(min(last_day or longest, longest))
