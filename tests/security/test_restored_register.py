"""A register that was restored, beside a ledger that knows more: what was revoked stays revoked."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from services.esign.ledger.store import heads as head_store
from services.esign.seals.store import history as seal_store
from services.esign.upkeep.register_of_ledger import RegisterOfLedger
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.kit.store import sqlite_copy
from shuniu.kit.testing import eventually
from tests.security.test_stolen_seal_key import steps
from tests.support.seal_land import POLICE, SECURITY, SealLand, headers, rid, seal_land

HOUR_US = 3600 * 1_000_000
Change = Callable[[SealLand, str, str], Awaitable[None]]


async def revoke_document(land: SealLand, _seal: str, number: str) -> None:
    request = pb.RevokeCertificateRequest(request_id=rid(), number=number, reason="测试")
    await land.documents.RevokeCertificate(request, metadata=headers("platform", POLICE, "seal.use"))


async def steal_key(land: SealLand, seal: str, _number: str) -> None:
    """Its key was stolen an hour ago: before the document."""
    await land.revoked(seal, land.clock.now_us() - HOUR_US)


async def suspend(land: SealLand, seal: str, _number: str) -> None:
    await land.changed(seal, pb.SealState.SEAL_STATE_SUSPENDED)


async def restored(tmp_path: Path, change: Change) -> tuple[Path, bytes, str, str]:
    """A hub whose store is as it was before the change, and whose ledger holds it; the document that was issued."""
    life, next_life = tmp_path / "one", tmp_path / "two"
    life.mkdir()
    async with seal_land(kept=life) as land:
        seal = await land.applied()
        await land.owner.ApproveSeal(pb.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
        document = await land.issue("C1")
        pdf = (await land.downloaded(document.number)).pdf
        sqlite_copy.copy(life / "db" / "esign.db", tmp_path / "copy.db")
        size = land.ledger.size
        await change(land, seal.id, document.number)
        await eventually(lambda: land.ledger.size > size, message="the ledger holds the change")
    shutil.copytree(life, next_life)
    shutil.rmtree(next_life / "db")
    (next_life / "db").mkdir()
    shutil.copy2(tmp_path / "copy.db", next_life / "db" / "esign.db")
    return next_life, bytes(pdf), seal.id, document.number


async def test_a_document_stays_revoked_though_its_register_forgot(tmp_path: Path) -> None:
    """By upload, by hash and on the hub's own list; and the ledger is told nothing twice."""
    life, pdf, _, number = await restored(tmp_path, revoke_document)
    async with seal_land(kept=life) as land:
        found = steps(await land.verdict(pdf))
        assert found["document"][1] == "DOCUMENT_REVOKED"
        sha256 = (await land.downloaded(number)).certificate.sha256
        by_hash = await land.verification.VerifyByHash(pb.VerifyByHashRequest(hash=sha256))
        assert by_hash.verdict.verdict == "INVALID"
        before = await land.entries()
        again = RegisterOfLedger(land.base, land.ledger)
        await again.catch_up()
        assert (dict(again.facts()), await land.entries()) == ({}, before)


async def test_a_seal_whose_key_was_stolen_stays_revoked_from_then_on(tmp_path: Path) -> None:
    """It signs no more, and what it signed after the theft stays INVALID: the ledger says since when."""
    life, pdf, seal, _ = await restored(tmp_path, steal_key)
    async with seal_land(kept=life) as land:
        assert await land.state(seal) == "REVOKED"
        assert steps(await land.verdict(pdf))["seal_then"][1] == "SEAL_REVOKED"
        with pytest.raises(grpc.aio.AioRpcError, match="the seal is REVOKED"):
            await land.issue("C2")
        changes = await land.rows(lambda conn: seal_store.changes_of(conn, seal))
        assert next(one for one in changes if one.state == "REVOKED").ledger_index >= 0


async def test_a_seal_that_was_suspended_is_so_until_an_operator_resumes_it(tmp_path: Path) -> None:
    """What takes a right away is taken from the ledger; what gives one is an operator's to give again."""
    life, _, seal, _ = await restored(tmp_path, suspend)
    async with seal_land(kept=life) as land:
        assert await land.state(seal) == "SUSPENDED"
        await land.changed(seal, pb.SealState.SEAL_STATE_ACTIVE)
        assert await land.state(seal) == "ACTIVE"
    async with seal_land(kept=life) as land:
        assert await land.state(seal) == "ACTIVE"


async def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """A document that the register forgot is on paper somewhere, under its number."""
    numbers = []

    async def issue_another(land: SealLand, _seal: str, _number: str) -> None:
        numbers.append((await land.issue("C2")).number)

    life, _, _, first = await restored(tmp_path, issue_another)
    async with seal_land(kept=life) as land:
        assert (await land.issue("C3")).number not in {first, *numbers}


async def test_a_restart_that_changed_nothing_reads_nothing_and_says_nothing(tmp_path: Path) -> None:
    """Changes that the register made itself are not made again, also when the ledger had them before it knew."""
    async with seal_land(kept=tmp_path) as land:
        seal = await land.applied()
        await land.owner.ApproveSeal(pb.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
        await suspend(land, seal.id, "")
        await land.changed(seal.id, pb.SealState.SEAL_STATE_ACTIVE)
        await eventually(lambda: land.ledger.size >= 4, message="all changes are logged")
        await land.base.store.write(lambda conn: conn.execute(head_store.ledger_head.delete()) and None)
    async with seal_land(kept=tmp_path) as land:
        assert await land.state(seal.id) == "ACTIVE"
        again = RegisterOfLedger(land.base, land.ledger)
        await again.catch_up()
        assert not again.facts()
