"""PersonalSealService: a person's own seals. Nothing here knows a name; the vault gives it when the seal is made."""

import asyncio
from dataclasses import dataclass
from typing import Any

from services.esign.certification.domain.holders import SealKind
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.service import views as seal_views
from services.esign.seals.service.owners import SealService
from services.esign.seals.service.views import actor, view
from services.esign.seals.store import seals as seal_rows
from services.esign.service.neighbours import Neighbours
from shuniu.api.esign.v1 import seal_pb2 as pb
from shuniu.api.esign.v1 import seal_pb2_grpc
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.rpc.caller import current_caller


@dataclass(slots=True)
class PersonalSealService(seal_pb2_grpc.PersonalSealServiceServicer):
    """Seals of persons, by themselves."""

    seals: SealService
    people: Neighbours

    async def ApplyPersonalSeal(
        self, request: pb.ApplyPersonalSealRequest, context: Any
    ) -> pb.ApplyPersonalSealResponse:
        caller, base = current_caller(), self.seals.base
        person = await self.people.person_id(caller.platform, caller.person)
        picture = await asyncio.to_thread(
            seal_views.picture, request.picture_png, request.picture_width_mm, SealKind.PERSON
        )
        wanted = Seal(
            new_ulid(base.clock),
            caller.platform,
            "",
            SealState.APPLIED,
            0,
            0,
            SealKind.PERSON,
            person,
            request.replaces,
        )

        return await self.seals.moved(
            request,
            pb.ApplyPersonalSealResponse,
            lambda conn: self.seals.life.apply(conn, wanted, picture, actor(caller)),
            target=wanted.id,
        )

    async def ListPersonalSeals(
        self, request: pb.ListPersonalSealsRequest, context: Any
    ) -> pb.ListPersonalSealsResponse:
        caller = current_caller()
        person = await self.people.person_id(caller.platform, caller.person)
        rows = await self.seals.base.store.read(seal_rows.seals_of_holder, f"person/{person}")
        return pb.ListPersonalSealsResponse(seals=[view(row) for row in rows])
