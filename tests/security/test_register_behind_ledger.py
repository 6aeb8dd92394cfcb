"""A database is restored beside a ledger that knows more: what is in the ledger holds, from the first answer on."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from services.esign.seals.store import seals as seal_rows
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit.store import sqlite_copy
from shuniu.kit.testing import eventually
from tests.security.test_stolen_seal_key import steps
from tests.support.seal_land import POLICE, SealLand, headers, rid, seal_land


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory):
    # Sockets have short names.
    found = Path(f"/tmp/sn{rid()[:8]}")
    found.mkdir()
    yield found
    shutil.rmtree(found)


async def lived(folder: Path, then: Callable[[SealLand, str, str], Awaitable[Any]]) -> tuple[str, bytes, str]:
    """A hub's first life: a document, a copy of the database, what happens `then`; and the copy in its place. Its
    number, its bytes, the seal.
    """
    async with seal_land(kept=folder) as land:
        seal = await land.active()
        number = (await land.issue("NMG202606010011", seal.id)).number
        pdf = (await land.downloaded(number)).pdf
        await eventually(lambda: land.ledger.size >= 5)
        sqlite_copy.copy(folder / "db" / "esign.db", folder / "copy.db")
        size = land.ledger.size
        await then(land, number, seal.id)
        await eventually(lambda: land.ledger.size > size)
    for old in (folder / "db").iterdir():
        old.unlink()
    shutil.move(folder / "copy.db", folder / "db" / "esign.db")
    return number, pdf, seal.id


async def test_a_revoked_document_stays_revoked(folder: Path) -> None:
    """By upload and by hash; the ledger gets no second entry of it."""

    async def revoked(land: SealLand, number: str, _seal: str) -> None:
        request = esign_pb2.RevokeCertificateRequest(request_id=rid(), number=number, reason="测试")
        await land.documents.RevokeCertificate(request, metadata=headers("platform", POLICE, "seal.use"))

    _, pdf, _ = await lived(folder, revoked)
    async with seal_land(kept=folder) as land:
        size = land.ledger.size
        verdict = await land.verdict(pdf)
        assert (verdict.verdict, steps(verdict)["document"]) == ("INVALID", ("invalid", "DOCUMENT_REVOKED"))
        assert land.ledger.size == size


async def test_a_stolen_seal_stays_revoked_since_its_theft(folder: Path) -> None:
    """It signs no more, and what it signed after the theft counts for nothing: the entry says since when."""
    stolen_us = 0

    async def revoked(land: SealLand, _number: str, seal: str) -> None:
        nonlocal stolen_us
        stolen_us = land.clock.now_us() - 50_000_000
        await land.revoked(seal, stolen_us)

    _, pdf, seal = await lived(folder, revoked)
    async with seal_land(kept=folder) as land:
        row = await land.base.store.read(seal_rows.seal_by_id, seal)
        assert row is not None
        assert row.seal.revocation is not None
        assert (row.seal.state.value, row.seal.revocation.invalid_us) == ("REVOKED", stolen_us)
        assert row.seal.revocation.reason.value == 1
        verdict = await land.verdict(pdf)
        assert (verdict.verdict, steps(verdict)["seal_then"]) == ("INVALID", ("invalid", "SEAL_REVOKED"))


async def test_a_number_is_given_once(folder: Path) -> None:
    """Documents that the register does not know are out there: none of their numbers is given again."""
    numbers: list[str] = []

    async def more(land: SealLand, _number: str, seal: str) -> None:
        numbers.extend([(await land.issue(f"NMG20260601002{n}", seal)).number for n in range(3)])

    number, _, seal = await lived(folder, more)
    async with seal_land(kept=folder) as land:
        assert (await land.issue("NMG202606010031", seal)).number not in {number, *numbers}


async def test_a_register_that_is_not_behind_is_left_as_it_is(folder: Path) -> None:
    """After an ordinary end nothing is applied: the next number is the next number."""
    async with seal_land(kept=folder) as land:
        seal = await land.active()
        first = (await land.issue("NMG202606010041", seal.id)).number
    async with seal_land(kept=folder) as land:
        assert int((await land.issue("NMG202606010042", seal.id)).number) == int(first) + 1
