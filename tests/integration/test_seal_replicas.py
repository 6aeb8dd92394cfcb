"""Two processes on one PostgreSQL: seals and slots keep their rules without knowing of each other."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from services.esign import store
from services.esign.certification.domain import pki
from services.esign.domain.errors import SealStateError
from services.esign.seals.domain.life import Action, Seal, SealState
from services.esign.seals.life import SealLife
from services.esign.seals.maker import Made
from services.esign.seals.slots import Slot, Slots
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store.history import KeptPicture
from services.esign.seals.store.seals import SealRow
from services.esign.ses.domain.values import Picture
from shuniu.kit.foundation import Foundation, ServiceSettings
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing.foundation import foundation_of
from tests.support.esign import setting

OWNER, ONE, TWO = "platform/police", "operator/one", "operator/two"


@pytest.mark.postgresql
async def test_replicas_agree_on_seals_and_slots(postgres_database: str, tmp_path: Path) -> None:
    """Activation of a successor, suspensions and a crowd of signatures at once, from two replicas: one seal active at
    the end, each slot number once, times never back, and every slot of a seal that was ACTIVE by the journal.
    """
    clock = SystemClock()
    await migrate(postgres_database, "services.esign", clock)
    stores = [await Store.open(postgres_database, store.METADATA, clock=clock, writer=name) for name in ("a", "b")]
    hub = HubSettings("150000", "内蒙古枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path)
    bases = [
        foundation_of("esign", hub, ServiceSettings(), clock, each, writer=f"esign-{n}")
        for n, each in enumerate(stores)
    ]
    lives = [SealLife(base, None, Slots(clock)) for base in bases]  # type: ignore[arg-type]
    try:
        old = await _made(bases[0], lives[0], "")
        await bases[0].write(lives[0].activate, old, TWO)
        new = await _made(bases[1], lives[1], old)

        async def tried(at: int, work: Any, *given: Any) -> Any:
            try:
                return await bases[at % 2].write(work, *given)
            except SealStateError as error:
                return error.reason

        def signs(life: SealLife) -> Any:
            def grant(conn: Connection) -> tuple[str, Slot]:
                seal_id = next(
                    r.seal.id for r in seal_rows.seals_of(conn, "police") if r.seal.state is SealState.ACTIVE
                )
                return seal_id, life.slots.grant(conn, seal_id, "police")

            return grant

        done = await asyncio.gather(
            *(tried(at, signs(lives[at % 2])) for at in range(24)),
            *(tried(at, lives[at % 2].activate, new, TWO) for at in range(2)),
        )
        slots = [one for one in done[:24] if isinstance(one, tuple)]
        assert len(slots) == 24
        assert len({slot.number for _, slot in slots}) == 24
        times = [slot.at_us for _, slot in sorted(slots, key=lambda one: one[1].number)]
        assert times == sorted(times)
        assert sum(isinstance(one, Seal) for one in done[24:]) == 1
        states = {
            row.seal.id: row.seal.state for row in await stores[0].read(lambda c: seal_rows.seals_of(c, "police"))
        }
        assert states == {old: SealState.REPLACED, new: SealState.ACTIVE}
        ended_us = (await stores[0].read(seal_store.changes_of, old))[-1].at_us
        assert all((slot.at_us < ended_us) is (seal_id == old) for seal_id, slot in slots)
    finally:
        for each in stores:
            await each.close()


async def _made(base: Foundation, life: SealLife, replaces: str) -> str:
    """A seal that was reviewed and made."""
    wanted = Seal(new_ulid(base.clock), "police", "机构", SealState.APPLIED, 0, 0, replaces=replaces)
    applied = await base.write(life.apply, wanted, None, OWNER)
    await base.write(life.review, applied.id, Action.REVIEW, ONE, "")
    key, now_us = ec.generate_private_key(ec.SECP256R1()), base.clock.now_us()
    certificate = pki.issue_seal_certificate(setting().ca, key.public_key(), "机构", applied.id, now_us)
    row = SealRow(
        Seal(applied.id, "police", "机构", SealState.APPLIED, now_us - 10**6, now_us + 10**13),
        pki.certificate_der(certificate),
        b"key",
    )
    picture = KeptPicture(seal_store.DRAWN, Picture("png", b"-", 42, 42))
    await base.write(life.make, Made(row, picture, None), TWO)
    return applied.id
