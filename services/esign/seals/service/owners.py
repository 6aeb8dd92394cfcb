"""SealService: what the owner of a seal does, and the short ways of an operator."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.esign.certification.domain.holders import SealKind
from services.esign.domain.errors import EsignError
from services.esign.keys.secrets import Secrets
from services.esign.seals.domain.life import Action, Seal, SealState, move
from services.esign.seals.life import SealLife
from services.esign.seals.maker import Made, SealMaker
from services.esign.seals.service import views as seal_views
from services.esign.seals.service.views import actor, view_for
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

Response = TypeVar("Response", bound=Message)


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

        return await self.moved(
            request,
            pb.ApplySealResponse,
            lambda conn: self.life.apply(conn, wanted, picture, actor(caller)),
            target=wanted.id,
        )

    async def ApproveSeal(self, request: pb.ApproveSealRequest, context: Any) -> pb.ApproveSealResponse:
        """Makes the key and certificate beforehand; only one attempt's is stored."""
        by, alone = actor(current_caller()), not self.two_operators
        made = await self.make(request, self._require_reviewed)
        if isinstance(made, bytes):
            return pb.ApproveSealResponse.FromString(made)
        return await self.moved(
            request, pb.ApproveSealResponse, lambda conn: self.life.approve(conn, made, by, alone=alone)
        )

    async def ChangeSealState(self, request: pb.ChangeSealStateRequest, context: Any) -> pb.ChangeSealStateResponse:
        by, wanted = actor(current_caller()), seal_views.wanted_state(request)
        return await self.moved(
            request,
            pb.ChangeSealStateResponse,
            lambda conn: self.life.change(conn, request.id, wanted, by, request.reason),
        )

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

    def _require_reviewed(self, seal: Seal) -> None:
        if seal.state is not SealState.APPLIED:
            move(seal.state, Action.MAKE)
        elif self.two_operators:
            raise errors.denied(
                "REVIEW_NEEDED",
                "Another operator reviews the application first.",
                "须先由另一名管理员审核该申请。",
            )

    async def make(self, request: Any, check: Callable[[Seal], object]) -> Made | bytes:
        """Key and certificate for the seal that the request names; the serialised answer when the request was answered
        before. `check` refuses the seal before anybody is asked for a name or a certificate. Raises HubError.
        """
        asked = asked_of(request)
        kept = await self.base.store.read(requests.answered, [asked])
        if kept:
            return kept[asked.key]
        found = await self.base.store.read(seal_rows.find_seal_by_id, request.id)
        if found is None:
            raise seal_unknown(request.id)
        try:
            check(found.seal)
            return await self.maker.make(found.seal, await self.life.require_clock())
        except EsignError as error:
            raise refusal(error) from None

    async def moved(
        self, request: Any, response: type[Response], move: Callable[[Connection], Seal], target: str = ""
    ) -> Response:
        """The answer with the seal after `move`, which runs in the request's unit of work; answers when the change is
        logged. `target`: the seal's id where the request does not name it. Raises HubError.
        """
        caller = current_caller()

        def unit(conn: Connection) -> Response:
            try:
                moved = move(conn)
            except EsignError as error:
                raise refusal(error) from None
            kept = seal_rows.find_seal_by_id(conn, moved.id)
            return response(seal=view_for(caller, kept or SealRow(moved, b"", b"")))

        answer = await self.base.mutate(request, response, unit, target=f"seal/{target or request.id}")
        await self.logged()
        return answer

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
