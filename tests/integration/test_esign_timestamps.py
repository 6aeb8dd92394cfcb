"""Timestamps and revocation over plain HTTP as programs ask for them, and stamped seals, all judged by other software."""

import asyncio
import base64
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from services.esign import store
from services.esign.certification.domain import pki
from services.esign.certification.domain.issued import Issued
from services.esign.domain.cms.signed_data import P256Key
from services.esign.domain.errors import DocumentUnfitError
from services.esign.revocation.domain.answers import MOST_BYTES
from services.esign.revocation.service import RevocationService
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.domain import pades
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.service import TimestampService
from services.esign.timestamps.sources import Authority, HttpTimestamps, OwnTimestamps, TimestampAwayError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.rpc.server import servicer
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import ManualClock
from tests.support.esign import NOW_US, page, setting, small_pdf
from tests.support.timestamps import authority, signer
from tests.support.web_land import WebLand, web_land

QUERY = {"content-type": "application/timestamp-query"}


async def openssl(*command: str) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is absent: make test-deps")
    process = await asyncio.create_subprocess_exec(
        "openssl", *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return said.decode(errors="replace")


@dataclass
class _Base:
    """What Revocation needs of a foundation."""

    store: Store
    clock: Any
    hub: Any


@dataclass
class Land:
    """A web process in front of a timestamp authority and a revocation service with one seal, on the real clock."""

    web: WebLand
    http: httpx.AsyncClient
    store: Store
    ca: pki.Authority
    certificate: x509.Certificate
    guard_clock: ManualClock
    folder: Path

    async def move(self, state: SealState) -> None:
        def unit(conn: Any) -> None:
            found = seal_rows.find_seal_by_id(conn, "seal-1")
            assert found is not None
            held_us = SystemClock().now_us() if state is SealState.SUSPENDED else None
            seal_rows.set_seal_state(conn, replace(found.seal, state=state, held_us=held_us), "test")
            seal_rows.standing_changed(conn, "seal-1", SystemClock().now_us())

        await self.store.write(unit)

    def file(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)


@pytest_asyncio.fixture
async def land(tmp_path: Path) -> AsyncIterator[Land]:
    clock = SystemClock()
    now_us = clock.now_us()
    root = pki.make_root("内蒙古枢纽", now_us)
    ca = pki.make_seal_ca(root, "内蒙古枢纽", now_us)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(
        ca, key.public_key(), "呼和浩特市公安局", "seal-1", now_us, status_url="http://hub.example"
    )
    tsa = pki.make_tsa(pki.make_tsa_ca(root, "内蒙古枢纽", now_us), "内蒙古枢纽", now_us)
    stamping = timestamp.TimestampSigner.prepare(
        P256Key(tsa.key), tsa.der, [pki.certificate_der(tsa.above[0])], "1.2.3.4.5"
    )
    guard_clock = ManualClock(now_us)
    stamps = Authority(stamping, ClockGuard(guard_clock, passed_us=lambda: 0))
    url = f"sqlite:///{tmp_path}/esign.db"
    await migrate(url, "services.esign", clock)
    kept = await Store.open(url, store.METADATA, clock=clock)

    def put(conn: Any) -> None:
        seal = Seal("seal-1", "police", "呼和浩特市公安局", SealState.APPLIED, 0, 0)
        seal_rows.put_seal(conn, seal, now_us)
        active = replace(seal, state=SealState.ACTIVE, not_before_us=now_us, not_after_us=now_us + 10**12)
        seal_rows.made(conn, seal_rows.SealRow(active, pki.certificate_der(certificate), b"-"))
        seal_rows.certified(conn, Issued.of(pki.certificate_der(certificate)), "seal-1", now_us)

    await kept.write(put)
    servicers = [
        servicer(TimestampService(stamps)),
        servicer(RevocationService(_Base(kept, clock, type("Hub", (), {"name": "内蒙古枢纽"})), ca)),
    ]
    (tmp_path / "root.pem").write_bytes(pki.certificate_pem(root.certificate))
    (tmp_path / "ca.pem").write_bytes(pki.certificate_pem(ca.certificate))
    (tmp_path / "seal.pem").write_bytes(pki.certificate_pem(certificate))
    try:
        async with web_land(address="127.0.0.1:0", beside_esign=servicers) as web, web.browser() as http:
            yield Land(web, http, kept, ca, certificate, guard_clock, tmp_path)
    finally:
        await kept.close()


async def test_a_timestamp_over_http_satisfies_openssl(land: Land) -> None:
    """POST /tsa: media types of RFC 3161 3.4, and an answer that `openssl ts -verify` accepts."""
    data, query = land.file("data", b"document"), str(land.folder / "query")
    await openssl("ts", "-query", "-data", data, "-sha256", "-cert", "-out", query)
    answer = await land.http.post("/tsa", content=Path(query).read_bytes(), headers=QUERY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/timestamp-reply"
    reply = land.file("reply", answer.content)
    said = await openssl("ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", str(land.folder / "root.pem"))
    assert "Verification: OK" in said


async def test_what_is_no_timestamp_query_is_turned_away(land: Land) -> None:
    """Another media type 415, too long 413, rubbish a refusal of the authority, GET 405."""
    assert (await land.http.post("/tsa", content=b"x")).status_code == 415
    assert (await land.http.post("/tsa", content=bytes(5000), headers=QUERY)).status_code == 413
    answer = await land.http.post("/tsa", content=b"rubbish", headers=QUERY)
    assert answer.status_code == 200
    said = await openssl("ts", "-reply", "-in", land.file("reply", answer.content), "-text")
    assert "the data submitted has the wrong format" in said
    assert (await land.http.get("/tsa")).status_code == 405


async def test_a_wrong_clock_is_said_over_http(land: Land) -> None:
    """timeNotAvailable while the clock is in doubt, as OpenSSL reads it."""
    land.guard_clock.advance(-60)
    question = timestamp.query(sha256(b"document").digest(), 5)
    answer = await land.http.post("/tsa", content=question, headers=QUERY)
    said = await openssl("ts", "-reply", "-in", land.file("reply", answer.content), "-text")
    assert "Status: Rejected." in said
    assert "time source is not available" in said


async def test_openssl_ocsp_sees_each_change_of_a_seal_at_once(land: Land) -> None:
    """good, held, good again, revoked: the next answer after each change says so, signed and with the nonce."""

    async def ask() -> str:
        return await openssl(
            "ocsp", "-issuer", str(land.folder / "ca.pem"), "-cert", str(land.folder / "seal.pem"),
            "-url", f"{land.web.url.replace('localhost', '127.0.0.1')}/ocsp", "-CAfile", str(land.folder / "root.pem"),
            "-text",
        )  # fmt: skip

    for state, word in (
        (SealState.ACTIVE, "good"),
        (SealState.SUSPENDED, "revoked"),
        (SealState.ACTIVE, "good"),
        (SealState.REVOKED, "revoked"),
    ):
        await land.move(state)
        said = await ask()
        assert "Response verify OK" in said
        assert f"seal.pem: {word}" in said
        assert "WARNING: no nonce" not in said
        assert ("certificateHold" in said) is (state is SealState.SUSPENDED)


async def test_ocsp_by_get_and_for_what_is_unknown(land: Land) -> None:
    """GET with Base64 in the path; another serial number is unknown; rubbish is malformedRequest."""

    def request(certificate: x509.Certificate) -> bytes:
        built = ocsp.OCSPRequestBuilder().add_certificate(certificate, land.ca.certificate, hashes.SHA256()).build()
        return built.public_bytes(Encoding.DER)

    answer = await land.http.get(f"/ocsp/{base64.b64encode(request(land.certificate)).decode()}")
    assert answer.headers["content-type"] == "application/ocsp-response"
    assert ocsp.load_der_ocsp_response(answer.content).certificate_status is ocsp.OCSPCertStatus.GOOD
    other = await land.http.post(
        "/ocsp", content=request(setting().root.certificate), headers={"content-type": "application/ocsp-request"}
    )
    assert ocsp.load_der_ocsp_response(other.content).certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    for rubbish in (b"x", bytes(MOST_BYTES)):
        answer = await land.http.post("/ocsp", content=rubbish, headers={"content-type": "application/ocsp-request"})
        assert ocsp.load_der_ocsp_response(answer.content).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


async def test_the_list_holds_what_is_revoked_now(land: Land) -> None:
    """GET /crl: signed by the seal CA, with later numbers, and OpenSSL refuses the revoked certificate by it."""
    first = x509.load_der_x509_crl((await land.http.get("/crl")).content)
    assert list(first) == []
    await land.move(SealState.REVOKED)
    content = (await land.http.get("/crl")).content
    second = x509.load_der_x509_crl(content)
    assert [entry.serial_number for entry in second] == [land.certificate.serial_number]
    assert second.is_signature_valid(land.ca.certificate.public_key())
    numbers = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for crl in (first, second)]
    assert numbers == sorted(set(numbers))
    land.file("crl.der", content)
    await openssl("crl", "-inform", "DER", "-in", str(land.folder / "crl.der"), "-out", str(land.folder / "crl.pem"))
    said = await openssl(
        "verify", "-crl_check", "-CRLfile", str(land.folder / "crl.pem"), "-CAfile", str(land.folder / "root.pem"),
        "-untrusted", str(land.folder / "ca.pem"), str(land.folder / "seal.pem"),
    )  # fmt: skip
    assert "certificate revoked" in said


async def test_a_seal_names_where_to_ask_only_when_configured(land: Land) -> None:
    """AIA and CDP stand in the certificate with `revocation_url`, and are absent without."""
    found = land.certificate.extensions
    aia = found.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [d.access_location.value for d in aia] == ["http://hub.example/ocsp"]
    crl = found.get_extension_for_class(x509.CRLDistributionPoints).value
    assert crl[0].full_name is not None
    assert crl[0].full_name[0].value == "http://hub.example/crl"
    plain = x509.load_der_x509_certificate(setting().certificate)
    with pytest.raises(x509.ExtensionNotFound):
        plain.extensions.get_extension_for_class(x509.AuthorityInformationAccess)


async def test_an_outside_authority_is_used_by_its_address_alone(land: Land) -> None:
    """HttpTimestamps: the token is checked, its room is learned, and no answer is TimestampAwayError."""
    roots = tuple(x509.load_pem_x509_certificates((land.folder / "root.pem").read_bytes()))
    source = HttpTimestamps("/tsa", land.http, roots, SystemClock())
    room = await source.room()
    signature = pades.LastSignature.of(pades.sign(small_pdf(), setting().seal, NOW_US, token=room))
    stamped = signature.stamped(await source.stamp(signature.value))
    assert pades.LastSignature.of(stamped).has_timestamp
    with pytest.raises(TimestampAwayError, match="TSA_NOT_TRUSTED"):
        await HttpTimestamps("/tsa", land.http, (setting().root.certificate,), SystemClock()).stamp(b"x")
    with pytest.raises(TimestampAwayError):
        await HttpTimestamps("/static/none", land.http, roots, SystemClock()).stamp(b"x")
    land.guard_clock.advance(-60)
    with pytest.raises(TimestampAwayError, match="refused"):
        await source.stamp(b"x")


async def stamped_pdf(pdf: bytes) -> bytes:
    source = OwnTimestamps(authority())
    signature = pades.LastSignature.of(pades.sign(pdf, setting().seal, NOW_US, token=await source.room()))
    return signature.stamped(await source.stamp(signature.value))


async def test_a_stamped_seal_has_room_to_the_byte_and_moves_nothing() -> None:
    """B-T differs from B-B inside /Contents only, is as long, and its room is that of the longest token."""
    room = authority().max_size()
    plain = pades.sign(page(), setting().seal, NOW_US, token=room)
    signature = pades.LastSignature.of(plain)
    stamped = signature.stamped(authority().token(sha256(signature.value).digest()))
    assert len(stamped) == len(plain)
    assert stamped[: signature.start] == plain[: signature.start]
    assert stamped[signature.end :] == plain[signature.end :]
    unused = len(stamped[signature.start : signature.end]) - len(stamped[signature.start : signature.end].rstrip(b"0"))
    # Two signatures, each at most three bytes shorter than the longest, and a last digit that may be a zero.
    assert unused <= 4 * 4
    with pytest.raises(DocumentUnfitError, match="TIMESTAMP_ROOM"):
        signature.stamped(bytes(room + 40))
    with pytest.raises(DocumentUnfitError, match="NOT_SEALED_HERE"):
        pades.LastSignature.of(page())


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", ["certificate", "xref-stream"])
async def test_other_readers_accept_a_stamped_seal(kind: str, tmp_path: Path) -> None:
    """pyHanko: intact, trusted, and its timestamp valid; pdfsig and mutool: valid and unchanged."""
    from datetime import UTC, datetime

    from asn1crypto import x509 as asn1
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    path = tmp_path / "stamped.pdf"
    path.write_bytes(await stamped_pdf(page() if kind == "certificate" else small_pdf(xref_stream=True)))
    root = asn1.Certificate.load(pki.certificate_der(setting().root.certificate))
    context = ValidationContext(
        trust_roots=[root], moment=datetime.fromtimestamp(NOW_US / 1e6, UTC), allow_fetching=False
    )
    with path.open("rb") as file:
        status = await async_validate_pdf_signature(
            PdfFileReader(file).embedded_signatures[0], signer_validation_context=context
        )
    assert status.bottom_line
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.valid
    assert status.timestamp_validity.trusted
    assert int(status.timestamp_validity.timestamp.timestamp()) == NOW_US // 1_000_000
    for command, words in (
        (("pdfsig", str(path)), "Signature Validation: Signature is Valid."),
        (("mutool", "sign", "-v", str(path)), "The document is unchanged since signing."),
    ):
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
            assert words in (done.stdout + done.stderr).decode(errors="replace")


def test_the_token_is_over_the_signature_value() -> None:
    """OpenSSL's view of a stamped seal: the unsigned attribute is there and the CMS still verifies."""
    found = pades.LastSignature.of(pades.sign(small_pdf(), setting().seal, NOW_US, token=authority().max_size()))
    stamped = found.stamped(authority().token(sha256(found.value).digest()))
    assert pades.LastSignature.of(stamped).value == found.value
    assert re.search(rb"ETSI\.CAdES\.detached", stamped)
    assert signer().policy in bytes.fromhex(stamped[found.start : found.end].decode())
