"""What was decided when a call began is decided again before anything leaves the hub: seal, caller, state."""

import asyncio
import contextlib
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from services.esign.documents.store import certificates as document_rows
from shuniu.api.common.v1 import registry_pb2
from shuniu.api.esign.v1 import esign_pb2, flow_pb2
from shuniu.api.esign.v1 import licence_pb2 as pb
from shuniu.kit.testing import eventually
from tests.support.flow_land import BUREAU, FlowLand, caller, flow_land, request_id
from tests.support.hub import refusal
from tests.support.licence_land import READER, licence_land
from tests.support.seal_land import AGENCY, PERSON, PERSON_ID, POLICE, headers, rid, seal_land


def granted(land: FlowLand) -> int:
    """How many signing times were handed out."""
    with contextlib.closing(sqlite3.connect(land.root / "db" / "esign.db", timeout=10)) as file:
        return int(file.execute("SELECT coalesce(max(granted), 0) FROM slot_floor").fetchone()[0])


def seal_is(land: FlowLand, values: str) -> None:
    with contextlib.closing(sqlite3.connect(land.root / "db" / "esign.db", timeout=10)) as file, file:
        file.execute(f"UPDATE seal SET {values} WHERE id = ?", (f"seal-{BUREAU}",))


@pytest.mark.timeout(90)
async def test_signatures_of_a_seal_suspended_meanwhile_do_not_leave_the_hub() -> None:
    """The seal was active when the signing time was handed out; the ledger takes its time, and the seal is suspended."""
    digests = [sha256(b"bare").digest()]
    request = flow_pb2.SignHashRequest(
        request_id=request_id(),
        credential_id=f"seal-{BUREAU}",
        hashes=digests,
        hash_algorithm_oid="2.16.840.1.101.3.4.2.1",
        sign_algo="1.2.840.10045.4.3.2",
    )
    async with flow_land("ledger_window_ms = 3000\n") as land:
        before = granted(land)
        call = asyncio.ensure_future(land.remote.SignHash(request, metadata=caller("platform", BUREAU), timeout=40))
        await eventually(lambda: granted(land) > before, message="the signing time is handed out")
        seal_is(land, "state = 'SUSPENDED', held_us = 1")
        await refusal(call, "SEAL_STATE")
        seal_is(land, "state = 'ACTIVE', held_us = NULL")
        answer = await land.remote.SignHash(request, metadata=caller("platform", BUREAU), timeout=40)
        assert len(answer.signatures) == 1


@pytest.mark.timeout(90)
async def test_a_flow_takes_no_signature_of_a_seal_revoked_from_before_it() -> None:
    """The step was authorised; then the theft came to light. The flow says why it waits, and nothing is signed."""
    async with flow_land() as land:
        flow = await land.begin("case_receipt")
        seal_is(land, "invalid_us = 1, revoked_us = 1, revocation_reason = 1")
        await land.sign(flow, "authority")
        now = await land.get(flow.id)
        assert (now.failure, now.revision) == ("SEAL_REVOKED", 0)


async def test_a_caller_suspended_meanwhile_downloads_nothing(tmp_path: Path) -> None:
    """Documents and licences: the door let the call in, the hub lets nothing out, and no download is on record."""
    async with licence_land(tmp_path) as land:
        _, licence = await land.in_wallet()
        document = await land.seals.issue("C1")
        land.seals.base.registry.put(registry_pb2.PlatformEntry(code=POLICE, state="SUSPENDED", version=1))
        reader = headers("platform", POLICE, "case.read")
        await refusal(
            land.stub.DownloadLicence(pb.DownloadLicenceRequest(number=licence.number), metadata=READER),
            "PLATFORM_STOPPED",
        )
        wanted = esign_pb2.DownloadCertificateRequest(number=document.number)
        await refusal(land.seals.documents.DownloadCertificate(wanted, metadata=reader), "PLATFORM_STOPPED")


async def test_a_download_says_what_the_document_is_when_it_leaves() -> None:
    """Revoked while identity was asked who the person is: the answer says so."""
    async with seal_land() as land:
        await land.active()
        document = await land.issue("C1")

        async def meanwhile(_platform: str, _subject: str) -> str:
            await land.base.store.write(document_rows.revoke, document.number, "测试", land.clock.now_us())
            return PERSON_ID

        neighbours: Any = land.issuing.neighbours
        neighbours.person_id = meanwhile
        wanted = esign_pb2.DownloadCertificateRequest(number=document.number)
        answer = await land.documents.DownloadCertificate(wanted, metadata=PERSON)
        assert answer.certificate.state == "REVOKED"


async def test_a_licence_that_was_issued_before_is_shown_as_it_is_now(tmp_path: Path) -> None:
    """The request that comes again under another id gets the licence of the case, suspended meanwhile."""
    async with licence_land(tmp_path) as land:
        wallet, licence = await land.in_wallet()
        suspend = pb.SuspendLicenceRequest(request_id=rid(), number=licence.number, reason="测试")
        await land.stub.SuspendLicence(suspend, metadata=AGENCY)
        again = await land.issued(wallet)
        assert (again.number, again.state) == (licence.number, pb.LICENCE_STATE_SUSPENDED)
