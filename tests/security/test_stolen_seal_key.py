"""Drill: a seal's key is stolen. What the thief makes with it is VALID nowhere; what the hub sealed before stays so."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.documents.store import certificates as document_rows
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.pages import layout
from services.esign.pages.domain import certificates, qr
from services.esign.seals.maker import key_context
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.domain import pades
from shuniu.api.esign.v1 import esign_pb2, seal_pb2
from tests.support.esign import certificate_data
from tests.support.seal_land import ORGANISATION, SECURITY, SealLand, digest_of, rid, seal_land

HOUR_US = 3600 * 1_000_000


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land() as found:
        yield found


async def forged(land: SealLand, seal_id: str, at_us: int, number: str = "15000020260009999") -> bytes:
    """A document as the thief makes it: with the real key and certificate, with any time, outside of the hub."""
    row = await land.base.store.read(seal_rows.find_seal_by_id, seal_id)
    assert row is not None
    held = land.secrets.seal_key(row.wrapped_key, key_context(seal_id), row.certificate)
    data = certificate_data("盗用者", number)
    # The thief has no key of QR codes.
    signer = qr.QrSigner.prepare(ec.generate_private_key(ec.SECP256R1()), land.secrets.qr.host)
    page = layout.typeset_here(data, signer.host, signer.url(data), at_us)
    field = layout.seal_field(certificates.TEMPLATES[certificates.NO_CRIMINAL_RECORD])
    return pades.sign(
        page, pades.SigningSeal.prepare(held.key, row.certificate, held.chain, ORGANISATION, field), at_us
    )


def steps(verdict: Any) -> dict[str, tuple[str, str]]:
    return {step.step: (step.status, step.reason) for step in verdict.steps}


async def offline(land: SealLand, pdf: bytes, proof: str = "", *, crl: bool = True) -> Any:
    """What `shuniu verify` says with the hub's root, ledger key and newest CRL."""
    with tempfile.TemporaryDirectory(dir=land.folder) as folder:
        trust = Path(folder) / "trust"
        trust.mkdir()
        (trust / "root.pem").write_bytes(pki.certificate_pem(land.secrets.seal_ca.root))
        (trust / "ledger.vkey").write_text(land.secrets.ledger.verifier.vkey)
        if crl:
            (trust / "esign.crl").write_bytes(await land.crl())
        file = Path(folder) / "file.pdf"
        file.write_bytes(pdf)
        if proof:
            Path(folder, "file.pdf.tlog-proof").write_text(proof)
        return commands.verify_file(file, trust, now_us=land.clock.now_us())


async def test_nothing_of_the_thief_is_valid_on_any_path(land: SealLand) -> None:
    """Before the theft is known and after, with any stated time: by upload, by hash, by number, with another's receipt,
    offline with the newest list.
    """
    seal = await land.applied()
    await land.owner.ApproveSeal(esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
    good = await land.downloaded((await land.issue("C1")).number)
    now_us = land.clock.now_us()
    fakes = [await forged(land, seal.id, at_us) for at_us in (now_us, now_us - 100_000_000)]
    for fake in fakes:
        # Nobody knows of the theft yet: the log does not hold it, so it is not VALID.
        assert (await land.verdict(fake)).verdict == "INDETERMINATE"
        assert (await land.verdict(fake, good.tlog_proof)).verdict != "VALID"
    await land.revoked(seal.id, now_us - 50_000_000)
    found = (
        ("INVALID", ("invalid", "CERTIFICATE_REVOKED")),
        ("INDETERMINATE", ("unknown", "CERTIFICATE_REVOKED_SINCE")),
    )
    for fake, (outcome, then) in zip(fakes, found, strict=True):
        uploaded = await land.verdict(fake)
        assert (uploaded.verdict, steps(uploaded)["seal_then"]) == (outcome, then)
        assert (await land.verdict(fake, good.tlog_proof)).verdict != "VALID"
        by_hash = await land.verification.VerifyByHash(esign_pb2.VerifyByHashRequest(hash=digest_of(fake)))
        assert by_hash.verdict.verdict == "INDETERMINATE"
        assert (await offline(land, fake)).outcome.value == outcome
        assert (await offline(land, fake, good.tlog_proof)).outcome.value != "VALID"


async def test_evidence_is_no_receipt(land: SealLand) -> None:
    """A thief who has a member log the digest of his document as evidence holds a receipt of evidence, not of a seal."""
    seal = await land.applied()
    await land.owner.ApproveSeal(esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
    fake = await forged(land, seal.id, land.clock.now_us())
    receipt = await land.ledger.append(
        Entry(EntryType.EVIDENCE, land.clock.now_us(), document_sha256=digest_of(fake), source="police", kind="file")
    )
    assert (await land.verdict(fake, receipt.text)).verdict != "VALID"
    assert (await offline(land, fake, receipt.text, crl=False)).outcome.value != "VALID"


async def test_without_list_and_receipt_a_verdict_says_what_it_did_not_ask(land: SealLand) -> None:
    """Offline with neither, nobody can know of the theft: ledger and seal at signing are named as not checked."""
    seal = await land.applied()
    await land.owner.ApproveSeal(esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
    fake = await forged(land, seal.id, land.clock.now_us())
    verdict = await offline(land, fake, crl=False)
    found = {step.step: step.status.value for step in verdict.steps}
    assert (found["ledger"], found["seal_then"], found["seal_now"]) == ("not_checked",) * 3


async def test_what_was_logged_before_the_date_stays_valid_and_later_is_not(land: SealLand) -> None:
    """Documents of the hub itself: before the invalidity date VALID, from it on INVALID, by upload, QR, number, hash and
    offline with the list; those to re-issue are listed; the next version seals anew.
    """
    seal = await land.applied()
    await land.owner.ApproveSeal(esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
    before = await land.issue("C1")
    row = await land.base.store.read(document_rows.find_certificate_by_number, before.number)
    assert row is not None
    # Lists and OCSP speak in whole seconds.
    land.slots.guard = None
    land.clock.moved_us += 5_000_000
    theft_us = land.clock.now_us()
    land.clock.moved_us += 5_000_000
    after = await land.issue("C2")
    await land.revoked(seal.id, theft_us)
    for document, outcome in ((before, "VALID"), (after, "INVALID")):
        got = await land.downloaded(document.number)
        assert (await land.verdict(got.pdf)).verdict == outcome
        code = await land.verification.VerifyQr(esign_pb2.VerifyQrRequest(content=document.qr))
        assert code.verdict.verdict == outcome
        by_hash = await land.verification.VerifyByHash(esign_pb2.VerifyByHashRequest(hash=document.sha256))
        assert by_hash.verdict.verdict == outcome
        number = esign_pb2.VerifyByNumberRequest(number=document.number, hash_tail=document.sha256[-8:])
        assert (await land.verification.VerifyByNumber(number)).verdict.verdict == outcome
        assert (await offline(land, got.pdf, got.tlog_proof)).outcome.value == outcome
    ask = seal_pb2.ListSealedDocumentsRequest(id=seal.id)
    ask.since.FromMicroseconds(theft_us)
    listed = await land.admin.ListSealedDocuments(ask, metadata=SECURITY)
    assert [one.number for one in listed.certificates] == [after.number]
    replace = seal_pb2.ReplaceSealRequest(request_id=rid(), id=seal.id, reason="私钥被盗")
    successor = (await land.admin.ReplaceSeal(replace, metadata=SECURITY)).seal
    await land.reviewed(successor.id)
    await land.made(successor.id)
    await land.activated(successor.id)
    assert (await land.state(seal.id), await land.state(successor.id)) == ("REVOKED", "ACTIVE")
    anew = await land.downloaded((await land.issue("C3")).number)
    assert (await land.verdict(anew.pdf)).verdict == "VALID"


async def test_a_theft_may_prove_older(land: SealLand) -> None:
    """Also of a seal that was replaced long ago; never younger, so that nothing invalid becomes good again."""
    seal = await land.applied()
    await land.owner.ApproveSeal(esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id), metadata=SECURITY)
    document = await land.downloaded((await land.issue("C1")).number)
    successor = await land.active(replaces=seal.id)
    assert (await land.verdict(document.pdf)).verdict == "VALID"
    now_us = land.clock.now_us()
    assert (await land.revoked(seal.id, now_us - HOUR_US)).state == esign_pb2.SEAL_STATE_REVOKED
    assert (await land.verdict(document.pdf)).verdict == "INVALID"
    assert await land.state(successor.id) == "ACTIVE"
