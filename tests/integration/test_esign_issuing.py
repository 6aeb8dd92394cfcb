"""Many documents at once: they share transactions and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, func, select

from services.esign.documents.store import certificates as document_rows
from services.esign.domain.verdict import Outcome
from services.esign.ledger.domain.ledger import check_receipt, parse_receipt
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.store import audit
from shuniu.kit.store.tables import audit as audit_table
from shuniu.kit.store.tables import outbox_event, request_log
from tests.support.issue_land import CASE, FACTS, Land, issue_land, request

DOCUMENTS = 24


@pytest_asyncio.fixture
async def land() -> AsyncIterator[Land]:
    async with issue_land() as found:
        yield found


def wanted(number: int, **others: Any) -> pb.IssueCertificateRequest:
    values = {"request_id": f"request-{number:04}", "case_code": f"{CASE}-{number}", "facts": FACTS}
    return pb.IssueCertificateRequest(**{**values, **others})


def counted(conn: Connection) -> tuple[int, int, int, int]:
    """Documents, events, audit records, answers."""
    tables = (document_rows.certificate, outbox_event, audit_table, request_log)
    documents, events, records, answers = (
        conn.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
    )
    return documents, events, records, answers


async def test_documents_that_are_made_together_are_each_made_once(land: Land) -> None:
    """Every request twice, all at the same time: one number, one event, one audit record and one place in the ledger
    for each; every document judges as VALID by its own receipt.
    """
    issuing = land.issuing()
    asked = [wanted(number % DOCUMENTS) for number in range(2 * DOCUMENTS)]
    answers = await asyncio.gather(*(issuing.IssueCertificate(one, None) for one in asked))
    assert answers[:DOCUMENTS] == answers[DOCUMENTS:]
    assert len({answer.certificate.number for answer in answers}) == DOCUMENTS
    assert {answer.certificate.ledger_index for answer in answers} == set(range(DOCUMENTS))
    assert await land.base.store.read(counted) == (DOCUMENTS,) * 4
    assert (await land.base.store.read(audit.verify)).sound
    for answer in answers[:DOCUMENTS:8]:
        row = await land.base.store.read(document_rows.find_certificate_by_number, answer.certificate.number)
        assert row is not None
        entry, _ = check_receipt(parse_receipt(row.receipt), [land.secrets.ledger.verifier])
        assert entry.document_sha256 == row.sha256 == answer.certificate.sha256
        assert land.judge(row.pdf, row.receipt).outcome is Outcome.VALID


async def test_one_that_is_refused_refuses_no_other(land: Land) -> None:
    """A seal that is not there, a fact that is too long, a character that no font has: their callers are told, the
    documents beside them are made, and the refused cases can be asked for again.
    """
    issuing = land.issuing()
    at_fault = {
        1: (wanted(1, seal_id="no-such-seal"), "SEAL_UNKNOWN"),
        2: (wanted(2, facts={**FACTS, "purpose": "长" * 81}), "FACT_UNPRINTABLE"),
        3: (wanted(3, facts={**FACTS, "purpose": "\U000e0000"}), "CHARACTER_NOT_COVERED"),
    }
    asked = [at_fault.get(number, (wanted(number), ""))[0] for number in range(8)]
    answers = await asyncio.gather(*(issuing.IssueCertificate(one, None) for one in asked), return_exceptions=True)
    for number, answer in enumerate(answers):
        if number in at_fault:
            assert isinstance(answer, HubError)
            assert answer.reason == at_fault[number][1]
        else:
            assert not isinstance(answer, BaseException)
    numbers = {answer.certificate.number for answer in answers if not isinstance(answer, BaseException)}
    again = await issuing.IssueCertificate(wanted(1, request_id="request-again"), None)
    assert again.certificate.number not in numbers


async def test_a_request_id_is_not_used_for_another_document(land: Land) -> None:
    """Refused before anything is sealed; the first document stays as it is."""
    issuing = land.issuing()
    first = await issuing.IssueCertificate(request(), None)
    with pytest.raises(HubError) as refused:
        await issuing.IssueCertificate(wanted(7, request_id="request-0001"), None)
    assert refused.value.reason == "REQUEST_ID_REUSED"
    assert (await land.base.store.read(counted))[0] == 1
    assert await issuing.IssueCertificate(request(), None) == first


async def test_a_slot_that_was_left_is_gone_on_with(land: Land) -> None:
    """The person's data could not be had after the number was given: the next request seals under the same number."""
    issuing = land.issuing()
    person = issuing.issuing.neighbours.person

    async def away(*_: Any) -> Any:
        raise errors.unavailable("AWAY", "Away.", "不可用")

    issuing.issuing.neighbours.person = away  # type: ignore[method-assign]
    with pytest.raises(HubError):
        await issuing.IssueCertificate(request(), None)
    left = await land.row()
    issuing.issuing.neighbours.person = person  # type: ignore[method-assign]
    answer = await issuing.IssueCertificate(request(), None)
    assert (left.stage, answer.certificate.number) == (document_rows.SLOT, left.number)
    assert await land.base.store.read(counted) == (1, 1, 1, 1)
