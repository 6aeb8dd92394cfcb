"""Independent judges read what we seal. Their text counts, not their exit code: some exit 0 on tampered files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from services.esign.certification.domain import pki
from services.esign.signing.domain import pades
from tests.support import documents as attack
from tests.support.esign import NOW_US, page, sealed, setting, small_pdf

PAYLOADS = {
    "certificate": sealed,
    "small": lambda: pades.sign(small_pdf(), setting().seal, NOW_US),
    "object-stream": lambda: pades.sign(attack.packed(), setting().seal, NOW_US),
    "xref-stream": lambda: pades.sign(small_pdf(xref_stream=True), setting().seal, NOW_US),
}


def judge(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is absent: make test-deps")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture(params=sorted(PAYLOADS))
def signed(request, tmp_path) -> Path:
    path = tmp_path / "signed.pdf"
    path.write_bytes(PAYLOADS[request.param]())
    return path


def tampered(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    # A page's size where it stands in the clear, else the field's place.
    found = data.find(b"/MediaBox[0 0 ")
    at = found + len(b"/MediaBox[0 0 ") if found >= 0 else data.index(b"/Rect[") + len(b"/Rect[")
    data[at] ^= 1
    out = path.with_name("tampered.pdf")
    out.write_bytes(data)
    return out


def test_pdfsig_calls_the_signature_valid_and_the_whole_document_signed(signed):
    """Poppler / NSS reads the seal as a valid signature over everything."""
    text = judge("pdfsig", str(signed))
    assert "Signature Validation: Signature is Valid." in text
    assert "Total document signed" in text
    assert "ETSI.CAdES.detached" in text


def test_pdfsig_sees_tampering(signed):
    """The judge itself works: a flipped bit is noticed."""
    assert "Signature Validation: Digest Mismatch." in judge("pdfsig", str(tampered(signed)))


def test_pdfsig_trusts_the_signer_when_the_root_is_trusted(signed, tmp_path):
    """The certificate profile is one that NSS accepts for signing documents."""
    store, root = tmp_path / "nss", tmp_path / "root.pem"
    store.mkdir()
    root.write_bytes(pki.certificate_pem(setting().root.certificate))
    judge("certutil", "-N", "-d", f"sql:{store}", "--empty-password")
    judge("certutil", "-A", "-d", f"sql:{store}", "-n", "root", "-t", "C,C,C", "-i", str(root))
    assert "Certificate is Trusted." in judge("pdfsig", "-nssdir", f"sql:{store}", str(signed))


def test_qpdf_finds_no_error(signed):
    """The update keeps the file well formed."""
    text = judge("qpdf", "--check", str(signed))
    assert "No syntax or stream encoding errors found" in text
    assert "WARNING" not in text


def test_mutool_calls_the_document_unchanged(signed):
    """MuPDF reads the seal as intact."""
    assert "The document is unchanged since signing." in judge("mutool", "sign", "-v", str(signed))


def test_openssl_verifies_the_cms_over_the_byte_range(signed, tmp_path):
    """The CMS alone, its chain to our root included, satisfies OpenSSL."""
    data = signed.read_bytes()
    start, gap, after, rest = (int(n) for n in re.search(rb"/ByteRange\[(\d+) (\d+) (\d+) (\d+)\]", data).groups())
    assert (start, after + rest) == (0, len(data))
    (tmp_path / "content").write_bytes(data[:gap] + data[after:])
    (tmp_path / "cms.der").write_bytes(bytes.fromhex(data[gap + 1 : after - 1].decode()))
    (tmp_path / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    text = judge(
        "openssl",
        "cms",
        "-verify",
        "-binary",
        "-inform",
        "DER",
        "-in",
        str(tmp_path / "cms.der"),
        "-content",
        str(tmp_path / "content"),
        "-CAfile",
        str(tmp_path / "root.pem"),
        "-purpose",
        "any",
        "-attime",
        str(NOW_US // 1_000_000),
        "-out",
        "/dev/null",
        "-cades",
    )
    assert "CAdES Verification successful" in text or "CMS Verification successful" in text


@pytest.mark.filterwarnings("default")
def test_pyhanko_finds_a_trusted_certification_of_the_whole_file(signed):
    """pyHanko: intact, valid, trusted, whole file, no changes allowed."""
    pytest.importorskip("pyhanko", reason="pyHanko is absent: pip install pyhanko")
    from datetime import UTC, datetime

    from asn1crypto import x509 as asn1
    from cryptography.hazmat.primitives.serialization import Encoding
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.fields import MDPPerm
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    root = asn1.Certificate.load(setting().root.certificate.public_bytes(Encoding.DER))
    context = ValidationContext(
        trust_roots=[root], moment=datetime.fromtimestamp(NOW_US / 1e6, UTC), allow_fetching=False
    )
    with signed.open("rb") as file:
        signature = PdfFileReader(file).embedded_signatures[0]
        status = validate_pdf_signature(signature, signer_validation_context=context)
    assert status.intact
    assert status.valid
    assert status.trusted
    assert status.coverage.name == "ENTIRE_FILE"
    assert signature.docmdp_level is MDPPerm.NO_CHANGES
    assert status.bottom_line


def test_the_seal_fits_its_contents_exactly():
    """/Contents is as long as the longest CMS of this key, to the byte."""
    data = sealed()
    gap, after = (int(n) for n in re.search(rb"/ByteRange\[0 (\d+) (\d+) ", data).groups())
    assert after - gap - 2 == 2 * setting().seal.cms.max_size
    assert data.startswith(page())
