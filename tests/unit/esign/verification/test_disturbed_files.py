"""Genuine files that are read before they are whole: being written, or with blocks that never came. Nobody is accused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.licences.file import verify_licence
from services.esign.verification import files, plain_files
from services.esign.verification.domain.blank_blocks import has_blank
from services.esign.verification.domain.sentences import verdict_sentences, verdict_words
from services.esign.verification.offline import Trusted, judged
from tests.support import multisign, ofd
from tests.support.esign import NOW_US, sealed, setting

LATER_US = NOW_US + 60_000_000
TRUSTED = Trusted(Trust((setting().root.certificate,)), ())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    return tmp_path


def half_written() -> bytes:
    """One document's beginning and another's end."""
    whole = sealed()
    return whole[:30_000] + whole[30_000:].replace(whole[30_000:30_016], b"0123456789abcdef", 1)


def writing(monkeypatch: pytest.MonkeyPatch, path: Path, contents: list[bytes]) -> None:
    """Whatever is read of the file, somebody writes the next content right after."""
    read, left = plain_files.content, iter(contents)

    def content(file: object, name: Path, most: int) -> bytes:
        found = read(file, name, most)  # type: ignore[arg-type]
        # Not while it is only looked at.
        if name == path and most > 1024 * 1024 and (new := next(left, None)) is not None:
            path.write_bytes(new)
        return found

    monkeypatch.setattr(plain_files, "content", content)


def in_this_process(place: Path) -> tuple[Outcome, str]:
    verdict = commands.verify_file(place / "a.pdf", place / "trust", now_us=LATER_US)
    return verdict.outcome, verdict.step("parse").reason


def in_a_worker(place: Path) -> tuple[Outcome, str]:
    (found,) = commands.verify_files([place / "a.pdf"], place / "trust", now_us=LATER_US)
    assert found.verdict is not None
    return found.verdict.outcome, found.verdict.step("parse").reason


@pytest.mark.parametrize("verify", [in_this_process, in_a_worker])
def test_a_file_that_was_written_meanwhile_is_read_again(
    place: Path, monkeypatch: pytest.MonkeyPatch, verify: Callable[[Path], tuple[Outcome, str]]
) -> None:
    """It is whole by then: VALID."""
    (place / "a.pdf").write_bytes(half_written())
    assert verify(place) == (Outcome.INVALID, "PARSED")
    writing(monkeypatch, place / "a.pdf", [sealed()])
    assert verify(place) == (Outcome.VALID, "PARSED")


@pytest.mark.parametrize("verify", [in_this_process, in_a_worker])
def test_a_file_that_does_not_come_to_rest_is_said_to_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, verify: Callable[[Path], tuple[Outcome, str]]
) -> None:
    """Never INVALID: what was read is nobody's document."""
    (place / "a.pdf").write_bytes(half_written())
    writing(monkeypatch, place / "a.pdf", [half_written() + b"\n" * more for more in range(1, 9)])
    assert verify(place) == (Outcome.INDETERMINATE, "BEING_WRITTEN")


def test_what_is_written_within_one_tick_of_the_clock_is_seen(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One long write moves the time of a file at its beginning only: while that is new, the bytes are compared."""
    (place / "a.pdf").write_bytes(half_written())
    same, stat = (place / "a.pdf").stat(), Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **named: same if path == place / "a.pdf" else stat(path, **named))
    monkeypatch.setattr(plain_files.time, "time_ns", lambda: same.st_ctime_ns)
    writing(monkeypatch, place / "a.pdf", [sealed()])
    assert in_this_process(place)[0] is Outcome.VALID


def test_a_valid_document_is_valid_whatever_is_written_later(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes that were read are good."""
    (place / "a.pdf").write_bytes(sealed())
    writing(monkeypatch, place / "a.pdf", [half_written()])
    assert in_this_process(place)[0] is Outcome.VALID


def test_a_licence_that_does_not_come_to_rest_is_said_to_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a document."""
    path = place / "a.sdjwt"
    path.write_bytes(b"e30")
    read, number = plain_files.beginning, iter(range(9))

    def beginning(name: Path, most: int) -> bytes:
        found = read(name, most)
        path.write_bytes(b"e30." + bytes([65 + next(number)]))
        return found

    monkeypatch.setattr(plain_files, "beginning", beginning)
    verdict = verify_licence(path, Trusted(), now_us=LATER_US).verdict
    assert (verdict.outcome, verdict.step("parse").reason) == (Outcome.INDETERMINATE, "BEING_WRITTEN")


def test_what_is_said_of_a_file_that_is_written_sends_nobody_to_the_issuer() -> None:
    """Waiting helps."""
    said = verdict_words.explain(files.being_written(LATER_US))
    assert said.verdict == verdict_sentences.INCOMPLETE
    assert said.cause is not None
    assert "写入" in said.cause.zh
    assert "重新核验" in said.advice.zh


def big_ofd() -> bytes:
    picture = b"".join(number.to_bytes(4, "big") * 5 for number in range(4000))
    return ofd.packed({**ofd.signed(), "Doc_0/Res/picture.bin": picture})


@pytest.mark.parametrize("make", [sealed, multisign.closed, big_ofd])
def test_blocks_that_never_came_accuse_nobody(make: Callable[[], bytes]) -> None:
    """Wherever one is missing: INDETERMINATE, and sending it again helps."""
    whole = make()
    assert not has_blank(whole)
    for at in range(0, len(whole), 4096):
        block = bytes(len(whole[at : at + 4096]))
        verdict = judged(whole[:at] + block + whole[at + 4096 :], TRUSTED, LATER_US)
        assert verdict.outcome is Outcome.INDETERMINATE, at
        assert all(each.outcome is not Outcome.INVALID for each in verdict.signatures)


def test_what_is_missing_is_to_be_sent_again() -> None:
    """In the words for a file that is cut short; that it was changed is not denied."""
    whole = sealed()
    verdict = judged(whole[:12288] + bytes(4096) + whole[16384:], TRUSTED, LATER_US)
    assert verdict_words.cause_of(verdict).reason == "BLANK_BLOCKS"
    said = verdict_words.explain(verdict)
    assert (said.verdict, said.advice) == (verdict_sentences.INCOMPLETE, verdict_sentences.SEND_AGAIN)


@pytest.mark.parametrize("at", [4095, 4097, 12289])
def test_zeros_out_of_step_with_blocks_are_a_change(at: int) -> None:
    """No transfer leaves them there."""
    whole = sealed()
    assert judged(whole[:at] + bytes(4000) + whole[at + 4000 :], TRUSTED, LATER_US).outcome is Outcome.INVALID


@pytest.mark.parametrize(
    ("content", "outcome", "is_readable"),
    [
        (b"", Outcome.INDETERMINATE, False),
        (b"hello", Outcome.INDETERMINATE, False),
        (sealed(), Outcome.INDETERMINATE, False),
        (b"e30.e30.e30~", Outcome.INVALID, True),
    ],
)
def test_invalid_is_said_of_what_has_the_form_of_a_licence(
    place: Path, content: bytes, outcome: Outcome, *, is_readable: bool
) -> None:
    """Anything else is nothing to judge, as docs/verdict.md says: verdict and form agree."""
    path = place / "a.sdjwt"
    path.write_bytes(content)
    verdict = verify_licence(path, Trusted(), now_us=LATER_US).verdict
    assert (verdict.outcome, verdict.readable) == (outcome, is_readable)
