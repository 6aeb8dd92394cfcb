"""A folder with a document of this moment, its trust and its receipt, and `shuniu verify` over it."""

import contextlib
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pki
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.verdict import STEPS
from services.esign.ledger.domain import ledger
from services.esign.ledger.store.files import LedgerStore
from services.esign.pages import layout
from services.esign.pages.domain import certificates
from services.esign.signing.domain import pades
from shuniu.cli.main import main
from tests.support.esign import ORGANISATION, SEAL_ID, page
from tests.support.hub import Ran
from tests.support.witnesses import LOG


def here(*arguments: str) -> Ran:
    """The command in this process, which has imported it already."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["shuniu", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Place:
    folder: Path
    receipt: str
    other_receipt: str
    ca: pki.Authority

    @property
    def pdf(self) -> Path:
        return self.folder / "证明.pdf"

    @property
    def beside(self) -> Path:
        return self.folder / "证明.pdf.tlog-proof"

    async def run(self, *arguments: str, file: Path | None = None, trust: str = "trust") -> Ran:
        return here(*self.line(*arguments, file=file, trust=trust))

    def line(self, *arguments: str, file: Path | None = None, trust: str = "trust") -> tuple[str, ...]:
        where = ("--trust", str(self.folder / trust)) if trust else ()
        return ("verify", str(file or self.pdf), *where, *arguments, "--data", str(self.folder / "no-hub"))

    async def told(self, *arguments: str, **more: str) -> tuple[int, str, dict[str, tuple[str, str]]]:
        """Exit status, verdict, step → (status, reason)."""
        ran = await self.run("--json", *arguments, **more)  # type: ignore[arg-type]
        found = ran.json
        assert set(found) == {"file", "sha256", "schema", "verdict", "as_of", "form", "steps", "signatures", "summary"}
        assert [step["step"] for step in found["steps"]] == list(STEPS)
        assert all(set(step) == {"step", "status", "reason", "text", "zh", "en"} for step in found["steps"])
        steps = {step["step"]: (step["status"], step["reason"]) for step in found["steps"]}
        return ran.status, found["verdict"], steps


def laid(tmp_path: Path) -> Place:
    """A document sealed a moment ago, its root and log trusted, its receipt not yet beside it."""
    now_us = time.time_ns() // 1000 - 1_000_000
    begun_us = now_us - 200 * 3600 * 1_000_000
    root = pki.make_root("内蒙古枢纽", begun_us)
    ca = pki.make_seal_ca(root, "内蒙古枢纽", begun_us)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(ca, key.public_key(), ORGANISATION, SEAL_ID, now_us).public_bytes(
        Encoding.DER
    )
    field = layout.seal_field(certificates.TEMPLATES[certificates.NO_CRIMINAL_RECORD])
    seal = pades.SigningSeal.prepare(cms.P256Key(key), certificate, [ca.der], ORGANISATION, field)
    pdf = pades.sign(page(), seal, now_us)
    store = LedgerStore.open(tmp_path / "log", LOG)
    entries = [
        ledger.encode(ledger.sealed_entry(data, SEAL_ID, certificate, bytes(32), now_us)) for data in (pdf, b"other")
    ]
    receipt, other = (one.text for one in store.append_with_receipts(entries))
    store.close()
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "root.pem").write_bytes(pki.certificate_pem(root.certificate))
    (tmp_path / "trust" / "log.vkey").write_text(LOG.verifier.vkey + "\n")
    made = Place(tmp_path, receipt, other, ca)
    made.pdf.write_bytes(pdf)
    return made
