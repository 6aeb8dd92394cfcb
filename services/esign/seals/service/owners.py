"""SealService: what the owner of a seal does, and the short ways of an operator."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from services.esign.certification.domain.holders import SealKind
from services.esign.domain.errors import EsignError
from services.esign.keys.secrets import Secrets
from services.esign.seals.domain.life import Action, RevocationReason, Seal, SealState, move
from services.esign.seals.life import SealLife
from services.esign.seals.maker import SealMaker
from services.esign.seals.service import views as seal_views
from services.esign.seals.service.views import actor, view, view_for
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.seals import SealRow
from services.esign.service.refusals import refusal, seal_unknown
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation, asked_of
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc import paging, requests
from shuniu.kit.rpc.caller import Caller, CallerKind, current_caller
from shuniu.rules import Violation

_WANTED = {
    pb.SEAL_STATE_ACTIVE: SealState.ACTIVE,
    pb.SEAL_STATE_SUSPENDED: SealState.SUSPENDED,
    pb.SEAL_STATE_REVOKED: SealState.REVOKED,
}


@dataclass(slots=True)
class SealService(esign_pb2_grpc.SealServiceServicer):
    """Seals of organisations, and every seal to read."""

    base: Foundation
    secrets: Secrets
    life: SealLife
    maker: SealMaker
    # Whether review and making take two operators even when a platform applied.
    two_operators: bool = False

    async def ApplySeal(self, request: pb.ApplySealRequest, context: Any) -> pb.ApplySealResponse:
        caller = current_caller()
        name = checked_name(request.name)
        picture = await asyncio.to_thread(
            seal_views.picture, request.picture_png, request.picture_width_mm, SealKind.ORGANISATION
        )
        wanted = Seal(
            new_ulid(self.base.clock), caller.platform, name, SealState.APPLIED, 0, 0, replaces=request.replaces
        )

        def unit(conn: Connection) -> pb.ApplySealResponse:
            try:
                applied = self.life.apply(conn, wanted, picture, actor(caller))
            except EsignError as error:
                raise refusal(error) from None
            return pb.ApplySealResponse(seal=view(SealRow(applied, b"", b"")))

        response = await self.base.mutate(request, pb.ApplySealResponse, unit, target=f"seal/{wanted.id}")
        await self.logged()
        return response

    async def ApproveSeal(self, request: pb.ApproveSealRequest, context: Any) -> pb.ApproveSealResponse:
        """Makes the key and certificate beforehand; only one attempt's is kept."""
        caller, asked = current_caller(), asked_of(request)
        by = actor(caller)
        kept = await self.base.store.read(requests.answered, [asked])
        if kept:
            return pb.ApproveSealResponse.FromString(kept[asked.key])
        found = await self.base.store.read(seal_rows.find_seal_by_id, request.id)
        if found is None:
            raise seal_unknown(request.id)
        if found.seal.state is SealState.APPLIED and self.two_operators:
            raise errors.denied(
                "REVIEW_NEEDED",
                "Another operator reviews the application first.",
                "须先由另一名管理员审核该申请。",
            )
        try:
            # Before anybody is asked for a name or a certificate.
            if found.seal.state is not SealState.APPLIED:
                move(found.seal.state, Action.MAKE)
            made = await self.maker.make(found.seal, await self.life.require_clock())
        except EsignError as error:
            raise refusal(error) from None

        def unit(conn: Connection) -> pb.ApproveSealResponse:
            try:
                now = seal_rows.find_seal_by_id(conn, request.id)
                if now is not None and now.seal.state is SealState.APPLIED and not self.two_operators:
                    self.life.review_alone(conn, request.id, by)
                self.life.make(conn, made, by)
                active = self.life.activate(conn, request.id, by)
            except EsignError as error:
                raise refusal(error) from None
            return pb.ApproveSealResponse(seal=view_for(caller, SealRow(active, made.row.certificate, b"")))

        response = await self.base.mutate(request, pb.ApproveSealResponse, unit, target=f"seal/{request.id}")
        await self.logged()
        return response

    async def ChangeSealState(self, request: pb.ChangeSealStateRequest, context: Any) -> pb.ChangeSealStateResponse:
        caller = current_caller()
        by = actor(caller)
        wanted = _WANTED.get(request.state)
        violations = seal_views.reason_violations(request.reason)
        if wanted is None:
            violations.append(
                Violation("state", "SEAL_STATE_WANTED", "Say ACTIVE, SUSPENDED or REVOKED.", "请指明启用、停用或撤销。")
            )
        if violations or wanted is None:
            raise errors.invalid(violations)

        def unit(conn: Connection) -> pb.ChangeSealStateResponse:
            found = seal_rows.find_seal_by_id(conn, request.id)
            if found is None or not found.certificate:
                raise seal_unknown(request.id)
            try:
                if wanted is SealState.REVOKED:
                    # The short way has no second revocation: reason and date stay as they are.
                    if found.seal.state is SealState.REVOKED:
                        self.life.suspend(conn, request.id, by, request.reason)
                    why = RevocationReason.UNSPECIFIED
                    moved = self.life.revoke(conn, request.id, why, 0, by, request.reason)
                elif wanted is SealState.SUSPENDED:
                    moved = self.life.suspend(conn, request.id, by, request.reason)
                else:
                    moved = self.life.resume(conn, request.id, by, request.reason)
            except EsignError as error:
                raise refusal(error) from None
            return pb.ChangeSealStateResponse(seal=view_for(caller, SealRow(moved, found.certificate, b"")))

        response = await self.base.mutate(request, pb.ChangeSealStateResponse, unit, target=f"seal/{request.id}")
        await self.logged()
        return response

    async def ListSeals(self, request: pb.ListSealsRequest, context: Any) -> pb.ListSealsResponse:
        caller = current_caller()
        owner = "" if caller.kind is CallerKind.OPERATOR else caller.platform
        size = paging.page_size(request.page_size, default=100)
        after = paging.decode_token(self.secrets.page, caller.key, b"seals", request.page_token)
        rows: Sequence[SealRow] = await self.base.store.read(seal_rows.list_seals, owner, after, size + 1)
        response = pb.ListSealsResponse(seals=[view_for(caller, row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1].seal.id
            response.next_page_token = paging.encode_token(self.secrets.page, caller.key, b"seals", (last,))
        return response

    async def GetSeal(self, request: pb.GetSealRequest, context: Any) -> pb.GetSealResponse:
        caller = current_caller()
        found = await self._readable(caller, request.id)
        changes = await self.base.store.read(seal_store.changes_of, request.id)
        return pb.GetSealResponse(seal=view_for(caller, found), changes=[seal_views.change(one) for one in changes])

    async def GetSealPicture(self, request: pb.GetSealPictureRequest, context: Any) -> pb.GetSealPictureResponse:
        caller = current_caller()
        found = await self._readable(caller, request.id)
        if found.seal.kind is SealKind.PERSON and caller.kind is not CallerKind.PERSON:
            raise seal_unknown(request.id)
        kept = await self.base.store.read(seal_store.find_picture, request.id)
        if kept is None:
            raise errors.not_found("PICTURE_ABSENT", "The seal has no picture yet.", "该印章尚无图像。")
        beside = await self.base.store.read(ses_store.find_sm2_seal, request.id)
        return pb.GetSealPictureResponse(
            png=kept.picture.data,
            width_mm=kept.picture.width_mm,
            height_mm=kept.picture.height_mm,
            uploaded=kept.source == seal_store.UPLOADED,
            eseal=b"" if beside is None else beside.eseal,
        )

    async def _readable(self, caller: Caller, seal_id: str) -> SealRow:
        """Raises NOT_FOUND SEAL_UNKNOWN, also for those who may not know of it."""
        found = await self.base.store.read(seal_rows.find_seal_by_id, seal_id)
        if found is None:
            raise seal_unknown(seal_id)
        seal = found.seal
        if caller.kind is CallerKind.PERSON:
            assert self.maker.people is not None
            own = seal.person and seal.person == await self.maker.people.person_id(caller.platform, caller.person)
        else:
            own = caller.kind is CallerKind.OPERATOR or (
                seal.kind is SealKind.ORGANISATION and seal.owner == caller.platform
            )
        if not own:
            raise seal_unknown(seal_id)
        return found

    async def logged(self) -> None:
        """The change is in force; the answer waits for its entry. Raises UNAVAILABLE: it is logged by itself later."""
        try:
            await self.life.log()
        except EsignError as error:
            raise refusal(error) from None


def checked_name(name: str) -> str:
    """The official name of an organisation. Raises INVALID_ARGUMENT NAME_LENGTH."""
    stripped = name.strip()
    if not 2 <= len(stripped) <= 60:
        raise errors.invalid_field(
            "name", "NAME_LENGTH", "Give the official name, 2 to 60 characters.", "请填写 2 至 60 字的机构全称。"
        )
    return stripped
