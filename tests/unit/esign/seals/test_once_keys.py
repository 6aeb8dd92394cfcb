"""Keys that sign once, and slots: each on record and in the ledger, and no time twice wrong."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from sqlalchemy import Connection, select

from services.esign import store
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.trust import Trust
from services.esign.domain.errors import ClockDoubtError, EsignError
from services.esign.domain.verdict import Outcome, Status
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.seals.once_keys import OnceKeys, OnceSigner, OnceSpentError
from services.esign.seals.slots import Slots
from services.esign.seals.store import slots as slot_rows
from services.esign.signing.domain import pades
from services.esign.timestamps.clock_guard import ClockGuard
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import ManualClock
from tests.support.esign import NOW_US, page, setting
from tests.support.verdicts import judged

PERSON = OnceSigner(SealKind.PERSON, "巴特尔", "person/p1")


@dataclass
class Log:
    """A ledger that keeps what it was given, or is away."""

    entries: list[Entry] = field(default_factory=list)
    away: bool = False

    async def append(self, entry: Entry) -> Any:
        if self.away:
            raise EsignError("LEDGER_AWAY", "away", "日志不可用")
        self.entries.append(entry)
        return SimpleNamespace(index=len(self.entries) - 1, checkpoint="-")


@dataclass
class Land:
    clock: ManualClock
    store: Store
    epoch: int = 1
    log: Log = field(default_factory=Log)

    async def write(self, work: Any, *args: Any) -> Any:
        return await self.store.write(work, *args)

    def once(self, guard: ClockGuard | None = None) -> OnceKeys:
        return OnceKeys(self, setting().ca, self.log, Slots(self.clock, guard))  # type: ignore[arg-type]

    async def rows(self) -> list[Any]:
        def unit(conn: Connection) -> list[Any]:
            return list(conn.execute(select(slot_rows.once_certificate)))

        return await self.store.read(unit)


@pytest_asyncio.fixture
async def land() -> AsyncIterator[Land]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        url, clock = f"sqlite:///{Path(folder)}/esign.db", ManualClock(NOW_US)
        await migrate(url, "services.esign", clock)
        kept = await Store.open(url, store.METADATA, clock=clock)
        try:
            yield Land(clock, kept)
        finally:
            await kept.close()


async def test_a_key_signs_one_document_and_is_gone(land: Land) -> None:
    """Ten minutes of life in all, one signature that judges as sound, then nothing more to sign with."""
    async with land.once().key(PERSON) as key:
        seal = pades.SigningSeal.prepare(key.key, key.certificate, key.chain, key.name)
        pdf = pades.sign(page(), seal, key.at_us)
        with pytest.raises(OnceSpentError):
            pades.sign(page(), seal, key.at_us)
    certificate = x509.load_der_x509_certificate(key.certificate)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(minutes=10)
    names = {attribute.oid: attribute.value for attribute in certificate.subject}
    assert names[x509.NameOID.COMMON_NAME] == "巴特尔"
    assert x509.NameOID.ORGANIZATION_NAME not in names
    verdict = judged(pdf, trust=Trust((setting().root.certificate,)), now_us=NOW_US)
    assert verdict.outcome is Outcome.VALID
    # Nothing proves the time once the certificate has ended, so the document needs its receipt or a timestamp.
    later = judged(pdf, trust=Trust((setting().root.certificate,)), now_us=NOW_US + 3600 * 10**6)
    assert {s.step: s.status for s in later.steps}["time"] is Status.UNKNOWN


async def test_its_certificate_is_on_record_before_it_signs(land: Land) -> None:
    """Row and ledger entry are there inside the block; neither holds key or name, only the certificate's digest."""
    async with land.once().key(PERSON) as key:
        (row,) = await land.rows()
        (entry,) = land.log.entries
        assert (entry.type, entry.seal, row.id, row.ledger_index) == (EntryType.CERTIFICATE_ONCE, key.id, key.id, 0)
        assert entry.names(key.certificate)
        assert row.certificate_sha256 == sha256(key.certificate).hexdigest()
        assert set(row._mapping) == {"serial", "id", "holder", "certificate_sha256", "made_us", "ledger_index"}


async def test_a_key_left_unused_is_gone_too(land: Land) -> None:
    """Whatever ends the block: an error inside it, or a ledger that is away before it."""
    with pytest.raises(ZeroDivisionError):
        async with land.once().key(PERSON) as key:
            raise ZeroDivisionError
    with pytest.raises(OnceSpentError):
        key.key.sign(b"later")
    land.log.away = True
    with pytest.raises(EsignError, match="LEDGER_AWAY"):
        async with land.once().key(PERSON):
            pytest.fail("no key without its entry")


async def test_no_slot_is_earlier_than_one_before(land: Land) -> None:
    """A clock a little behind gets the last time again; one set back gets nothing, also in a new process."""
    slots = Slots(land.clock)
    first = await land.write(slots.moment)
    land.clock.advance(-0.9)
    second = await land.write(slots.moment)
    assert (first.at_us, second.at_us, second.number) == (NOW_US, NOW_US, 2)
    land.clock.advance(-60)
    for again in (slots, Slots(land.clock)):
        with pytest.raises(ClockDoubtError, match="CLOCK_BEHIND"):
            await land.write(again.moment)
    with pytest.raises(ClockDoubtError):
        async with land.once().key(PERSON):
            pytest.fail("no key at a wrong time")
    land.clock.advance(120)
    assert (await land.write(slots.moment)).number == 3


async def test_a_stepped_clock_gets_no_slot(land: Land) -> None:
    """Forward or back by more than a second while the process runs: nothing is handed out until it is right again."""
    passed = [0]
    slots = Slots(land.clock, ClockGuard(land.clock, passed_us=lambda: passed[0]))
    assert (await land.write(slots.moment)).number == 1
    for seconds in (3600, -7200):
        land.clock.advance(seconds)
        with pytest.raises(ClockDoubtError, match="CLOCK_STEPPED"):
            await land.write(slots.moment)
    land.clock.advance(3600)
    assert (await land.write(slots.moment)).at_us == NOW_US
