"""The steps of a bureau with a case of 无犯罪记录证明, step by step."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from examples.hub_client.inbox import Event, Inbox
from examples.hub_client.session import Session, request_id
from examples.ministry_register.register import RECORDS
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc, query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc

OFFICER = "GA-1024"
AT_ONCE = 8


@dataclass(slots=True)
class Received:
    """The count of a receiver by itself: distinct events, and events that lie in the inbox more than once."""

    places: dict[str, str] = field(default_factory=dict)
    doubled: int = 0

    def note(self, event: Event) -> bool:
        """True when the event is new; a redelivery of the same place is neither new nor doubled."""
        known = self.places.get(event.id)
        if known is None:
            self.places[event.id] = event.place
            return True
        if known != event.place:
            self.doubled += 1
        return False


class Bureau:
    """One bureau. `asks_correction` tells for which case a material is missing."""

    def __init__(
        self,
        session: Session,
        inbox: Inbox,
        asks_correction: Callable[[str], bool],
        observe: Callable[[str, float], None],
    ) -> None:
        self.session = session
        self.inbox = inbox
        self.received = Received()
        self.refused: list[str] = []
        self._asks_correction = asks_correction
        self._observe = observe
        self.grant = ""
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._handling = case_pb2_grpc.CaseHandlingServiceStub(session.channel)
        self._cases = case_pb2_grpc.CaseServiceStub(session.channel)
        self._queries = query_pb2_grpc.QueryServiceStub(session.channel)
        self._reveals = person_pb2_grpc.RevealServiceStub(session.channel)
        self._certificates = esign_pb2_grpc.CertificateServiceStub(session.channel)

    async def apply_for_grant(self, item_code: str) -> None:
        """Applies for the record query; the ministry decides."""
        stub = query_pb2_grpc.ResourceServiceStub(self.session.channel)
        request = query_pb2.ApplyGrantRequest(
            request_id=request_id(),
            resource=RECORDS,
            item_code=item_code,
            purpose="开具无犯罪记录证明",
            fields=["has_record"],
            daily_quota=100_000,
        )
        request.valid_until.year, request.valid_until.month, request.valid_until.day = 2035, 12, 31
        answer = await self.session.call(stub.ApplyGrant, request)
        self.grant = answer.grant.id

    async def apply_for_seal(self, name: str) -> str:
        """Applies for the bureau's seal; an operator of the hub approves. Returns its id."""
        stub = esign_pb2_grpc.SealServiceStub(self.session.channel)
        answer = await self.session.call(stub.ApplySeal, esign_pb2.ApplySealRequest(request_id=request_id(), name=name))
        return str(answer.seal.id)

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.inbox.run(self._on_event))
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _on_event(self, event: Event) -> None:
        # The event is kept (here: queued once) before its receipt leaves.
        if not self.received.note(event):
            return
        if event.type in ("shuniu.exchange.case.submitted.v1", "shuniu.exchange.case.supplemented.v1"):
            change = events_pb2.CaseChanged.FromString(event.data)
            self._queue.put_nowait(change.case_code)

    async def _work(self) -> None:
        while True:
            case_code = await self._queue.get()
            started = time.monotonic()
            try:
                await self._handle(case_code)
            except grpc.aio.AioRpcError as error:
                self.refused.append(f"{case_code}: {error.code().name} {error.details()}")
            self._observe("bureau", time.monotonic() - started)

    async def _move(self, case_code: str, move: case_pb2.CaseMove.ValueType, **more: str | list[str]) -> case_pb2.Case:
        # The same id for the same move of the same case: a retry, even after a restart, changes nothing twice.
        request = case_pb2.MoveCaseRequest(
            request_id=f"{case_pb2.CaseMove.Name(move).removeprefix('CASE_MOVE_')}-{case_code}",
            case_code=case_code,
            move=move,
            officer=OFFICER,
            **more,  # type: ignore[arg-type]  # fields by name
        )
        answer = await self.session.call(self._handling.MoveCase, request)
        moved: case_pb2.Case = answer.case
        return moved

    async def _handle(self, case_code: str) -> None:
        found = await self.session.call(self._cases.GetCase, case_pb2.GetCaseRequest(case_code=case_code))
        case: case_pb2.Case = found.case
        corrected = any(step.state == case_pb2.CASE_STATE_CORRECTION for step in case.steps)
        if self._asks_correction(case.form.get("serial", "")) and not corrected:
            await self._move(
                case_code,
                case_pb2.CASE_MOVE_ASK_CORRECTION,
                note="请补充用途说明材料。",
                missing_materials=["用途说明"],
            )
            return
        await self._move(case_code, case_pb2.CASE_MOVE_ACCEPT)
        await self._move(case_code, case_pb2.CASE_MOVE_PROCESS)
        await self.session.call(
            self._reveals.RevealApplicant,
            person_pb2.RevealApplicantRequest(
                request_id=f"reveal-{case_code}",
                case_code=case_code,
                fields=["full_name", "document_type", "document_number"],
                purpose="审核无犯罪记录证明申请",
            ),
        )
        answer = await self.session.call(
            self._queries.Query,
            query_pb2.QueryRequest(request_id=f"query-{case_code}", grant_id=self.grant, case_code=case_code),
        )
        if answer.answer["has_record"]:
            await self._move(case_code, case_pb2.CASE_MOVE_REFUSE, note="经查询有犯罪记录。")
            return
        await self._move(case_code, case_pb2.CASE_MOVE_GRANT)
        issued = await self.session.call(
            self._certificates.IssueCertificate,
            esign_pb2.IssueCertificateRequest(
                request_id=f"issue-{case_code}", case_code=case_code, facts={"purpose": case.form.get("purpose", "")}
            ),
        )
        await self._move(case_code, case_pb2.CASE_MOVE_DELIVER, certificate_number=issued.certificate.number)
