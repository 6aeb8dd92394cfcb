"""SM2 seal certificates: their revocation in OCSP and CRL, read and checked by openssl; the SESeal made anew."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import sm2_chain
from services.esign.domain import der
from services.esign.revocation.own_list import RevocationLists
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.ses.domain import values as ses
from shuniu.api.esign.v1 import esign_pb2, timestamp_pb2
from shuniu.kit.crypto import sm
from tests.support.seal_land import AGENCY, SealLand, seal_land

pytestmark = [
    pytest.mark.skipif(not sm.available(), reason="no libcrypto with SM2 here"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is absent: make test-deps"),
]
SUSPENDED = esign_pb2.SEAL_STATE_SUSPENDED


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land(two_operators=True, sm2=True) as found:
        yield found


async def openssl(*command: str) -> str:
    def run() -> str:
        done = subprocess.run(["openssl", *command], capture_output=True, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    return await asyncio.to_thread(run)


async def certificate_of(land: SealLand, seal_id: str) -> x509.Certificate:
    kept = await land.base.store.read(ses_store.find_sm2_seal, seal_id)
    assert kept is not None
    return x509.load_der_x509_certificate(kept.certificate)


async def signed_by(folder: Path, structure: bytes, spki: bytes) -> bool:
    """Whether openssl finds the SM2 signature of a signed structure (body, algorithm, bits) right, SM3 and the default
    signer id.
    """
    body, _algorithm, bits = der.parse(structure).children()[:3]
    for name, content in (("body", body.raw), ("signature", bits.body[1:]), ("key.der", spki)):
        (folder / name).write_bytes(content)
    await openssl("pkey", "-pubin", "-inform", "DER", "-in", str(folder / "key.der"), "-out", str(folder / "key.pem"))
    said = await openssl(
        *("pkeyutl", "-verify", "-pubin", "-inkey", str(folder / "key.pem"), "-rawin", "-digest", "sm3"),
        *("-pkeyopt", "distid:1234567812345678", "-in", str(folder / "body"), "-sigfile", str(folder / "signature")),
    )
    return "Signature Verified Successfully" in said


async def test_the_list_of_sm2_certificates_is_read_by_openssl(land: SealLand, tmp_path: Path) -> None:
    """Empty, with a held certificate, with a revoked one and its invalidity date; each signed by the SM2 seal CA."""
    assert land.secrets.sm is not None
    ca = land.secrets.sm.seal_ca
    seal = await land.active()
    serial = f"{(await certificate_of(land, seal.id)).serial_number:X}"

    async def listed() -> str:
        data = await land.crl(seal_rows.SM2)
        (tmp_path / "list").write_bytes(data)
        assert await signed_by(tmp_path, data, ca.spki)
        return await openssl("crl", "-inform", "DER", "-in", str(tmp_path / "list"), "-noout", "-text")

    text = await listed()
    assert "No Revoked Certificates" in text
    assert "SM2-with-SM3" in text
    await land.changed(seal.id, SUSPENDED)
    assert "Certificate Hold" in await listed()
    await land.revoked(seal.id, land.clock.now_us() - 60_000_000)
    text = await listed()
    assert serial in text
    assert "Key Compromise" in text
    assert "Invalidity Date" in text
    assert serial not in str(x509.load_der_x509_crl(await land.crl()))


async def test_ocsp_answers_for_sm2_certificates(land: SealLand, tmp_path: Path) -> None:
    """openssl's own request is answered good, then revoked with the reason, by a responder the SM2 seal CA certified;
    its nonce comes back.
    """
    assert land.secrets.sm is not None
    seal = await land.active()
    certificate = await certificate_of(land, seal.id)
    ca = x509.load_der_x509_certificate(land.secrets.sm.seal_ca.certificate)
    for name, one in (("seal.pem", certificate), ("ca.pem", ca)):
        (tmp_path / name).write_bytes(one.public_bytes(Encoding.PEM))
    question, answer = tmp_path / "question", tmp_path / "answer"
    both = ("-issuer", str(tmp_path / "ca.pem"), "-cert", str(tmp_path / "seal.pem"))

    async def asked() -> str:
        await openssl("ocsp", *both, "-reqout", str(question))
        request = timestamp_pb2.AnswerOcspRequest(der=question.read_bytes())
        answer.write_bytes((await land.revocation.AnswerOcsp(request, metadata=AGENCY)).der)
        # The signature is checked apart: openssl gives the signer id to certificates only.
        return await openssl("ocsp", *both, "-reqin", str(question), "-respin", str(answer), "-noverify", "-resp_text")

    said = await asked()
    assert f"{tmp_path / 'seal.pem'}: good" in said
    assert "WARNING: no nonce" not in said
    basic = der.parse(der.parse(answer.read_bytes()).children()[1].children()[0].children()[1].body)
    responder = sm2_chain.load(basic.children()[3].children()[0].children()[0].raw)
    assert await signed_by(tmp_path, basic.raw, responder.spki)
    assert await signed_by(tmp_path, responder.der, land.secrets.sm.seal_ca.spki)
    await land.revoked(seal.id)
    said = await asked()
    assert f"{tmp_path / 'seal.pem'}: revoked" in said
    assert "keyCompromise" in said


async def test_a_replaced_seal_is_bound_anew(land: SealLand) -> None:
    """The successor's SESeal has its own certificate in its list and its own picture; the old one is on the SM2 list."""
    old = await land.active()
    new = await land.active(replaces=old.id)
    first, second = [await land.base.store.read(ses_store.find_sm2_seal, one.id) for one in (old, new)]
    assert first is not None
    assert second is not None
    read = ses.read(second.eseal)
    assert isinstance(read, ses.Seal)
    assert (read.info.id, read.info.certificates) == (new.id, (second.certificate,))
    kept = await land.base.store.read(seal_store.find_picture, new.id)
    assert kept is not None
    assert read.info.picture == kept.picture
    listed = x509.load_der_x509_crl(await land.crl(seal_rows.SM2))
    assert [one.serial_number for one in listed] == [x509.load_der_x509_certificate(first.certificate).serial_number]
    document = await land.downloaded((await land.issue("C1")).number)
    verdict = await land.verdict(document.pdf)
    assert (verdict.verdict, {s.step: s.status for s in verdict.steps}["ses"]) == ("VALID", "valid")


async def test_the_hub_judges_by_its_own_sm2_list_too(land: SealLand) -> None:
    """For documents outside of its register: lists of both families, made anew with the next change and kept until."""
    assert land.secrets.sm is not None
    lists = RevocationLists(land.base, (land.secrets.seal_ca,), (land.secrets.sm.seal_ca,))
    assert await lists.current() == ()
    seal = await land.active()
    assert await lists.current() == ()
    await land.revoked(seal.id)
    plain, sm2 = await lists.current()
    assert await lists.current() == (plain, sm2)
    serial = (await certificate_of(land, seal.id)).serial_number
    assert [one.serial_number for one in x509.load_der_x509_crl(sm2)] == [serial]
    assert [one.serial_number for one in x509.load_der_x509_crl(plain)] != [serial]
