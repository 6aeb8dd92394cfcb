"""Seal signatures beside documents: judged with the PDF, by `shuniu verify` and by `shuniu seal inspect`."""

import json
import sys
from functools import cache
from pathlib import Path

import pytest

from services.esign import commands, ses_document, sm_keys
from services.esign.domain import pades, pki, ses
from services.esign.domain.verdict import Outcome, Status
from shuniu.cli.main import main
from tests.support.esign import NOW_US, ORGANISATION, page, sealed, setting
from tests.support.sm import eseal, sm_setting


@cache
def sidecar() -> bytes:
    wanted = ses_document.covered(sealed())
    return ses.sign(eseal(), sm_setting().seal, wanted.data_hash, wanted.protected, NOW_US)


@pytest.fixture
def laid(tmp_path: Path) -> Path:
    """A document with its seal signature beside it, and a trust directory."""
    trust = tmp_path / "trust"
    trust.mkdir()
    made = sm_setting()
    (trust / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    chosen = (made.root, made.ca, made.maker)
    (trust / "sm2.pem").write_bytes(b"".join(sm_keys.certificate_pem(s.certificate) for s in chosen))
    (tmp_path / "a.pdf").write_bytes(sealed())
    (tmp_path / "a.pdf.ses").write_bytes(sidecar())
    return tmp_path


def step(laid: Path) -> tuple[str, str, str]:
    verdict = commands.verify_file(laid / "a.pdf", laid / "trust", now_us=NOW_US)
    found = next(s for s in verdict.steps if s.step == "ses")
    return verdict.outcome.value, found.status.value, found.reason


def test_a_document_with_both_seals_is_valid(laid: Path) -> None:
    """Both signatures over the same bytes hold; without the second nothing is lost, and nothing claimed."""
    assert step(laid) == ("VALID", "valid", "SES_VALID")
    (laid / "a.pdf.ses").unlink()
    assert step(laid) == ("VALID", "not_checked", "NO_SES")


def test_a_sidecar_that_does_not_fit_spoils_the_verdict(laid: Path) -> None:
    """Changed, of another document, of another organisation, of nobody known: never VALID."""
    changed = bytearray(sidecar())
    changed[-1] ^= 1
    (laid / "a.pdf.ses").write_bytes(changed)
    assert step(laid) == ("INVALID", "invalid", "SES_SIGNATURE")
    (laid / "a.pdf.ses").write_bytes(b"nothing")
    assert step(laid) == ("INVALID", "invalid", "SES_SYNTAX")
    (laid / "a.pdf.ses").write_bytes(eseal())
    assert step(laid) == ("INVALID", "invalid", "SES_NO_SIGNATURE")
    (laid / "a.pdf.ses").write_bytes(sidecar())
    (laid / "a.pdf").write_bytes(pades.sign(page(), setting().seal, NOW_US + 1_000_000))
    assert step(laid)[1:] == ("invalid", "SES_DIGEST")
    (laid / "a.pdf").write_bytes(b"%PDF-1.7 no")
    assert step(laid)[1:] == ("unknown", "SES_WITHOUT_DOCUMENT")
    (laid / "a.pdf").write_bytes(sealed())
    (laid / "trust" / "sm2.pem").unlink()
    assert step(laid) == ("INDETERMINATE", "unknown", "SES_MAKER_UNKNOWN")


def test_the_seal_of_another_organisation_is_not_taken(laid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A genuine seal signature of somebody else over the same bytes says nothing of this document's issuer."""
    monkeypatch.setattr(ses_document, "_organisation", lambda _pdf: "包头市公安局")
    assert step(laid) == ("INDETERMINATE", "unknown", "SES_OTHER_ORGANISATION")


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["shuniu", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    assert isinstance(left.value.code, int)
    return left.value.code


def test_inspect_prints_each_step(
    laid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`shuniu seal inspect`: steps, facts and the picture; exit code by verdict."""
    words = ("seal", "inspect", laid / "a.pdf.ses", "--trust", laid / "trust")
    # Made in the future of the machine's clock or in its past: what counts is that clock.
    monkeypatch.setattr("services.esign.seal_commands.time.time_ns", lambda: NOW_US * 1000)
    assert run(monkeypatch, *words, "--picture", laid / "out.png") == 0
    text = capsys.readouterr().out
    assert text.startswith("VALID\n")
    assert ORGANISATION in text
    assert "✓ data_hash" in text
    assert (laid / "out.png").read_bytes() == b"picture"
    assert run(monkeypatch, *words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["seal"]["standard"], found["seal"]["name"]) == (
        "signature",
        "GB/T 38540",
        ORGANISATION,
    )
    (laid / "seal.esl").write_bytes(eseal())
    assert run(monkeypatch, "seal", "inspect", laid / "seal.esl", "--trust", laid / "trust") == 0
    (laid / "seal.esl").write_bytes(eseal()[:-1] + b"\x00")
    assert run(monkeypatch, "seal", "inspect", laid / "seal.esl", "--trust", laid / "trust") == 1
    (laid / "seal.esl").write_bytes(b"nothing")
    assert run(monkeypatch, "seal", "inspect", laid / "seal.esl", "--trust", laid / "trust") == 3
    assert run(monkeypatch, "seal", "inspect", laid / "absent", "--trust", laid / "trust") == 3


def test_inspect_without_trust_is_indeterminate(laid: Path) -> None:
    """Nobody vouches: every other step is still judged."""
    report = commands.inspect_seal(laid / "a.pdf.ses", None, document=laid / "a.pdf", now_us=NOW_US)
    assert report.outcome is Outcome.INDETERMINATE
    reached = {s.step: s.status for s in report.found.steps}
    assert reached["data_hash"] is Status.VALID
    assert reached["maker_chain"] is Status.UNKNOWN
