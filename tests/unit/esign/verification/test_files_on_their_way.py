"""Genuine files that did not come as they were sent: nobody is accused, and a clerk hears that sending again helps."""

from hashlib import sha256

import pytest

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.verification.domain.sentences import verdict_sentences, verdict_words
from services.esign.verification.domain.transport import lines_rewritten
from services.esign.verification.offline import Trusted, judged
from tests.support import multisign, ofd
from tests.support.esign import NOW_US, sealed, setting

LATER_US = NOW_US + 60_000_000
TRUSTED = Trusted(Trust((setting().root.certificate,)), ())


def verdict_on(data: bytes) -> Verdict:
    return judged(data, TRUSTED, LATER_US)


def causes(verdict: Verdict) -> str:
    return verdict_words.cause_of(verdict).reason


@pytest.mark.parametrize("missing", [1, 2, 6, 30, 300, 5000, 20_000])
def test_a_pdf_that_is_cut_short_is_to_be_sent_again(missing: int) -> None:
    """However little is missing, the line feed behind its last word too: INDETERMINATE, not complete."""
    verdict = verdict_on(sealed()[:-missing])
    assert (verdict.outcome, causes(verdict)) == (Outcome.INDETERMINATE, "UNFINISHED")
    said = verdict_words.explain(verdict)
    assert (said.verdict, said.advice) == (verdict_sentences.INCOMPLETE, verdict_sentences.SEND_AGAIN)


def test_a_pdf_of_several_signers_without_its_last_byte_is_cut_short() -> None:
    """The last signature covers one byte more than there is, the earlier ones what they did."""
    verdict = verdict_on(multisign.closed()[:-1])
    assert (verdict.outcome, causes(verdict)) == (Outcome.INDETERMINATE, "UNFINISHED")


@pytest.mark.parametrize("missing", [1, 2, 21, 22, 30, 300, 1000])
def test_an_ofd_that_is_cut_short_is_to_be_sent_again(missing: int) -> None:
    """By the same sentences as a PDF: its issuer need not sign anything anew."""
    verdict = verdict_on(ofd.packed(ofd.signed())[:-missing])
    assert (verdict.outcome, causes(verdict)) == (Outcome.INDETERMINATE, "UNFINISHED")
    said = verdict_words.explain(verdict)
    assert (said.verdict, said.advice) == (verdict_sentences.INCOMPLETE, verdict_sentences.SEND_AGAIN)
    assert "不完整" in verdict.step("parse").zh


def test_a_file_that_was_passed_on_as_text_is_to_be_sent_again() -> None:
    """FTP in text mode makes every line feed two bytes, in compressed data too: the file was not forged, and what is
    written so by its maker is read as ever.
    """
    picture = b"".join(sha256(bytes([number])).digest() for number in range(256))
    for whole in (sealed(), ofd.packed({**ofd.signed(), "Doc_0/Res/picture.bin": picture})):
        passed_on = whole.replace(b"\n", b"\r\n")
        assert lines_rewritten(passed_on)
        assert not lines_rewritten(whole)
        verdict = verdict_on(passed_on)
        assert (verdict.outcome, causes(verdict)) == (Outcome.INDETERMINATE, "LINES_REWRITTEN")
        assert "重新下载" in verdict_words.explain(verdict).advice.zh


@pytest.mark.parametrize(
    "padding", [b"\n", b"\r\n", b" ", b"\x00", bytes(64 * 1024), b"\x1a", b"\n\x1a" + bytes(100)], ids=repr
)
def test_a_padded_end_accuses_nobody(padding: bytes) -> None:
    """Mail, editors and disks add blanks and zeros behind the end: what was signed to the byte is not accepted, and the
    original asked for, but nobody is said to have added or changed content.
    """
    verdict = verdict_on(sealed() + padding)
    assert (verdict.outcome, causes(verdict)) == (Outcome.INDETERMINATE, "PADDED")
    said = verdict_words.explain(verdict)
    assert said.cause is not None
    assert "没有发现内容改动" in said.cause.zh
    assert "有人" not in f"{said.verdict.zh}{said.cause.zh}"
    assert said.advice.zh.startswith("不要接受此文件；请持有人提供")


def test_content_behind_the_end_is_still_told_as_such() -> None:
    """Whatever stands among blanks."""
    assert causes(verdict_on(sealed() + bytes(100) + b"hello" + bytes(100))) == "STRAY_BYTES"
