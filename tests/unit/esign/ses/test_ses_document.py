"""Seal signatures beside documents: judged with the PDF, by `shuniu verify` and by `shuniu seal inspect`."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.domain.verdict import Outcome, Status
from services.esign.keys import sm2 as sm_keys
from services.esign.ses import document as ses_document
from services.esign.ses.domain import values as ses
from services.esign.signing.domain import pades
from services.esign.verification.domain.sentences import verdict_sentences, verdict_words
from shuniu.cli.main import main
from tests.support.esign import NOW_US, ORGANISATION, page, sealed, setting
from tests.support.sm import eseal, sm_setting


@functools.cache
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


def test_a_false_seal_signature_of_this_very_document_is_invalid(laid: Path) -> None:
    """It is over these bytes by its own digest, and its signature value is wrong: that is no mistake of files."""
    changed = bytearray(sidecar())
    changed[-1] ^= 1
    (laid / "a.pdf.ses").write_bytes(changed)
    assert step(laid) == ("INVALID", "invalid", "SES_SIGNATURE")


@functools.cache
def of_another() -> bytes:
    other = pades.sign(page(), setting().seal, NOW_US + 1_000_000)
    wanted = ses_document.covered(other)
    return ses.sign(eseal(), sm_setting().seal, wanted.data_hash, wanted.protected, NOW_US)


@functools.cache
def false_of_another() -> bytes:
    return of_another()[:-1] + bytes([of_another()[-1] ^ 1])


UNFIT: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "SES_UNREADABLE"),
    "half of it": (lambda: sidecar()[: len(sidecar()) // 2], "SES_UNREADABLE"),
    "without its last byte": (lambda: sidecar()[:-1], "SES_UNREADABLE"),
    "zeros": (lambda: bytes(len(sidecar())), "SES_UNREADABLE"),
    "its end lost to zeros": (lambda: sidecar()[:-200] + bytes(200), "SES_UNREADABLE"),
    "text": (lambda: b"nothing", "SES_UNREADABLE"),
    "larger than any seal": (lambda: bytes(5 * 1024 * 1024), "SES_UNREADABLE"),
    "a seal": (eseal, "SES_NO_SIGNATURE"),
    "of another document": (of_another, "SES_OF_ANOTHER"),
    "of another document and false": (false_of_another, "SES_OF_ANOTHER"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_seal_file_that_is_not_of_the_document_says_nothing_of_it(laid: Path, kind: str) -> None:
    """Damaged, cut short or of another document: INDETERMINATE like a wrong receipt, and a clerk hears that it is the
    seal file, that nothing is found wrong with the document, and to verify without it or with the right one.
    """
    made, reason = UNFIT[kind]
    (laid / "a.pdf.ses").write_bytes(made())
    assert step(laid) == ("INDETERMINATE", "unknown", reason)
    said = verdict_words.explain(commands.verify_file(laid / "a.pdf", laid / "trust", now_us=NOW_US))
    assert said.verdict.zh.startswith("国密签章文件（.ses）拿错了或读不了；文件本身未见问题")
    assert said.cause is not None
    assert ".ses" in said.cause.zh
    assert ".ses" in said.cause.en
    assert said.advice == verdict_sentences.SEAL_DATA


def test_a_seal_file_does_not_speak_for_a_document_that_fails(laid: Path) -> None:
    """What is wrong with the document is told by its own steps, whatever lies beside it; nothing good is said of it."""
    changed = sealed().replace(b"/Type/Page/", b"/Type/Pagf/", 1)
    (laid / "a.pdf").write_bytes(changed)
    assert step(laid) == ("INVALID", "unknown", "SES_OF_ANOTHER")
    for unread in (b"%PDF-1.7 no", sealed()[: len(sealed()) // 2], page()):
        (laid / "a.pdf").write_bytes(unread)
        alone = step_without_seal(laid)
        assert step(laid) == (alone, "unknown", "SES_WITHOUT_DOCUMENT")


def step_without_seal(laid: Path) -> str:
    return commands.verify_file(_copied(laid), laid / "trust", now_us=NOW_US).outcome.value


def _copied(laid: Path) -> Path:
    copy = laid / "alone.pdf"
    copy.write_bytes((laid / "a.pdf").read_bytes())
    return copy


def test_a_seal_of_a_maker_that_nobody_trusts_is_never_valid(laid: Path) -> None:
    """The seal file is of this document, and nobody vouches for who made its seal."""
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
    monkeypatch.setattr("services.esign.commands.seals.time.time_ns", lambda: NOW_US * 1000)
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
