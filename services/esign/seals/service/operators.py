"""SealAdminService: operators review, make, activate, replace and revoke seals, each step by the right hand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.esign.certification.domain.holders import SealKind
from services.esign.seals.domain.life import Action, Seal, SealState, move
from services.esign.seals.service import views as seal_views
from services.esign.seals.service.owners import SealService, checked_name
from services.esign.seals.service.views import actor
from services.esign.seals.store import seals as seal_rows
from services.esign.service.refusals import seal_unknown
from services.esign.service.stated_reasons import stated_reason
from shuniu.api.esign.v1 import esign_pb2, seal_pb2_grpc
from shuniu.api.esign.v1 import seal_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc import paging
from shuniu.kit.rpc.caller import current_caller

Response = TypeVar("Response", bound=Message)
# Who may review: system administration knows the platforms, security administration the keys; audit looks on.
_REVIEWERS = frozenset({"admin.system", "admin.security"})
SealedBy = Callable[[Connection, str, int, paging.Position, int], Sequence[esign_pb2.Certificate]]
"""Reads what a seal sealed: its id, from when on (µs), after which number, at most how many documents."""
_DECISIONS = {pb.REVIEW_DECISION_ACCEPT: Action.REVIEW, pb.REVIEW_DECISION_REJECT: Action.REJECT}


@dataclass(slots=True)
class SealAdminService(seal_pb2_grpc.SealAdminServiceServicer):
    """The operators' side of seals."""

    seals: SealService
    sealed_by: SealedBy

    async def ReviewSeal(self, request: pb.ReviewSealRequest, context: Any) -> pb.ReviewSealResponse:
        caller = current_caller()
        if not _REVIEWERS & caller.scopes:
            raise errors.denied(
                "SCOPE_MISSING",
                "Applications are reviewed by system or security administration.",
                "印章申请须由系统管理员或安全管理员审核。",
                scopes=" ".join(sorted(_REVIEWERS)),
            )
        action = _DECISIONS.get(request.decision)
        if action is None:
            raise errors.invalid_field("decision", "DECISION_WANTED", "Say ACCEPT or REJECT.", "请指明通过或驳回。")
        reason = stated_reason(request.reason) if action is Action.REJECT else request.reason.strip()[:500]

        def unit(conn: Connection) -> Seal:
            return self.seals.life.review(conn, request.id, action, actor(caller), reason)

        return await self.seals.moved(request, pb.ReviewSealResponse, unit)

    async def MakeSeal(self, request: pb.MakeSealRequest, context: Any) -> pb.MakeSealResponse:
        by = actor(current_caller())
        made = await self.seals.make(request, lambda seal: move(seal.state, Action.MAKE))
        if isinstance(made, bytes):
            return pb.MakeSealResponse.FromString(made)
        return await self.seals.moved(request, pb.MakeSealResponse, lambda conn: self.seals.life.make(conn, made, by))

    async def ActivateSeal(self, request: pb.ActivateSealRequest, context: Any) -> pb.ActivateSealResponse:
        by = actor(current_caller())
        return await self.seals.moved(
            request, pb.ActivateSealResponse, lambda conn: self.seals.life.activate(conn, request.id, by)
        )

    async def ReplaceSeal(self, request: pb.ReplaceSealRequest, context: Any) -> pb.ReplaceSealResponse:
        by, reason = actor(current_caller()), stated_reason(request.reason)
        found = await self.seals.base.store.read(seal_rows.find_seal_by_id, request.id)
        if found is None:
            raise seal_unknown(request.id)
        old = found.seal
        name = checked_name(request.name) if request.name and old.kind is SealKind.ORGANISATION else old.name
        picture = await asyncio.to_thread(seal_views.picture, request.picture_png, request.picture_width_mm, old.kind)
        wanted = Seal(
            new_ulid(self.seals.base.clock), old.owner, name, SealState.APPLIED, 0, 0, old.kind, old.person, old.id
        )
        return await self.seals.moved(
            request,
            pb.ReplaceSealResponse,
            lambda conn: self.seals.life.apply(conn, wanted, picture, by, reason),
        )

    async def RevokeSeal(self, request: pb.RevokeSealRequest, context: Any) -> pb.RevokeSealResponse:
        by, reason = actor(current_caller()), stated_reason(request.reason)
        why = seal_views.revocation_reason(request.reason_code)
        since = seal_views.since(request, "invalid_since")
        return await self.seals.moved(
            request,
            pb.RevokeSealResponse,
            lambda conn: self.seals.life.revoke(conn, request.id, why, since, by, reason),
        )

    async def ListSealedDocuments(
        self, request: pb.ListSealedDocumentsRequest, context: Any
    ) -> pb.ListSealedDocumentsResponse:
        base, page_key, caller = self.seals.base, self.seals.secrets.page, current_caller()
        if await base.store.read(seal_rows.find_seal_by_id, request.id) is None:
            raise seal_unknown(request.id)
        since = seal_views.since(request, "since")
        size = paging.page_size(request.page_size, default=100)
        query = f"sealed {request.id} {since}".encode()
        after = paging.decode_token(page_key, caller.key, query, request.page_token)
        rows = await base.store.read(self.sealed_by, request.id, since, after, size + 1)
        await base.write(lambda conn: base.audit(conn, "ListSealedDocuments", f"seal/{request.id}"))
        response = pb.ListSealedDocumentsResponse(certificates=rows[:size])
        if len(rows) > size:
            response.next_page_token = paging.encode_token(page_key, caller.key, query, (rows[size - 1].number,))
        return response
