"""A register that was restored, beside a ledger that knows more: what was revoked stays revoked."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from services.esign.commands.keys import COUNTERS
from services.esign.documents.store import stages as issue_rows
from services.esign.domain.digests import SM3
from services.esign.ledger.domain.ledger import Entry, EntryType, Marks
from services.esign.ledger.store import heads as head_store
from services.esign.licences import store as licence_store
from services.esign.licences.domain.status_list import PLACES, Status
from services.esign.licences.domain.types import LicenceState
from services.esign.pages.domain.certificates import CertificateState
from services.esign.revocation.own_list import require_complete
from services.esign.seals.domain.life import SealState
from services.esign.seals.store import forgotten as forgotten_seals
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.store import METADATA
from services.esign.upkeep.register_of_ledger import RegisterOfLedger
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import timestamp_pb2
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store, sqlite_copy
from shuniu.kit.testing import eventually
from tests.security.test_stolen_seal_key import forged, steps
from tests.support.licence_land import licence_land
from tests.support.of_case import of_case
from tests.support.seal_land import AGENCY, POLICE, SECURITY, SealLand, headers, rid, seal_land

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
        again = RegisterOfLedger(land.base, land.ledger, land.secrets)
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
        again = RegisterOfLedger(land.base, land.ledger, land.secrets)
        await again.catch_up()
        assert not again.facts()


async def forgotten(life: Path, copy: Path) -> None:
    """The store is what it was when it was copied; the ledger stays as it is."""
    shutil.rmtree(life / "db")
    (life / "db").mkdir()
    shutil.copy2(copy, life / "db" / "esign.db")


async def test_a_document_of_the_profile_sm_is_found_by_its_sm3(tmp_path: Path) -> None:
    """Of a document that was released, and of one that was sealed and not released when the backup was made."""
    copy = tmp_path / "copy.db"
    (tmp_path / "hub").mkdir()
    async with seal_land(kept=tmp_path / "hub") as land:
        await land.active()
        pdf = (await land.downloaded((await land.issue("C1")).number)).pdf
        row = await land.base.store.read(of_case, "C1")
        assert row is not None
        sealed = replace(row, number="15000020269999999", case_code="C2", sha256="0" * 64)
        made = issue_rows.Made(sealed.number, b"%PDF sealed", "1" * 64, "", b"")
        await land.base.store.write(lambda conn: issue_rows.take_slots(conn, [sealed]))
        await land.base.store.write(lambda conn: issue_rows.keep_bytes(conn, [made]))
        sqlite_copy.copy(tmp_path / "hub" / "db" / "esign.db", copy)
        for document in (pdf, made.pdf):
            await land.ledger.append(
                Entry(EntryType.DOCUMENT_REVOKED, row.signed_us + 1, **Marks(SM3).document(document))
            )
    await forgotten(tmp_path / "hub", copy)
    async with seal_land(kept=tmp_path / "hub") as land:
        for case in ("C1", "C2"):
            found = await land.base.store.read(of_case, case)
            assert found is not None
            assert (found.state, found.case_code) == (CertificateState.REVOKED, case)


async def test_numbers_that_came_to_nothing_are_passed_over_too(tmp_path: Path) -> None:
    """Numbers are handed out before documents are made: one that failed lies between those in the ledger."""
    copy, numbers = tmp_path / "copy.db", set()
    (tmp_path / "hub").mkdir()
    async with seal_land(kept=tmp_path / "hub") as land:
        await land.active()
        sqlite_copy.copy(tmp_path / "hub" / "db" / "esign.db", copy)
        prefix = (await land.issue("C1")).number[:-6]
        await land.base.store.write(issue_rows.next_numbers, prefix, 5)
        numbers.add((await land.issue("C2")).number)
    await forgotten(tmp_path / "hub", copy)
    async with seal_land(kept=tmp_path / "hub") as land:
        assert numbers.isdisjoint(
            {(await land.issue(case)).number for case in ("C3", "C4", "C5", "C6", "C7", "C8", "C9")}
        )


async def test_a_seal_replaced_on_hold_is_out_of_use_since_the_hold(tmp_path: Path) -> None:
    """The ledger says since when, so what was sealed before the hold stays good and what came after does not count."""
    copy = tmp_path / "copy.db"
    (tmp_path / "hub").mkdir()
    async with seal_land(kept=tmp_path / "hub") as land:
        old = await land.active()
        sqlite_copy.copy(tmp_path / "hub" / "db" / "esign.db", copy)
        await suspend(land, old.id, "")
        await land.active(replaces=old.id)
        before = await land.base.store.read(seal_rows.find_seal_by_id, old.id)
    await forgotten(tmp_path / "hub", copy)
    async with seal_land(kept=tmp_path / "hub") as land:
        after = await land.base.store.read(seal_rows.find_seal_by_id, old.id)
        assert before is not None
        assert after is not None
        assert after.seal.state is SealState.REPLACED
        assert after.seal.revocation == before.seal.revocation
        assert after.seal.held_us == before.seal.held_us


async def test_a_hold_that_was_lifted_dates_no_replacement(tmp_path: Path) -> None:
    """The register remembers the hold and not its end; the ledger says that the seal was in use until it was replaced."""
    copy = tmp_path / "copy.db"
    (tmp_path / "hub").mkdir()
    async with seal_land(kept=tmp_path / "hub") as land:
        old = await land.active()
        await suspend(land, old.id, "")
        sqlite_copy.copy(tmp_path / "hub" / "db" / "esign.db", copy)
        await land.changed(old.id, pb.SealState.SEAL_STATE_ACTIVE)
        await land.active(replaces=old.id)
        before = await land.base.store.read(seal_rows.find_seal_by_id, old.id)
    await forgotten(tmp_path / "hub", copy)
    async with seal_land(kept=tmp_path / "hub") as land:
        after = await land.base.store.read(seal_rows.find_seal_by_id, old.id)
        assert before is not None
        assert after is not None
        assert after.seal.revocation == before.seal.revocation


async def test_what_this_version_does_not_know_is_counted_and_stops_nothing_else(tmp_path: Path) -> None:
    """States that a later version wrote, of seals and of licences; operators are told how many entries there are. Such a
    state may take a right away: the seal is suspended until an operator resumes it, and named on the list.
    """
    async with seal_land(kept=tmp_path) as land:
        seal = await land.active()
        at_us = land.clock.now_us()
        await land.ledger.append(Entry(EntryType.SEAL_CHANGED, at_us, seal=seal.id, state="FROZEN"))
        await land.ledger.append(Entry(EntryType.LICENCE_CHANGED, at_us, document_sha256="0" * 64, state="LENT"))
        learning = RegisterOfLedger(land.base, land.ledger, land.secrets)
        await learning.catch_up()
        assert learning.facts() == {"ledger_entries_unknown": "licence.changed:1 seal.changed:1"}
        assert await land.state(seal.id) == "SUSPENDED"
        assert len(x509.load_der_x509_crl(await land.crl())) == 1
        await learning.catch_up()
        await land.changed(seal.id, pb.SealState.SEAL_STATE_ACTIVE)
        await land.base.store.write(lambda conn: conn.execute(head_store.ledger_head.delete()) and None)
        await learning.catch_up()
        assert await land.state(seal.id) == "ACTIVE"


@pytest.mark.parametrize("applied_before", [False, True])
async def test_no_list_is_silent_about_a_seal_that_the_register_forgot(tmp_path: Path, *, applied_before: bool) -> None:
    """A seal of after the backup, stolen: what the thief signed is VALID neither online nor offline, also after another
    start, and OCSP does not call its certificate good. Another seal CA has a list.
    """
    life, copy = tmp_path / "hub", tmp_path / "copy.db"
    life.mkdir()
    async with seal_land(kept=life) as land:
        seal = await land.applied() if applied_before else None
        sqlite_copy.copy(life / "db" / "esign.db", copy)
        seal = seal or await land.applied()
        await land.owner.ApproveSeal(pb.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
        now_us = land.clock.now_us()
        fake = await forged(land, seal.id, now_us)
        row = await land.base.store.read(seal_rows.find_seal_by_id, seal.id)
        assert row is not None
        await land.revoked(seal.id, now_us - HOUR_US)
        assert (await land.verdict(fake)).verdict == "INVALID"
        await eventually(lambda: land.ledger.size >= 4, message="the ledger holds all changes")
    await forgotten(life, copy)
    for _ in range(2):
        async with seal_land(kept=life) as land:
            with pytest.raises(grpc.aio.AioRpcError, match="list would be incomplete") as refused:
                await land.crl()
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert steps(await land.verdict(fake))["seal_then"][0] == "unknown"
            assert await ocsp_status(land, row.certificate) is ocsp.OCSPCertStatus.UNKNOWN
            # Another seal, revoked: there would be a list, silent about the first.
            other = await land.active(replaces=seal.id if applied_before else "")
            await land.revoked(other.id)
            assert (await land.verdict(fake)).verdict == "INDETERMINATE"


async def ocsp_status(land: SealLand, certificate: bytes) -> ocsp.OCSPCertStatus:
    asked = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(certificate), land.secrets.seal_ca.certificate, hashes.SHA256()
    )
    request = timestamp_pb2.AnswerOcspRequest(der=asked.build().public_bytes(Encoding.DER))
    answer = (await land.revocation.AnswerOcsp(request, metadata=AGENCY)).der
    return ocsp.load_der_ocsp_response(answer).certificate_status


async def test_an_entry_that_cannot_be_read_may_revoke_any_seal(tmp_path: Path) -> None:
    """Until the next seal CA there is no list, and no certificate that the register has is called good."""
    async with seal_land(kept=tmp_path) as land:
        seal = await land.active()
        row = await land.base.store.read(seal_rows.find_seal_by_id, seal.id)
        assert row is not None
        assert await ocsp_status(land, row.certificate) is ocsp.OCSPCertStatus.GOOD
        await land.base.store.write(
            forgotten_seals.forget, forgotten_seals.ANY_SEAL, seal_rows.FAMILIES, {seal_rows.P256: 0}
        )
        assert await ocsp_status(land, row.certificate) is ocsp.OCSPCertStatus.UNKNOWN
        with pytest.raises(grpc.aio.AioRpcError, match="list would be incomplete"):
            await land.crl()
        require_complete({seal_rows.P256: 0}, seal_rows.P256, 1)


async def test_a_licence_stays_revoked_and_its_number_its_own(tmp_path: Path) -> None:
    """Also where the hub is of the profile sm: licences have SHA-256 in both. A licence that the register forgot leaves
    neither its number nor its status list to another.
    """
    copy = tmp_path / "copy.db"
    (tmp_path / "hub").mkdir()
    async with licence_land(tmp_path / "hub") as land:
        _, licence = await land.in_wallet()
        sqlite_copy.copy(tmp_path / "hub" / "db" / "esign.db", copy)
        land.licences.issuing.secrets = replace(land.licences.issuing.secrets, digest=SM3)
        await land.revoked(licence)
        _, lost = await land.in_wallet()
    await forgotten(tmp_path / "hub", copy)
    async with seal_land(kept=tmp_path / "hub") as land:
        row = await land.base.store.read(licence_store.find_by_number, licence.number)
        assert row is not None
        assert row.state is LicenceState.REVOKED
        number = licence_store.numbers(lost.number[:-8])
        assert await land.base.store.write(licence_store.next_value, number) > int(lost.number[-8:])
        given = await land.base.store.write(licence_store.next_value, licence_store.PLACES_GIVEN)
        assert given > PLACES


@pytest.mark.parametrize("by_restore", [False, True], ids=["ledger_went_on", "shuniu_restore"])
async def test_a_licence_that_the_register_forgot_is_not_valid_in_its_status_list(
    tmp_path: Path,
    by_restore: bool,
) -> None:
    """Revoked or not: the ledger does not know its place. What the register has keeps its own status, also where nobody
    has a ledger that knows more than the backup.
    """
    hub, copy = tmp_path / "hub", tmp_path / "copy.db"
    hub.mkdir()
    async with licence_land(hub) as land:
        kept, revoked = [(await land.in_wallet(case_code=case))[1] for case in ("C1", "C2")]
        await land.revoked(revoked)
        sqlite_copy.copy(hub / "db" / "esign.db", copy)
        if by_restore:
            shutil.copytree(hub / "ledger", tmp_path / "ledger")
        lost = [(await land.in_wallet(case_code=case))[1] for case in ("C3", "C4")]
        await land.revoked(lost[0])
        before = [await land.status(each) for each in (kept, revoked, *lost)]
        assert before == [Status.VALID, Status.INVALID, Status.INVALID, Status.VALID]
    await forgotten(hub, copy)
    if by_restore:
        shutil.rmtree(hub / "ledger")
        shutil.copytree(tmp_path / "ledger", hub / "ledger")
        store = Store.unchecked(f"sqlite:///{hub / 'db' / 'esign.db'}", METADATA, clock=SystemClock())
        await store.begin_restored(COUNTERS)
        await store.close()
    async with licence_land(hub, seal=False) as land:
        after = [await land.status(each) for each in (kept, revoked, *lost)]
        assert after == [Status.VALID, Status.INVALID, Status.SUSPENDED, Status.SUSPENDED]
        assert await land.status((await land.in_wallet(case_code="C5"))[1]) == Status.VALID
