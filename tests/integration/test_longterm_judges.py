"""Independent judges of what is issued at B-LTA and what several sign: PDFBox with BouncyCastle, pyHanko, pdfsig, qpdf."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support import judges
from tests.support.esign import NOW_US, setting
from tests.support.issue_land import issue_land, request
from tests.support.multisign import closed
from tests.support.verdicts import judged


@dataclass(frozen=True)
class Issued:
    """A document, its root, a moment after it was made (µs), and how many sign it before the last timestamp."""

    path: Path
    root: x509.Certificate
    at_us: int
    signers: int

    def outcome(self, pdf: bytes) -> Outcome:
        return judged(pdf, trust=Trust((self.root,)), now_us=self.at_us).outcome


async def issue(path: Path) -> Issued:
    async with issue_land() as land:
        land.level = "B-LTA"
        await land.issuing().IssueCertificate(request(), None)
        path.write_bytes((await land.row()).pdf)
        return Issued(path, land.secrets.seal_ca.root, land.base.clock.now_us() + 60_000_000, 1)


@pytest.fixture(scope="module", params=["issued", "several"])
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Issued:
    path = tmp_path_factory.mktemp("judged") / "document.pdf"
    if request.param == "issued":
        return asyncio.run(issue(path))
    path.write_bytes(closed("layout"))
    return Issued(path, setting().root.certificate, NOW_US + 60_000_000, 2)


def flipped(pdf: bytes) -> bytes:
    at = pdf.index(b"/MediaBox[0 0 ") + len(b"/MediaBox[0 0 ")
    return pdf[:at] + bytes((pdf[at] ^ 1,)) + pdf[at + 1 :]


def drawn_over(pdf: bytes) -> bytes:
    page = attack.numbers(pdf, rb"/Type ?/Page\b(?!s)")[0]
    text = attack.body(pdf, page)
    return attack.update(pdf, {page: text[: text.rindex(b">>")] + b"/Rotate 180>>"})


def token_changed(pdf: bytes) -> bytes:
    start, end = attack.contents(pdf)
    middle = (start + end) // 2
    digit = b"0" if pdf[middle : middle + 1] != b"0" else b"1"
    return pdf[:middle] + digit + pdf[middle + 1 :]


CHANGES = {"flipped": flipped, "drawn-over": drawn_over, "token-changed": token_changed}
# What PDFBox and BouncyCastle still call good: the first signature, and the last timestamp over the whole file.
GOOD = {"flipped": (False, False), "drawn-over": (True, False), "token-changed": (True, False)}


def test_pdfbox_and_bouncycastle_call_it_good_and_every_manipulation_bad(document: Issued) -> None:
    """Every signature holds and leads to our root, the last timestamp covers the whole file; of each manipulated
    document at least one does not, and none of our verdicts is VALID.
    """
    folder = document.path.parent
    files = [document.path]
    for name, change in CHANGES.items():
        files.append(folder / f"{name}.pdf")
        files[-1].write_bytes(change(document.path.read_bytes()))
    found = judges.pdfbox(folder, document.root, document.at_us, *files)
    signer = "ETSI.CAdES.detached valid trusted stamp-valid trusted part"
    head, *each = found["document.pdf"]
    assert head.startswith(f"signatures {document.signers + 1} ")
    assert each == [signer] * document.signers + ["ETSI.RFC3161 valid trusted whole"]
    assert document.outcome(document.path.read_bytes()) is Outcome.VALID
    for file in files[1:]:
        _, first, *_, last = found[file.name]
        assert (first.startswith(signer), last == "ETSI.RFC3161 valid trusted whole") == GOOD[file.stem], file.name
        assert document.outcome(file.read_bytes()) is not Outcome.VALID


@pytest.mark.filterwarnings("default")
def test_pyhanko_finds_lawful_revisions_only(document: Issued) -> None:
    """Signers are trusted, and what came after them is signing, validation data and timestamps; after a change it is
    not.
    """
    pytest.importorskip("pyhanko", reason="pyHanko is absent: pip install pyhanko")
    *signers, last = judges.pyhanko(document.path, document.root, document.at_us)
    assert len(signers) == document.signers
    assert last.intact
    assert last.valid
    assert last.trusted
    assert last.coverage.name == "ENTIRE_FILE"
    for status in signers:
        assert status.bottom_line
        assert status.docmdp_ok
        assert status.modification_level.name in {"LTA_UPDATES", "FORM_FILLING"}
    changed = document.path.with_name("drawn.pdf")
    changed.write_bytes(drawn_over(document.path.read_bytes()))
    assert not any(status.bottom_line for status in judges.pyhanko(changed, document.root, document.at_us)[:1])


def test_poppler_and_qpdf_read_every_revision(document: Issued) -> None:
    """pdfsig: each signature is valid; qpdf: the file is well formed."""
    text = judges.said("pdfsig", "-nocert", str(document.path))
    assert text.count("Signature Validation: Signature is Valid.") == document.signers
    assert text.count("Total document signed") == 1
    checked = judges.said("qpdf", "--check", str(document.path))
    assert "No syntax or stream encoding errors found" in checked
    assert "WARNING" not in checked
