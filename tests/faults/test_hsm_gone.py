"""The device that holds the keys is gone, before and in the middle of an issue: nothing is lost, nothing is sealed twice."""

from pathlib import Path

import pytest

from services.esign.documents.store import certificates as document_rows
from services.esign.domain.verdict import Outcome
from services.esign.ledger.domain.ledger import open_checkpoint
from services.esign.signing.domain.pades import LastSignature
from shuniu.kit.crypto import device_pool
from shuniu.kit.errors import Code, HubError
from shuniu.kit.testing import eventually
from tests.support.issue_land import issue_land, request
from tests.support.softhsm import TokenPlace, needs_softhsm

pytestmark = [pytest.mark.softhsm, needs_softhsm]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenPlace:
    monkeypatch.setattr(device_pool, "PAUSE", 0.0)
    return TokenPlace(tmp_path)


async def test_gone_before_an_issue(place: TokenPlace):
    """HSM_AWAY to the caller, who asks again when it is back and gets the one document under the one number."""
    async with issue_land(place.new_token("hub")) as land:
        issuing = land.issuing()
        place.take_out()
        for _ in range(2):
            with pytest.raises(HubError) as refused:
                await issuing.IssueCertificate(request(), None)
            assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "HSM_AWAY")
        slot = await land.row()
        assert (slot.stage, slot.pdf) == (document_rows.SLOT, b"")
        place.put_back()
        await issuing.IssueCertificate(request(), None)
        row = await land.row()
        assert (row.number, row.stage) == (slot.number, document_rows.ISSUED)
        assert land.judge(row.pdf, row.receipt).outcome is Outcome.VALID
        land.secrets.close()


async def test_gone_between_seal_and_timestamp(place: TokenPlace):
    """Sealed, then gone: kept as it is; back: stamped, logged and released by itself, the same seal, one entry."""
    async with issue_land(place.new_token("hub")) as land:
        issuing, real = land.issuing(), land.stamps.source.stamp

        async def stamp(signature: bytes) -> bytes:
            if land.stamps.asked == 1:
                place.take_out()
            return await real(signature)

        object.__setattr__(land.stamps, "source", _Source(land.stamps.source.room, stamp))
        with pytest.raises(HubError) as refused:
            await issuing.IssueCertificate(request(), None)
        assert refused.value.reason == "TIMESTAMP_PENDING"
        waiting = await land.row()
        assert (waiting.stage, waiting.ledger_index) == (document_rows.SEALED, -1)
        place.put_back()

        async def released() -> bool:
            return (await land.row()).stage == document_rows.ISSUED

        await eventually(released, within=15)
        row = await land.row()
        before, after = LastSignature.of(waiting.pdf), LastSignature.of(row.pdf)
        assert after.value == before.value
        assert after.has_timestamp
        assert land.judge(row.pdf, row.receipt).outcome is Outcome.VALID
        assert open_checkpoint(land.ledger.checkpoint_text, [land.secrets.ledger.verifier]).size == 1
        land.secrets.close()


async def test_gone_before_the_ledger_signs(place: TokenPlace):
    """Sealed and stamped, then gone: not released, because nothing unlogged is; back: released by itself, once."""
    async with issue_land(place.new_token("hub")) as land:
        issuing, real = land.issuing(), land.stamps.source.stamp

        async def stamp(signature: bytes) -> bytes:
            token = await real(signature)
            if land.stamps.asked == 1:
                place.take_out()
            return token

        object.__setattr__(land.stamps, "source", _Source(land.stamps.source.room, stamp))
        with pytest.raises(HubError) as refused:
            await issuing.IssueCertificate(request(), None)
        assert refused.value.code is Code.UNAVAILABLE
        assert (await land.row()).stage == document_rows.SEALED
        assert not land.ledger.stuck
        place.put_back()

        async def released() -> bool:
            return (await land.row()).stage == document_rows.ISSUED

        await eventually(released, within=15)
        row = await land.row()
        assert land.judge(row.pdf, row.receipt).outcome is Outcome.VALID
        assert open_checkpoint(land.ledger.checkpoint_text, [land.secrets.ledger.verifier]).size == 1
        land.secrets.close()


class _Source:
    """A timestamp source whose stamping a test gets into."""

    def __init__(self, room, stamp) -> None:
        self.room = room
        self.stamp = stamp
