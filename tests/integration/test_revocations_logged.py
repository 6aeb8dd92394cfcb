"""Revocations of documents reach the ledger, each once, whatever was away; tasks outlive a store that is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from services.esign.config import EsignSettings
from services.esign.documents import withdrawals
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.withdrawals import Withdrawals
from services.esign.domain.errors import EsignError
from services.esign.flows.journal import Journal
from services.esign.flows.store import journal as flow_journal_store
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.licences import store as licence_store
from services.esign.seals import life as seal_life
from services.esign.seals.store import history as seal_store
from services.esign.wiring.licences import open_licences
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.process import retrying
from shuniu.kit.testing import eventually
from tests.support.seal_land import AGENCY, SealLand, digest_of, rid, seal_land


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land() as found:
        yield found


@contextlib.asynccontextmanager
async def at_work(task: Callable[[], Awaitable[None]]) -> AsyncIterator["asyncio.Future[None]"]:
    """A task of the service, as it runs after a start."""
    running = asyncio.ensure_future(task())
    try:
        yield running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


class Switch:
    """The ledger, away before it writes, or gone before it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before = self.after = False
        whole = Sequencer.append

        async def append(ledger: Sequencer, entry: Entry) -> Any:
            away = EsignError("LEDGER_AWAY", "away", "不可用")
            if self.before:
                raise away
            receipt = await whole(ledger, entry)
            if self.after:
                raise away
            return receipt

        monkeypatch.setattr(Sequencer, "append", append)


def at_next_start(land: SealLand) -> Withdrawals:
    return Withdrawals(land.base, land.ledger, land.secrets.marks)


async def all_logged(land: SealLand) -> bool:
    return await land.base.store.read(document_rows.revocations_unlogged, 1) == []


async def revocations(land: SealLand) -> list[Entry]:
    return [entry for entry in await land.entries() if entry.type is EntryType.DOCUMENT_REVOKED]


async def issued(land: SealLand) -> Any:
    return await land.downloaded((await land.issue("C1", (await land.active()).id)).number)


async def revoked(land: SealLand, number: str, request_id: str = "") -> Any:
    request = pb.RevokeCertificateRequest(request_id=request_id or rid(), number=number, reason="签发有误")
    return (await land.documents.RevokeCertificate(request, metadata=AGENCY)).certificate


async def test_a_revocation_is_logged_with_its_answer(land: SealLand) -> None:
    """One entry, of this document; the same request again adds none."""
    document, same = await issued(land), rid()
    first = await revoked(land, document.certificate.number, same)
    assert [entry.document_sha256 for entry in await revocations(land)] == [digest_of(document.pdf)]
    assert await revoked(land, document.certificate.number, same) == first
    await at_next_start(land).try_log()
    assert len(await revocations(land)) == 1


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_ledger_that_is_away_delays_no_revocation(
    land: SealLand, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Revoked at once, and the answer says so; the entry comes when the ledger is back, once, also when only its receipt
    was lost, and bears the time of the revocation.
    """
    document, switch = await issued(land), Switch(monkeypatch)
    monkeypatch.setattr(withdrawals, "_LOOK_SECONDS", 0.01)
    setattr(switch, lost, True)
    before_us = land.clock.now_us()
    answer = await revoked(land, document.certificate.number)
    after_us = land.clock.now_us()
    assert answer.state == "REVOKED"
    assert (await land.verdict(document.pdf)).verdict == "INVALID"
    assert not await all_logged(land)
    land.clock.moved_us = 60_000_000
    async with at_work(at_next_start(land).watch):
        setattr(switch, lost, False)
        await eventually(lambda: all_logged(land))
    (entry,) = await revocations(land)
    assert entry.document_sha256 == digest_of(document.pdf)
    assert before_us <= entry.time_us <= after_us


async def test_what_a_crash_left_unlogged_is_logged(land: SealLand) -> None:
    """The process died between commit and entry: the next one logs it, once; what was revoked before times were kept
    is not told again.
    """
    document = await issued(land)
    number = document.certificate.number
    await land.base.write(document_rows.revoke, number, "签发有误", 0)
    await at_next_start(land).try_log()
    assert await revocations(land) == []
    await land.base.write(document_rows.revoke, number, "签发有误", land.clock.now_us())
    async with at_work(at_next_start(land).watch):
        await eventually(lambda: all_logged(land))
    await at_next_start(land).try_log()
    assert [entry.document_sha256 for entry in await revocations(land)] == [digest_of(document.pdf)]


@pytest.mark.parametrize("which", ["revocations", "seals", "flows", "licences"])
async def test_tasks_outlive_a_store_that_is_away(land: SealLand, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """A task that finds the database away looks again, and needs no restart."""
    monkeypatch.setattr(withdrawals, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(seal_life, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.01)
    licences = open_licences(replace(land.opened, settings=EsignSettings()), land.slots).licences
    task, module, name = {
        "revocations": (at_next_start(land).watch, document_rows, "revocations_unlogged"),
        "seals": (land.seals.life.watch, seal_store, "unlogged"),
        "flows": (Journal(land.base, land.ledger).run, flow_journal_store, "unlogged"),
        "licences": (licences.issuing.finish_interrupted, licence_store, "unfinished"),
    }[which]
    whole, reads = getattr(module, name), []

    def away_twice(*arguments: Any) -> Any:
        reads.append(arguments)
        if len(reads) < 3:
            raise errors.unavailable("STORE_UNAVAILABLE", "away", "不可用")
        return whole(*arguments)

    monkeypatch.setattr(module, name, away_twice)

    async def looked_again() -> bool:
        return len(reads) >= 3

    async with at_work(task) as running:
        await eventually(looked_again, within=5)
        assert not running.done()
