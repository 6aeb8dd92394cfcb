"""Processor time of one call, by RPC, with its share of events and of calls between services.

A script of its own, so that it also runs on another version of the project: `PYTHONPATH=TREE python rpc_cost.py
CALLS`. Everybody takes one step of the journey, then everybody the next; between two steps the hub comes to rest. It
prints one JSON object: ms of processor time a call by RPC, all processes of the hub together, client left out.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from examples.city_bureau.bureau import OFFICER, Bureau
from examples.demo.hub import RunningHub
from examples.demo.journeys import Stage, citizens_of, set_stage
from examples.demo.progress import Times
from examples.hub_client.inbox import Event
from examples.hub_client.session import request_id
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people
from examples.provincial_app.citizen import Citizen
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.api.exchange.v1 import case_pb2, case_pb2_grpc, query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc
from tests.bench.parts.journey_cost import spent

AT_ONCE = 8
# A hub is at rest when in so long, s, it takes no more than so much processor time, ms, beyond what it takes idle.
_WINDOW, _AT_REST = 0.5, 30.0
# How long an idle hub is watched, and the longest wait for rest, s.
_WATCHED, _REST_WITHIN = 4.0, 60.0


class Person:
    """One citizen on the way, with the stubs of who acts."""

    def __init__(self, stage: Stage, citizen: Citizen, token: str) -> None:
        self.citizen, self.token = citizen, token
        self.app = stage.app.session
        self.bureau = _bureau_of(stage, citizen.division)
        self.item = ""
        self.case = ""
        self.number = ""
        self.pdf = b""
        self.qr = ""

    async def search(self) -> None:
        request = item_pb2.SearchItemsRequest(query="无犯罪记录证明", division=self.citizen.division, page_size=10)
        answer = await self.app.call(item_pb2_grpc.ItemServiceStub(self.app.channel).SearchItems, request)
        self.item = next(
            hit.item.code
            for hit in answer.hits
            if hit.item.division == self.citizen.division and hit.item.level == item_pb2.ITEM_LEVEL_IMPLEMENTING
        )

    async def apply(self) -> None:
        request = case_pb2.ApplyCaseRequest(
            request_id=request_id(),
            item_code=self.item,
            form={"purpose": "就业", "serial": str(self.citizen.serial)},
            materials=[case_pb2.GivenMaterial(name="申请书", sha256="0" * 64, media_type="application/pdf")],
            channel=case_pb2.CHANNEL_APP,
        )
        stub = case_pb2_grpc.CaseServiceStub(self.app.channel)
        self.case = (await self.app.call(stub.ApplyCase, request, person=self.token)).case.case_code

    async def get(self) -> None:
        stub = case_pb2_grpc.CaseServiceStub(self.app.channel)
        await self.app.call(stub.GetCase, case_pb2.GetCaseRequest(case_code=self.case), person=self.token)

    async def move(self, move: case_pb2.CaseMove.ValueType) -> None:
        request = case_pb2.MoveCaseRequest(
            request_id=request_id(),
            case_code=self.case,
            move=move,
            officer=OFFICER,
            certificate_number=self.number if move == case_pb2.CASE_MOVE_DELIVER else "",
        )
        session = self.bureau.session
        await session.call(case_pb2_grpc.CaseHandlingServiceStub(session.channel).MoveCase, request)

    async def reveal(self) -> None:
        request = person_pb2.RevealApplicantRequest(
            request_id=request_id(),
            case_code=self.case,
            fields=["full_name", "document_type", "document_number"],
            purpose="审核无犯罪记录证明申请",
        )
        session = self.bureau.session
        await session.call(person_pb2_grpc.RevealServiceStub(session.channel).RevealApplicant, request)

    async def query(self) -> None:
        request = query_pb2.QueryRequest(request_id=request_id(), grant_id=self.bureau.grant, case_code=self.case)
        session = self.bureau.session
        await session.call(query_pb2_grpc.QueryServiceStub(session.channel).Query, request)

    async def issue(self) -> None:
        request = esign_pb2.IssueCertificateRequest(
            request_id=request_id(), case_code=self.case, facts={"purpose": "就业"}
        )
        session = self.bureau.session
        stub = esign_pb2_grpc.CertificateServiceStub(session.channel)
        self.number = (await session.call(stub.IssueCertificate, request)).certificate.number

    async def download(self) -> None:
        stub = esign_pb2_grpc.CertificateServiceStub(self.app.channel)
        request = esign_pb2.DownloadCertificateRequest(number=self.number)
        answer = await self.app.call(stub.DownloadCertificate, request, person=self.token)
        self.pdf, self.qr = answer.pdf, answer.certificate.qr

    async def verify_document(self) -> None:
        stub = esign_pb2_grpc.VerificationServiceStub(self.app.channel)
        answer = await self.app.call(stub.VerifyDocument, esign_pb2.VerifyDocumentRequest(pdf=self.pdf))
        assert answer.verdict.verdict == "VALID", answer.verdict.verdict

    async def verify_qr(self) -> None:
        stub = esign_pb2_grpc.VerificationServiceStub(self.app.channel)
        await self.app.call(stub.VerifyQr, esign_pb2.VerifyQrRequest(content=self.qr))

    async def evaluate(self) -> None:
        request = case_pb2.EvaluateCaseRequest(
            request_id=request_id(), case_code=self.case, level=1, channel=case_pb2.CHANNEL_APP
        )
        stub = case_pb2_grpc.CaseServiceStub(self.app.channel)
        await self.app.call(stub.EvaluateCase, request, person=self.token)


# Everybody's steps in their order; a step without a name is not measured.
STEPS: tuple[tuple[str, Callable[[Person], Awaitable[None]]], ...] = (
    ("SearchItems", Person.search),
    ("ApplyCase", Person.apply),
    ("GetCase", Person.get),
    ("MoveCase", lambda person: person.move(case_pb2.CASE_MOVE_ACCEPT)),
    ("", lambda person: person.move(case_pb2.CASE_MOVE_PROCESS)),
    ("RevealApplicant", Person.reveal),
    ("Query", Person.query),
    ("", lambda person: person.move(case_pb2.CASE_MOVE_GRANT)),
    ("IssueCertificate", Person.issue),
    ("", lambda person: person.move(case_pb2.CASE_MOVE_DELIVER)),
    ("DownloadCertificate", Person.download),
    ("VerifyDocument", Person.verify_document),
    ("VerifyQr", Person.verify_qr),
    ("EvaluateCase", Person.evaluate),
)


def _bureau_of(stage: Stage, division: str) -> Bureau:
    return next(one for one in stage.bureaus if one.session.credentials.code.startswith(division))


async def _note(bureau: Bureau, event: Event) -> None:
    bureau.received.note(event)


async def _everybody(persons: Iterable[Any], step: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(person: Any) -> Any:
        async with gate:
            return await step(person)

    return await asyncio.gather(*(one(person) for person in persons))


class Meter:
    """Processor time of a hub beyond what it takes when nobody asks anything."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._idle = 0.0

    async def watch(self) -> None:
        """Learns what the idle hub takes."""
        before = self._spent()
        await asyncio.sleep(_WATCHED)
        self._idle = (self._spent() - before) / _WATCHED

    def _spent(self) -> float:
        return float(spent(self._root).total())

    async def at_rest(self) -> float:
        """Processor time so far, ms, once the hub rests; what it takes idle is left out. Raises TimeoutError."""
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(_REST_WITHIN):
            last = self._spent()
            while True:
                await asyncio.sleep(_WINDOW)
                found = self._spent()
                if found - last - self._idle * _WINDOW <= _AT_REST:
                    return found - self._idle * now()
                last = found


async def measure(calls: int) -> dict[str, float]:
    """Takes `calls` people through all steps."""
    everybody = people(calls)
    region = load()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="sn", ignore_cleanup_errors=True) as work:
        running = await RunningHub.start(Path(work) / "hub")
        meter = Meter(running.process.pid)
        try:
            elsewhere = [agency.platform for agency in region.agencies]
            stage = await set_stage(running, region, everybody, Path(work), Times(), elsewhere)
            try:
                for bureau in stage.bureaus:
                    stage.tasks.append(asyncio.create_task(bureau.inbox.run(partial(_note, bureau))))
                citizens = citizens_of(everybody)
                tokens = await _everybody(citizens, stage.app._sign_in)
                persons = [Person(stage, *one) for one in zip(citizens, tokens, strict=True)]
                await meter.watch()
                for name, step in STEPS:
                    before = await meter.at_rest()
                    await _everybody(persons, step)
                    if name:
                        found[name] = (await meter.at_rest() - before) / calls
            finally:
                await stage.strike()
        finally:
            await running.stop()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
