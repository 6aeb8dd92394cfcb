"""The life of seals through gRPC: who may do what, in which order, and how it shows in ledger, OCSP and CRL."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from services.esign.certification.domain.holders import SealKind
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import stages as issue_store
from services.esign.flows.domain.life import Flow, FlowState, Role, Step, StepState
from services.esign.flows.domain.scenarios import Actor, KeyMode
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store.flows import FlowRow, Party
from services.esign.ledger.domain.ledger import EntryType
from services.esign.seals import pictures as seal_pictures
from services.esign.seals.domain.life import SealState
from services.esign.seals.maker import SealMaker
from services.esign.seals.once_keys import OnceSigner
from services.esign.seals.store import seals as seal_rows
from services.esign.upkeep.store import ended_keys
from shuniu.api.esign.v1 import esign_pb2, seal_pb2, timestamp_pb2
from shuniu.kit.testing import eventually
from tests.support.hub import details_of
from tests.support.seal_land import (
    AGENCY,
    ANOTHER,
    AUDIT,
    ORGANISATION,
    OTHER_SECURITY,
    PERSON,
    PERSON_ID,
    PERSON_NAME,
    SECURITY,
    SYSTEM,
    YEAR_US,
    Neighbours,
    SealLand,
    headers,
    rid,
    seal_land,
)

ACTIVE, SUSPENDED, REVOKED = (esign_pb2.SealState.Value(f"SEAL_STATE_{s}") for s in ("ACTIVE", "SUSPENDED", "REVOKED"))


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land(two_operators=True) as found:
        yield found


async def refused(call: Awaitable[Any], code: grpc.StatusCode, reason: str) -> dict[str, str]:
    """The metadata of a refusal with this code and reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    found, metadata, violations = details_of(caught.value)
    assert (caught.value.code(), reason) == (code, found if not violations else ",".join(violations.values()))
    return metadata


async def standing(land: SealLand, certificate: x509.Certificate) -> ocsp.OCSPResponse:
    """What the OCSP responder says now."""
    asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, land.secrets.seal_ca.certificate, hashes.SHA256())
    request = timestamp_pb2.AnswerOcspRequest(der=asked.build().public_bytes(Encoding.DER))
    answer = await land.revocation.AnswerOcsp(request, metadata=AGENCY)
    return ocsp.load_der_ocsp_response(answer.der)


def certificate_of(seal: Any) -> x509.Certificate:
    return x509.load_pem_x509_certificate(seal.certificate_pem.encode())


async def test_a_seal_goes_its_whole_way(land: SealLand) -> None:
    """Applied, reviewed, issued, active, suspended, resumed, revoked: each change visible, on record and in the log."""
    seal = await land.applied()
    assert (seal.state, seal.version, seal.certificate_pem) == (esign_pb2.SEAL_STATE_APPLIED, 1, "")
    assert (await land.reviewed(seal.id)).state == esign_pb2.SEAL_STATE_REVIEWED
    issued = await land.made(seal.id)
    assert issued.state == esign_pb2.SEAL_STATE_ISSUED
    assert certificate_of(issued).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == ORGANISATION
    await refused(land.issue("C1"), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    assert (await land.activated(seal.id)).state == ACTIVE
    assert (await land.issue("C1")).state == "VALID"
    await land.changed(seal.id, SUSPENDED)
    await refused(land.issue("C2"), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    await land.changed(seal.id, ACTIVE)
    revoked = await land.revoked(seal.id, reason=5)
    assert (revoked.state, revoked.revocation_reason) == (REVOKED, esign_pb2.REVOCATION_REASON_CESSATION_OF_OPERATION)
    await refused(land.changed(seal.id, ACTIVE), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    found = await land.owner.GetSeal(esign_pb2.GetSealRequest(id=seal.id), metadata=AGENCY)
    names = [esign_pb2.SealState.Name(one.state).removeprefix("SEAL_STATE_") for one in found.changes]
    assert names == ["APPLIED", "REVIEWED", "ISSUED", "ACTIVE", "SUSPENDED", "ACTIVE", "REVOKED"]
    assert [one.actor for one in found.changes] == ["police", "system", *["security"] * 5]
    entries = await land.entries()
    of_seal = [(one.ledger_index, entry) for one in found.changes for entry in (entries[one.ledger_index],)]
    assert [(e.type, e.state, e.seal) for _, e in of_seal] == [(EntryType.SEAL_CHANGED, n, seal.id) for n in names]
    assert all(entry.names(certificate_of(revoked).public_bytes(Encoding.DER)) for _, entry in of_seal[2:])


async def test_review_takes_another_person(land: SealLand) -> None:
    """Whoever reviewed neither makes nor activates; audit administration reviews nothing; a refusal has its reason."""
    denied = grpc.StatusCode.PERMISSION_DENIED
    seal = await land.applied()
    request = esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id)
    await refused(land.owner.ApproveSeal(request, metadata=SECURITY), denied, "REVIEW_NEEDED")
    await refused(land.reviewed(seal.id, AUDIT), denied, "SCOPE_MISSING")
    await refused(land.made(seal.id), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    await land.reviewed(seal.id, SECURITY)
    assert (await refused(land.made(seal.id, SECURITY), denied, "SAME_PERSON")) == {"part": "reviewer"}
    await land.made(seal.id, OTHER_SECURITY)
    await refused(land.activated(seal.id, SECURITY), denied, "SAME_PERSON")
    await land.activated(seal.id, OTHER_SECURITY)
    replace = seal_pb2.ReplaceSealRequest(request_id=rid(), id=seal.id, reason="更名")
    successor = (await land.admin.ReplaceSeal(replace, metadata=SECURITY)).seal
    await refused(land.reviewed(successor.id, SECURITY), denied, "SAME_PERSON")
    reject = seal_pb2.ReviewSealRequest(request_id=rid(), id=successor.id, decision=seal_pb2.REVIEW_DECISION_REJECT)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(land.admin.ReviewSeal(reject, metadata=SYSTEM), invalid, "REASON_REQUIRED")
    reject.reason = "名称与编制文件不符"
    rejected = (await land.admin.ReviewSeal(reject, metadata=SYSTEM)).seal
    assert rejected.state == esign_pb2.SEAL_STATE_REJECTED
    await refused(land.made(successor.id), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")


async def test_one_operator_suffices_where_the_hub_says_so() -> None:
    """The short way of older callers: the platform applied, one operator approves; an approved reviewer is unnamed."""
    async with seal_land() as land:
        seal = await land.applied()
        request = esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id)
        first = await land.owner.ApproveSeal(request, metadata=SECURITY)
        again = await land.owner.ApproveSeal(request, metadata=SECURITY)
        assert (first.seal.state, first, first.seal.reviewer) == (ACTIVE, again, "")
        assert (await land.issue("C1")).state == "VALID"
        await refused(land.applied(), grpc.StatusCode.ALREADY_EXISTS, "SEAL_EXISTS")


async def test_every_change_shows_at_once_in_ocsp_and_crl(land: SealLand) -> None:
    """The next answer after a change says it: hold, removal of the hold, revocation with reason and invalidity date."""
    seal = await land.active()
    certificate = certificate_of(seal)
    good, revoked = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED
    assert (await standing(land, certificate)).certificate_status is good
    await land.changed(seal.id, SUSPENDED)
    held = await standing(land, certificate)
    assert (held.certificate_status, held.revocation_reason) == (revoked, x509.ReasonFlags.certificate_hold)
    await land.changed(seal.id, ACTIVE)
    assert (await standing(land, certificate)).certificate_status is good
    assert len(x509.load_der_x509_crl(await land.crl())) == 0
    since_us = land.clock.now_us() - 3_600_000_000
    since_us -= since_us % 1_000_000
    answer = await land.revoked(seal.id, since_us)
    # Never before the certificate itself.
    begun = certificate.not_valid_before_utc
    assert answer.invalid_since.ToDatetime(tzinfo=begun.tzinfo) == begun
    said = await standing(land, certificate)
    assert (said.certificate_status, said.revocation_reason) == (revoked, x509.ReasonFlags.key_compromise)
    (entry,) = x509.load_der_x509_crl(await land.crl())
    assert entry.serial_number == certificate.serial_number
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc == begun


async def test_a_seal_is_replaced_without_a_gap(land: SealLand) -> None:
    """New key, certificate and picture; the old one signs until the new one does; what it sealed stays VALID."""
    old = await land.active()
    before = await land.issue("C1")
    successor = await land.applied(replaces=old.id)
    await refused(land.applied(replaces=old.id), grpc.StatusCode.ALREADY_EXISTS, "SEAL_EXISTS")
    assert (successor.version, successor.replaces) == (2, old.id)
    await land.reviewed(successor.id)
    await land.made(successor.id)
    assert (await land.issue("C2")).state == "VALID"
    new = await land.activated(successor.id)
    assert (await land.state(old.id), await land.state(new.id)) == ("REPLACED", "ACTIVE")
    assert certificate_of(new).public_key() != certificate_of(old).public_key()
    said = await standing(land, certificate_of(old))
    assert said.revocation_reason is x509.ReasonFlags.superseded
    await refused(land.issue("C3", old.id), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    after = await land.issue("C3")
    for document in (before, after):
        got = await land.downloaded(document.number)
        assert (await land.verdict(got.pdf)).verdict == "VALID"
    rows = await land.rows(lambda conn: seal_rows.seals_of(conn, "police"))
    assert len({row.wrapped_key for row in rows}) == 2


async def test_a_seal_expires_by_itself() -> None:
    """After its certificate's last day nothing is signed, and the next look says EXPIRED; then a new one may be had."""
    async with seal_land(days=100) as land:
        seal = await land.active()
        land.clock.moved_us = YEAR_US
        land.slots.guard = None
        await refused(land.issue("C1"), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_EXPIRED")
        task = asyncio.create_task(land.seals.life.watch())
        try:

            async def expired() -> bool:
                return await land.state(seal.id) == SealState.EXPIRED

            await eventually(expired, within=5)
        finally:
            task.cancel()
        assert (await standing(land, certificate_of(seal))).certificate_status is ocsp.OCSPCertStatus.GOOD
        assert (await land.applied(replaces=seal.id)).version == 2


async def test_nothing_is_left_of_an_ended_seals_key(land: SealLand) -> None:
    """A day after its end the wrapped key is erased, unless a document that was granted before is still owed."""
    old = await land.active()
    new = await land.active(replaces=old.id)

    async def keys_left(days: int) -> set[str]:
        now_us = land.clock.now_us() + days * 86_400_000_000
        await land.base.write(ended_keys.erase, now_us)
        rows = await land.rows(lambda conn: seal_rows.seals_of(conn, "police"))
        return {row.seal.id for row in rows if row.wrapped_key}

    assert await keys_left(0) == {old.id, new.id}
    granted = dataclasses.replace(await a_slot(land, old.id), case_code="owed", number="15000020260000099")
    await land.base.write(lambda conn: issue_store.take_slots(conn, [granted]))
    assert await keys_left(2) == {old.id, new.id}
    made = issue_store.Made(granted.number, b"%PDF", "0" * 64, "", b"")
    await land.base.write(lambda conn: issue_store.keep_bytes(conn, [made]))
    party = Party(
        Step("office", Role.SIGNER, 1, StepState.AUTHORISED), "", Actor.PLATFORM, KeyMode.HELD, 0, 0, "police"
    )
    rules = Flow(FlowState.FAILED, (party.step,), was=FlowState.OPEN)
    waits = FlowRow("F", "x", "police", "", rules, (dataclasses.replace(party, seal_id=old.id, slot_us=1),), "", 1)
    await land.base.write(flow_store.add, waits, b"%PDF")
    assert await keys_left(2) == {old.id, new.id}
    over = dataclasses.replace(waits, flow=dataclasses.replace(rules, state=FlowState.EXPIRED, was=None))
    await land.base.write(flow_store.put, waits, over)
    assert await keys_left(2) == {new.id}
    assert (await land.issue("C9")).state == "VALID"


async def a_slot(land: SealLand, seal_id: str) -> document_rows.CertificateRow:
    """A document whose slot was handed out, to be changed by the test."""
    number = (await land.issue(f"C-{seal_id}")).number
    row = await land.base.store.read(document_rows.find_certificate_by_number, number)
    assert row is not None
    return dataclasses.replace(row, seal_id=seal_id, stage=document_rows.SLOT, pdf=b"", sha256="")


async def test_a_key_used_once_answers_good(land: SealLand) -> None:
    """OCSP knows the certificate of a key that is gone; nobody can revoke it, so it is good until it ends."""
    async with land.once.key(OnceSigner(SealKind.PERSON, PERSON_NAME, f"person/{PERSON_ID}")) as key:
        certificate = x509.load_der_x509_certificate(key.certificate)
    assert (await standing(land, certificate)).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert (await land.entries())[-1].type is EntryType.CERTIFICATE_ONCE


async def test_pictures_are_kept_with_the_seal(land: SealLand) -> None:
    """Drawn by the hub, or the owner's own, checked to the pixel; the same to whoever may ask, and only to them."""
    seal = await land.active()
    ask = esign_pb2.GetSealPictureRequest(id=seal.id)
    drawn = await land.owner.GetSealPicture(ask, metadata=AGENCY)
    assert drawn.png == seal_pictures.round_seal(ORGANISATION).data
    assert (drawn.width_mm, drawn.height_mm, drawn.uploaded) == (42, 42, False)
    assert await land.owner.GetSealPicture(ask, metadata=SECURITY) == drawn
    stranger = headers("platform", "stranger", "seal.use")
    for call in (land.owner.GetSealPicture(ask, metadata=stranger), land.owner.GetSealPicture(ask, metadata=PERSON)):
        await refused(call, grpc.StatusCode.NOT_FOUND, "SEAL_UNKNOWN")
    other = seal_pictures.round_seal("包头市公安局").data
    successor = await land.active(replaces=seal.id, picture_png=other, picture_width_mm=38)
    mine = await land.owner.GetSealPicture(esign_pb2.GetSealPictureRequest(id=successor.id), metadata=AGENCY)
    assert (mine.png, mine.width_mm, mine.uploaded) == (other, 38, True)
    # Colours and opacity: an image each.
    first, second = [await land.downloaded((await land.issue(case)).number) for case in ("case-1", "case-2")]
    assert [one.pdf.count(b"/Width 331/Height 331") for one in (first, second)] == [2, 2]
    bad = land.applied(replaces=successor.id, picture_png=other[:-1])
    await refused(bad, grpc.StatusCode.INVALID_ARGUMENT, "PICTURE_DAMAGED")


async def test_a_person_has_a_seal_of_their_own(land: SealLand) -> None:
    """The name stands in certificate and picture only; the person sees them, operators and platforms never."""
    apply = seal_pb2.ApplyPersonalSealRequest(request_id=rid())
    seal = (await land.personal.ApplyPersonalSeal(apply, metadata=PERSON)).seal
    assert (seal.kind, seal.name) == (esign_pb2.SEAL_KIND_PERSON, "")
    await land.reviewed(seal.id)
    await land.made(seal.id)
    active = await land.activated(seal.id)
    assert (active.certificate_pem, active.name) == ("", "")
    (mine,) = (await land.personal.ListPersonalSeals(seal_pb2.ListPersonalSealsRequest(), metadata=PERSON)).seals
    subject = {a.oid: a.value for a in certificate_of(mine).subject}
    assert subject[x509.NameOID.COMMON_NAME] == PERSON_NAME
    assert x509.NameOID.ORGANIZATION_NAME not in subject
    picture = await land.owner.GetSealPicture(esign_pb2.GetSealPictureRequest(id=seal.id), metadata=PERSON)
    assert picture.png == seal_pictures.square_seal(PERSON_NAME).data
    for who in (SECURITY, AGENCY, ANOTHER):
        asked = land.owner.GetSealPicture(esign_pb2.GetSealPictureRequest(id=seal.id), metadata=who)
        await refused(asked, grpc.StatusCode.NOT_FOUND, "SEAL_UNKNOWN")
    listed = (await land.owner.ListSeals(esign_pb2.ListSealsRequest(), metadata=SECURITY)).seals
    assert [(one.id, one.certificate_pem) for one in listed] == [(seal.id, "")]
    assert not (await land.owner.ListSeals(esign_pb2.ListSealsRequest(), metadata=headers("platform", "app", ""))).seals
    apply.request_id = rid()
    await refused(
        land.personal.ApplyPersonalSeal(apply, metadata=PERSON), grpc.StatusCode.ALREADY_EXISTS, "SEAL_EXISTS"
    )
    row = await land.base.store.read(seal_rows.find_seal_by_id, seal.id)
    assert row is not None
    assert (row.seal.name, row.seal.person) == ("", PERSON_ID)


async def test_what_may_not_be_made_asks_nobody_for_anything(land: SealLand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the name of whoever applied and was not reviewed, nor a second certificate for a repeated request."""
    asked: list[str] = []

    async def name_for_seal(self: Any, person_id: str, receiving: Any) -> str:
        asked.append(person_id)
        return PERSON_NAME

    monkeypatch.setattr(Neighbours, "name_for_seal", name_for_seal)
    seal = (
        await land.personal.ApplyPersonalSeal(seal_pb2.ApplyPersonalSealRequest(request_id=rid()), metadata=PERSON)
    ).seal
    await refused(land.made(seal.id), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    assert asked == []
    await land.reviewed(seal.id)
    request = seal_pb2.MakeSealRequest(request_id=rid(), id=seal.id)
    first = await land.admin.MakeSeal(request, metadata=SECURITY)
    assert first == await land.admin.MakeSeal(request, metadata=SECURITY)
    assert asked == [PERSON_ID]


async def test_the_short_way_asks_nobody_for_what_may_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """ApproveSeal: one certificate for a repeated request, none for a seal that has one."""
    made: list[str] = []
    whole = SealMaker.make

    async def make(self: Any, seal: Any, now_us: int) -> Any:
        made.append(seal.id)
        return await whole(self, seal, now_us)

    monkeypatch.setattr(SealMaker, "make", make)
    async with seal_land() as land:
        seal = await land.applied()
        request = esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id)
        first = await land.owner.ApproveSeal(request, metadata=SECURITY)
        assert first == await land.owner.ApproveSeal(request, metadata=SECURITY)
        again = esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id)
        await refused(
            land.owner.ApproveSeal(again, metadata=SECURITY), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE"
        )
        assert made == [seal.id]


async def test_a_time_that_is_none_is_refused(land: SealLand) -> None:
    """A Timestamp after its last day is the caller's fault and not the hub's."""
    seal = await land.active()
    revoke = seal_pb2.RevokeSealRequest(request_id=rid(), id=seal.id, reason_code=1, reason="私钥被盗")
    revoke.invalid_since.seconds = 2**40
    await refused(land.admin.RevokeSeal(revoke, metadata=SECURITY), grpc.StatusCode.INVALID_ARGUMENT, "TIME_FORM")
    listing = seal_pb2.ListSealedDocumentsRequest(id=seal.id)
    listing.since.seconds = 2**40
    asked = land.admin.ListSealedDocuments(listing, metadata=SECURITY)
    await refused(asked, grpc.StatusCode.INVALID_ARGUMENT, "TIME_FORM")


async def test_a_persons_seal_seals_no_document_of_the_platform(land: SealLand) -> None:
    """The agency through which a person got a seal cannot put it under a document of its own."""
    apply = seal_pb2.ApplyPersonalSealRequest(request_id=rid())
    through = headers("person", "police", "case.apply", "somebody")
    seal = (await land.personal.ApplyPersonalSeal(apply, metadata=through)).seal
    await land.reviewed(seal.id)
    await land.made(seal.id)
    await land.activated(seal.id)
    await refused(land.issue("C1", seal.id), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_KIND")


async def test_a_suspension_outruns_a_signature(land: SealLand) -> None:
    """While seals are suspended and resumed under load, every document that was issued bears a time at which its seal
    was ACTIVE by the journal, and whatever came after a suspension was refused.
    """
    seal = await land.active()
    results: list[str] = []

    async def signs(worker: int) -> None:
        for turn in range(6):
            try:
                await land.issue(f"C{worker}-{turn}")
                results.append("issued")
            except grpc.aio.AioRpcError as error:
                results.append(details_of(error)[0])

    async def switches() -> None:
        for _ in range(4):
            await land.changed(seal.id, SUSPENDED)
            await land.changed(seal.id, ACTIVE)

    await asyncio.gather(*(signs(worker) for worker in range(4)), switches())
    assert set(results) <= {"issued", "SEAL_STATE"}
    assert "issued" in results
    found = await land.owner.GetSeal(esign_pb2.GetSealRequest(id=seal.id), metadata=AGENCY)
    changes = [(one.time.ToMicroseconds(), one.state) for one in found.changes]
    for row in await land.rows(lambda conn: document_rows.sealed_since(conn, seal.id, 0, (), 500)):
        then = [state for at_us, state in changes if at_us <= row.signed_us][-1]
        assert then == ACTIVE, row.number


async def test_racing_activations_leave_one_seal_active(land: SealLand) -> None:
    """Whatever is activated, resumed, replaced and signed at once: never two active seals, and no gap for the signer."""
    old = await land.active()
    successor = await land.applied(replaces=old.id)
    await land.reviewed(successor.id)
    await land.made(successor.id)

    async def tried(call: Awaitable[Any]) -> str:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return details_of(error)[0]
        return "done"

    answers = await asyncio.gather(
        *(tried(land.activated(successor.id)) for _ in range(4)),
        *(tried(land.issue(f"C{at}")) for at in range(6)),
        tried(land.changed(old.id, SUSPENDED)),
    )
    assert answers[:4].count("done") == 1
    assert set(answers[:4]) == {"done", "SEAL_STATE"}
    states = [(row.seal.id, row.seal.state) for row in await land.rows(lambda c: seal_rows.seals_of(c, "police"))]
    assert states == [(old.id, SealState.REPLACED), (successor.id, SealState.ACTIVE)]
    assert await tried(land.changed(old.id, ACTIVE)) == "SEAL_STATE"
    assert await tried(land.issue("C9")) == "done"


async def test_what_a_crash_left_unlogged_is_logged(land: SealLand) -> None:
    """A change is in force with its commit; when the process dies before its entry, the next one logs it, once."""
    seal = await land.active()
    before = land.ledger.size

    def dies(conn: Any) -> None:
        land.seals.life.suspend(conn, seal.id, "operator/security", "测试")

    await land.base.write(dies)
    await refused(land.issue("C1"), grpc.StatusCode.FAILED_PRECONDITION, "SEAL_STATE")
    assert land.ledger.size == before
    await asyncio.gather(land.seals.life.log(), land.seals.life.log())
    assert land.ledger.size == before + 1
    assert (await land.entries())[-1].state == "SUSPENDED"
