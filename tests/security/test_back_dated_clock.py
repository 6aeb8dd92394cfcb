"""Drill: the hub's clock is set back. Nothing is sealed, stamped or certified at a time that has passed; what must not
wait, a revocation, does not.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.esign.certification.domain.holders import SealKind
from services.esign.documents.store import certificates as document_rows
from services.esign.domain.errors import ClockDoubtError
from services.esign.seals.once_keys import OnceSigner
from services.esign.seals.slots import Slots
from services.esign.seals.store import history as seal_store
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.sources import Authority, OwnTimestamps, TimestampAwayError
from shuniu.kit.process.metrics import REGISTRY
from shuniu.kit.testing import eventually
from tests.support.hub import details_of
from tests.support.of_case import of_case
from tests.support.seal_land import SealLand, seal_land

HOUR_US = 3600 * 1_000_000


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land() as found:
        yield found


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), details_of(caught.value)[0]


async def everything_is_refused(land: SealLand, seal_id: str, pending_id: str, reason: str) -> None:
    """Documents, new certificates and keys for one signature."""
    expected = (grpc.StatusCode.UNAVAILABLE, reason)
    assert await refused(land.issue("late", seal_id)) == expected
    assert await refused(land.made(pending_id)) == expected
    with pytest.raises(ClockDoubtError, match=reason):
        async with land.once.key(OnceSigner(SealKind.PERSON, "巴特尔", "person/p")):
            pytest.fail("no key at a wrong time")
    assert await land.base.store.read(of_case, "late") is None


async def test_a_running_hub_notices_that_its_clock_was_set_back(land: SealLand) -> None:
    """Seals and timestamp authority refuse until it is right again; then they go on after what they did before."""
    seal = await land.active()
    pending = await land.applied(replaces=seal.id)
    await land.reviewed(pending.id)
    before = await land.issue("C1")
    assert land.secrets.tsa is not None
    stamps = OwnTimestamps(Authority(land.secrets.tsa, land.slots.guard))
    assert await stamps.stamp(b"signature")
    land.clock.moved_us = -HOUR_US
    await everything_is_refused(land, seal.id, pending.id, "CLOCK_STEPPED")
    with pytest.raises(TimestampAwayError):
        await stamps.stamp(b"signature")
    land.clock.moved_us = 0
    assert await stamps.stamp(b"signature")
    after = await land.issue("C2")
    rows = await land.rows(lambda conn: document_rows.sealed_since(conn, seal.id, 0, (), 10))
    assert [row.number for row in sorted(rows, key=lambda row: row.signed_us)] == [before.number, after.number]


async def test_a_hub_that_starts_with_a_clock_set_back_seals_nothing(land: SealLand) -> None:
    """A new process trusts its clock, but not before what was sealed; the minute's note covers what was idle."""
    seal = await land.active()
    pending = await land.applied(replaces=seal.id)
    await land.reviewed(pending.id)
    await land.issue("C1")
    # Nothing is sealed for an hour, but the hub runs on.
    land.clock.moved_us = HOUR_US
    land.slots.guard = None
    await land.base.write(lambda conn: land.slots.moment(conn, 0))
    land.clock.moved_us = HOUR_US // 2
    # As after a restart: the guard knows nothing of the time before.
    land.slots.guard = ClockGuard(land.clock)
    await everything_is_refused(land, seal.id, pending.id, "CLOCK_BEHIND")
    land.clock.moved_us = HOUR_US + 1_000_000
    land.slots.guard = ClockGuard(land.clock)
    assert (await land.issue("C2", seal.id)).state == "VALID"


async def test_a_revocation_does_not_wait_for_the_clock(land: SealLand) -> None:
    """It is in force at once, is dated after everything that was sealed, and takes nothing from it."""
    seal = await land.active()
    document = await land.issue("C1")
    land.clock.moved_us = -HOUR_US
    revoked = await land.revoked(seal.id, reason=5)
    row = await land.base.store.read(document_rows.find_certificate_by_number, document.number)
    assert row is not None
    assert revoked.invalid_since.ToMicroseconds() >= row.signed_us
    changes = await land.base.store.read(seal_store.changes_of, seal.id)
    times = [change.at_us for change in changes]
    assert times == sorted(times)
    land.clock.moved_us = 0
    assert (await refused(land.issue("C2", seal.id)))[1] == "SEAL_STATE"
    got = await land.downloaded(document.number)
    assert (await land.verdict(got.pdf)).verdict == "VALID"


async def test_replicas_with_clocks_a_little_apart_go_on(land: SealLand) -> None:
    """Within a second the later time is handed out again: no refusal, and no time goes back."""
    await land.active()
    slots = Slots(land.clock)
    first = await land.base.write(slots.moment)
    land.clock.moved_us = -700_000
    second = await land.base.write(slots.moment)
    assert second.at_us >= first.at_us


async def test_a_hub_that_starts_with_a_wrong_clock_says_so(tmp_path: Path) -> None:
    """Two hours behind what it sealed before: it is not ready, also when nobody seals; the status says why, and nobody
    gets a timestamp. Sealing that was refused counts for the alert TimestampsRefused.
    """
    async with seal_land(kept=tmp_path) as land:
        seal = await land.active()
        await land.issue("C1")
        assert land.timestamps.not_ready() == []
    async with seal_land(kept=tmp_path, moved_us=-2 * HOUR_US) as land:
        part = land.timestamps
        beat = asyncio.create_task(land.slots.beat_of(land.base)())
        try:
            await eventually(part.not_ready, message="nobody asked for a slot, and it is not ready")
        finally:
            beat.cancel()
        assert (await part.facts())["clock"] == "in doubt"
        assert part.guard.now_us() is None
        before = timestamps_refused()
        assert (await refused(land.issue("C2", seal.id)))[1] == "CLOCK_BEHIND"
        assert timestamps_refused() == before + 1
    async with seal_land(kept=tmp_path) as land:
        assert (await land.issue("C2", seal.id)).number
        assert land.timestamps.not_ready() == []


def timestamps_refused() -> float:
    found = REGISTRY.get_sample_value("shuniu_esign_timestamps_total", {"outcome": "time_not_available"})
    assert found is not None
    return found
