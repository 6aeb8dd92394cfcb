"""`shuniu seal renew`: a kept document gets validation data and a new timestamp over HTTP, and stays what it was."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification.domain import pki
from services.esign.domain.cms.signed_data import P256Key
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.signing.domain import pades
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.domain.token import TimestampSigner
from services.esign.timestamps.sources import Authority
from shuniu.cli.main import parser
from shuniu.kit.process.clock import SystemClock
from tests.support import documents as attack
from tests.support.esign import small_pdf
from tests.support.timestamps import POLICY


@dataclass
class Land:
    """A hub's authorities on a port of this machine, and a document that it sealed."""

    url: str
    folder: Path
    # What the responder says of the seal's certificate, and since when (µs).
    standing: Standing
    since_us: int
    asked: list[str]

    @property
    def file(self) -> Path:
        return self.folder / "document.pdf"

    def renew(self, *more: str) -> int:
        given = ["seal", "renew", str(self.file), "--url", self.url, "--trust", str(self.folder / "trust"), *more]
        arguments = parser(given).parse_args(given)
        arguments.json, arguments.data = True, self.folder
        return int(arguments.run(arguments))


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Land]:
    now_us = time.time_ns() // 1000 - 5_000_000
    root = pki.make_root("内蒙古枢纽", now_us)
    ca, tsa = (
        pki.make_seal_ca(root, "内蒙古枢纽", now_us),
        pki.make_tsa(pki.make_tsa_ca(root, "枢纽", now_us), "枢纽", now_us),
    )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(ca, key.public_key(), "呼和浩特市公安局", "S1", now_us)
    signer = TimestampSigner.prepare(P256Key(tsa.key), tsa.der, [pki.certificate_der(tsa.above[0])], POLICY)
    authority, asked = Authority(signer, ClockGuard(SystemClock())), []

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            answer = authority.answer(body) if self.path == "/tsa" else ocsp(body)
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    def ocsp(body: bytes) -> bytes:
        question = x509.ocsp.load_der_ocsp_request(body)
        known = question.serial_number == certificate.serial_number
        told = CertificateStanding(question.serial_number, found.standing, found.since_us) if known else None
        at_us = time.time_ns() // 1000
        return revocation.answer(question, told, pki.make_ocsp_responder(ca, "枢纽", at_us), at_us)

    seal = pades.SigningSeal.prepare(P256Key(key), pki.certificate_der(certificate), [ca.der], "呼和浩特市公安局")
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "root.pem").write_bytes(pki.certificate_pem(root.certificate))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        found = Land(f"http://127.0.0.1:{server.server_port}", tmp_path, Standing.GOOD, now_us, asked)
        found.file.write_bytes(pades.sign(small_pdf(), seal, now_us))
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def steps(text: str) -> dict[str, str]:
    return {step["step"]: step["reason"] for step in json.loads(text)["steps"]}


def test_a_renewed_document_keeps_its_bytes_and_gains_proof_of_time(land, capsys):
    """Exit 0, the old file at the beginning of the new one; time and the seal's state are now proven in it."""
    before = land.file.read_bytes()
    assert land.renew() == 0
    found = steps(capsys.readouterr().out)
    assert (found["changes"], found["time"], found["seal_then"]) == ("RENEWED", "TIME_STAMPED", "CERTIFICATE_GOOD")
    once = land.file.read_bytes()
    assert once.startswith(before)
    assert {"/tsa", "/ocsp"} == set(land.asked)
    assert land.renew("--out", str(land.folder / "again.pdf")) == 0
    assert land.file.read_bytes() == once
    assert (land.folder / "again.pdf").read_bytes().startswith(once)


def test_what_is_broken_or_cannot_be_stamped_is_not_renewed(land, capsys):
    """A changed document and an authority that is away: exit 3, the file untouched."""
    good = land.file.read_bytes()
    land.file.write_bytes(attack.update(good, {3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<<>>>>"}))
    assert land.renew() == 3
    land.file.write_bytes(good)
    assert land.renew("--tsa", f"{land.url[:-1]}1/none") == 3
    assert land.file.read_bytes() == good
    assert "not renewed" in capsys.readouterr().err


def test_a_revocation_comes_to_light_with_the_renewal(land, capsys):
    """The responder says revoked before the proven time: the renewed document is open, for the signer states an earlier
    one. It is INVALID when the revocation is older than that too.
    """
    land.standing = Standing.REVOKED
    assert land.renew() == 2
    assert steps(capsys.readouterr().out)["seal_then"] == "CERTIFICATE_REVOKED_SINCE"
    land.since_us -= 10_000_000
    assert land.renew("--out", str(land.folder / "again.pdf")) == 1
    assert steps(capsys.readouterr().out)["seal_then"] == "CERTIFICATE_REVOKED"
