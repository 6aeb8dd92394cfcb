"""Drill: a case is completed twice. Whoever asks, how often, and wherever the process dies: one document, sealed once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from services.esign.documents import issuing as stages
from services.esign.documents.issuing import Issuing
from services.esign.documents.service.certificates import CertificateService
from services.esign.documents.store import certificates as document_rows
from services.esign.ledger.domain.ledger import EntryType
from services.esign.seals.slots import Slots
from services.esign.wiring.ledger import open_ledger
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit.events.outbox import outbox_event
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall, set_current
from tests.support.of_case import of_case
from tests.support.seal_land import FACTS, POLICE, Neighbours, SealLand, rid, seal_land

CASE = "C1"


class DiedError(Exception):
    """The process ends here."""


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land() as found:
        await found.active()
        set_current(
            CurrentCall("/esign/IssueCertificate", "r", "", audit=True, caller=Caller(CallerKind.PLATFORM, POLICE))
        )
        yield found


def process(land: SealLand) -> CertificateService:
    """Esign as after a start: nothing in its memory."""
    people: Any = Neighbours()
    issuing = Issuing(
        land.base, land.secrets, land.ledger, people, land.issuing.executor, None, None, Slots(land.clock)
    )
    return CertificateService(land.base, land.ledger, people, issuing)


def request(request_id: str = "") -> pb.IssueCertificateRequest:
    return pb.IssueCertificateRequest(request_id=request_id or rid(), case_code=CASE, facts=FACTS)


async def facts(land: SealLand) -> tuple[int, int, int]:
    """Documents of the case, their entries in the ledger, events that told of them."""
    rows = await land.rows(
        lambda conn: conn.execute(select(func.count()).select_from(document_rows.certificate)).scalar()
    )
    logged = Counter(entry.type for entry in await land.entries())[EntryType.DOCUMENT_SEALED]
    told = await land.rows(
        lambda conn: conn.execute(
            select(func.count()).select_from(outbox_event).where(outbox_event.c.topic == "esign.certificate.issued")
        ).scalar()
    )
    return rows, logged, told


async def test_racing_requests_end_with_one_document(land: SealLand) -> None:
    """Many requests at once, with their own ids and with the same, in two processes that know nothing of each other."""
    one, other = process(land), process(land)
    same = request()
    asked = [process_.IssueCertificate(request(), None) for process_ in (one, other) for _ in range(4)]
    asked += [process_.IssueCertificate(same, None) for process_ in (one, other) for _ in range(2)]
    answers = await asyncio.gather(*asked)
    assert len({answer.certificate.sha256 for answer in answers}) == 1
    assert await facts(land) == (1, 1, 1)
    row = await land.base.store.read(of_case, CASE)
    assert row is not None
    assert (row.stage, row.ledger_index) == (document_rows.ISSUED, answers[0].certificate.ledger_index)
    assert row.sha256 == answers[0].certificate.sha256


def _dies(*_: Any, **__: Any) -> Any:
    raise DiedError


def _dies_after(work: Callable[..., Any]) -> Callable[..., Any]:
    async def done_and_dead(*given: Any, **named: Any) -> Any:
        await work(*given, **named)
        raise DiedError

    return done_and_dead


STEPS: dict[str, Callable[[pytest.MonkeyPatch, SealLand], None]] = {
    "slot taken, nothing laid out": lambda patch, _: patch.setattr(Issuing, "_lay_out", _dies),
    "sealed, not kept": lambda patch, _: patch.setattr(stages, "_keep", _dies),
    "kept, not logged": lambda patch, _: patch.setattr(Issuing, "_release", _dies),
    "logged, receipt unheard": lambda patch, land: patch.setattr(
        land.ledger, "append", _dies_after(land.ledger.append)
    ),
    "logged, not released": lambda patch, _: patch.setattr(Issuing, "_finish_all", _dies),
    "released, answer unheard": lambda patch, _: patch.setattr(
        CertificateService, "IssueCertificate", _dies_after(CertificateService.IssueCertificate)
    ),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_process_that_dies_between_two_steps_seals_once(land: SealLand, step: str) -> None:
    """The next one goes on from what is durable, asked again or by itself: same number, one entry, one event."""
    with pytest.MonkeyPatch.context() as patch:
        STEPS[step](patch, land)
        with pytest.raises(DiedError):
            await process(land).IssueCertificate(request(), None)
    row = await land.base.store.read(of_case, CASE)
    assert row is not None
    # The ledger is opened again as well: it must know its last entries from the disk.
    await land.ledger.close()
    land.ledger = (await open_ledger(land.base, land.base.settings, land.secrets)).log  # type: ignore[arg-type]
    again = process(land)
    task = asyncio.create_task(again.issuing.finish_interrupted())
    try:
        answers = await asyncio.gather(*(again.IssueCertificate(request(), None) for _ in range(3)))
    finally:
        task.cancel()
    kept = await land.base.store.read(of_case, CASE)
    assert kept is not None
    assert {answer.certificate.number for answer in answers} == {row.number}
    assert {answer.certificate.sha256 for answer in answers} == {kept.sha256}
    if row.pdf:
        assert kept.pdf == row.pdf
    assert await facts(land) == (1, 1, 1)
