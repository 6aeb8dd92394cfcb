"""Independent judges of documents sealed with SM2: PDFBox with BouncyCastle, and OpenSSL for the certificates."""

from pathlib import Path

from services.esign.certification.domain import chain
from tests.support import judges
from tests.support.esign import NOW_US
from tests.support.sm import sm_setting
from tests.support.sm_documents import sealed, stamped, tsa_chain

HOUR_US = 3600 * 1_000_000


def test_pdfbox_and_bouncycastle_call_seal_and_timestamp_valid_and_trusted(tmp_path: Path) -> None:
    """Signature, path to the SM2 root and timestamp hold under the default signer id; a changed byte does not."""
    files = {name: tmp_path / name for name in ("sealed.pdf", "stamped.pdf", "changed.pdf")}
    files["sealed.pdf"].write_bytes(sealed())
    files["stamped.pdf"].write_bytes(stamped())
    changed = bytearray(stamped())
    changed[changed.index(b"/MediaBox[0 0 ") + len(b"/MediaBox[0 0 ")] ^= 1
    files["changed.pdf"].write_bytes(changed)
    root = chain.load(sm_setting().root.certificate)
    found = judges.pdfbox(tmp_path, root, NOW_US + HOUR_US, *files.values())
    assert found["sealed.pdf"][1:] == ["ETSI.CAdES.detached valid trusted whole"]
    assert found["stamped.pdf"][1:] == ["ETSI.CAdES.detached valid trusted stamp-valid trusted whole"]
    (verdict,) = found["changed.pdf"][1:]
    assert " valid " not in verdict


def test_openssl_verifies_the_timestamp_authoritys_certificates(tmp_path: Path) -> None:
    """`openssl verify` with the default signer id: the timestamp CA under the root, the authority under its CA."""
    ca, authority = tsa_chain()
    for signer, above in ((ca, sm_setting().root.certificate), (authority, ca)):
        (tmp_path / "signer.pem").write_bytes(judges.pem(signer))
        (tmp_path / "above.pem").write_bytes(judges.pem(above))
        # One level a call: openssl 3.0 gives the signer id to the certificate that is judged, not to those above it.
        text = judges.said(
            *("openssl", "verify", "-x509_strict", "-partial_chain", "-attime", str(NOW_US // 1_000_000)),
            *("-vfyopt", "distid:1234567812345678", "-CAfile", str(tmp_path / "above.pem")),
            str(tmp_path / "signer.pem"),
        )
        assert text.strip() == f"{tmp_path / 'signer.pem'}: OK"
