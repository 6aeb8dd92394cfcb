"""`shuniu verify` over whatever lies in a folder, on whatever machine: no file ends the call for the others, and what
befalls the command is never told as a verdict.
"""

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.esign.licences import file as licence_file
from services.esign.verification import files as verify_command
from services.esign.verification import offline, plain_files
from services.esign.verification.workers import confined
from services.esign.verification.workers.one_worker import OneWorker
from shuniu.cli import verify
from shuniu.cli.hub_lists import Lists
from tests.support.hub import Ran
from tests.support.offline_place import Place, here, laid


@pytest.fixture
def place(tmp_path):
    return laid(tmp_path)


def judged(where: Place, *names: str, status: int = 3) -> dict[str, dict[str, object]]:
    """What is said of each, and of the good document that comes last."""
    files = [str(where.folder / name) for name in (*names, where.pdf.name)]
    ran = here("verify", *files, "--trust", str(where.folder / "trust"), "--json", "--data", str(where.folder / "no"))
    assert ran.status == status
    found = {Path(line["file"]).name: line for line in map(json.loads, ran.out.splitlines())}
    assert list(found) == [*names, where.pdf.name]
    assert found[where.pdf.name]["verdict"] == "VALID"
    return found


def apart(*line: str, **environment: str) -> Ran:
    """The command as a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "shuniu.cli.main", *line],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Ran(ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))


@pytest.mark.timeout(60)
def test_what_is_no_regular_file_is_not_opened(place):
    """A pipe without a writer, a device without an end, a socket, a folder: each is said to be one, and what follows is
    judged.
    """
    os.mkfifo(place.folder / "pipe.pdf")
    (place.folder / "endless.pdf").symlink_to("/dev/zero")
    (place.folder / "folder.pdf").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        # A short name: an address has room for no more.
        with contextlib.chdir(place.folder):
            listening.bind("socket.pdf")
        found = judged(place, "pipe.pdf", "endless.pdf", "socket.pdf", "folder.pdf")
    for name in ("pipe.pdf", "endless.pdf", "socket.pdf"):
        zh, _, en = str(found[name]["error"]).partition(" / ")
        assert zh.startswith("不是普通文件，而是管道、套接字或设备")
        assert ("先存成文件" in zh, en.startswith("Not a regular file"), "save it as a file" in en) == (True,) * 3
    assert "目录" in str(found["folder.pdf"]["error"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", [".tlog-proof", ".ses"])
def test_what_lies_beside_a_file_is_no_pipe_either(place, suffix):
    """A receipt or a seal signature that is a pipe or a folder says nothing of the document and is not passed over:
    INDETERMINATE, as docs/verdict.md says of one that cannot be read.
    """
    for name, make in (("pipe.pdf", os.mkfifo), ("folder.pdf", os.mkdir)):
        (place.folder / name).write_bytes(place.pdf.read_bytes())
        make(place.folder / f"{name}{suffix}")
    found = judged(place, "pipe.pdf", "folder.pdf", status=2)
    for name in ("pipe.pdf", "folder.pdf"):
        steps = {step["step"]: step["reason"] for step in found[name]["steps"]}
        wanted = ("ledger", "RECEIPT") if suffix == ".tlog-proof" else ("ses", "SES_UNREADABLE")
        assert (found[name]["verdict"], steps[wanted[0]]) == ("INDETERMINATE", wanted[1])


@pytest.mark.timeout(60)
def test_trust_is_read_from_regular_files_only(place):
    """A pipe among the roots ends the call at once, by name."""
    os.mkfifo(place.folder / "trust" / "other.pem")
    ran = here("verify", str(place.pdf), "--trust", str(place.folder / "trust"))
    assert (ran.status, ran.out) == (3, "")
    assert 'other.pem": 不是普通文件' in ran.err


def test_a_name_that_leaves_no_room_for_a_receipt_has_none(place):
    """250 bytes: the document is judged, as one without receipt and seal signature."""
    name = "长" * 82 + ".pdf"
    (place.folder / name).write_bytes(place.pdf.read_bytes())
    ran = here("verify", str(place.folder / name), "--trust", str(place.folder / "trust"))
    assert (len(name.encode()), ran.status) == (250, 0)


@pytest.mark.timeout(60)
def test_a_hole_of_any_size_is_refused_by_its_size(place):
    """200 GB that hold nothing: too large, and nobody reads them for a digest."""
    with (place.folder / "hole.pdf").open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(200 << 30)
    ran = here("verify", str(place.folder / "hole.pdf"), "--json", "--trust", str(place.folder / "trust"))
    found = json.loads(ran.out)
    assert found["steps"][0]["reason"] == "TOO_LARGE"
    assert "sha256" not in found


def test_a_file_that_vanishes_has_been_read(place, monkeypatch):
    """Between its reading and its judgement, or before: the others are judged, whichever it was."""
    gone = place.folder / "gone.pdf"
    gone.write_bytes(place.pdf.read_bytes())
    beside = plain_files.companion

    def vanishes(path, suffix, most):
        gone.unlink(missing_ok=True)
        return beside(path, suffix, most)

    monkeypatch.setattr(plain_files, "companion", vanishes)
    found = here("verify", str(gone), str(gone), str(place.pdf), "--json", "--trust", str(place.folder / "trust"))
    told = [json.loads(line) for line in found.out.splitlines()]
    assert [line["verdict"] for line in told] == ["VALID", "INDETERMINATE", "VALID"]
    assert ["error" in line for line in told] == [False, True, False]


def test_a_machine_that_cannot_verify_says_so_of_itself(place, monkeypatch):
    """No process can be made: INDETERMINATE, READER_AWAY and exit 3, in words that do not blame the document."""

    def refused():
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(confined.os, "fork", refused)
    ran = here("verify", str(place.pdf), "--json", "--trust", str(place.folder / "trust"))
    assert (ran.status, ran.json["verdict"], ran.json["steps"][0]["reason"]) == (3, "INDETERMINATE", "READER_AWAY")
    people = here("verify", str(place.pdf), "--trust", str(place.folder / "trust"))
    assert people.status == 3
    assert "此机器现在无法核验" in people.out
    assert "稍后重试" in people.out
    assert "文件太大" not in people.out


def test_without_a_renderer_documents_are_judged(place, monkeypatch):
    """It cannot be loaded: what needs no drawing gets its verdict."""
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    assert here("verify", str(place.pdf), "--trust", str(place.folder / "trust")).status == 0


def test_what_nobody_expected_is_no_verdict(place, monkeypatch):
    """Exit 70 and one sentence with kind and place, no traceback; the error's text, which may name a person, is not
    printed.
    """

    def broken(*_):
        raise ZeroDivisionError("张三 150102199001011234")

    monkeypatch.setattr(verify, "trust_of", broken)
    ran = here("verify", str(place.pdf))
    assert (ran.status, ran.out) == (70, "")
    assert "ZeroDivisionError" in ran.err
    assert "张三" not in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_licence_that_breaks_its_reader_leaves_the_others_their_verdicts(place, monkeypatch):
    """Exit 3 for it, and the document after it is judged."""

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(licence_file.licence_check, "judge", broken)
    (place.folder / "a.sdjwt").write_text("x")
    assert "ZeroDivisionError" in str(judged(place, "a.sdjwt")["a.sdjwt"]["error"])


def test_who_interrupts_hears_nothing(place, monkeypatch):
    """Ctrl-C: 130 and no traceback, of the command or of its worker."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "_print", lambda *_, **__: interrupted())
    ran = here("verify", str(place.pdf), "--trust", str(place.folder / "trust"))
    assert (ran.status, ran.out, ran.err) == (130, "", "")


def test_a_terminals_interrupt_is_for_the_command_alone():
    """The worker leaves it to who asks."""
    with OneWorker(confined.Bounds(1 << 28, 5), 10) as worker:
        assert worker.ask(eval, "__import__('signal').getsignal(2) is __import__('signal').SIG_IGN") is True


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_an_output_that_is_full_is_named(place):
    """Exit 74: it is the output that cannot be written, and no file that cannot be read."""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "shuniu.cli.main", *place.line()],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    told = ran.stderr.decode()
    assert (ran.returncode, told.splitlines()) == (
        74,
        ["结果无法输出 / the output cannot be written: 存储空间已满 / No space left on device"],
    )


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "gbk:strict"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}],
    ids=["GBK", "POSIX"],
)
def test_a_name_that_the_terminal_cannot_show_is_spelled_out(place, environment):
    """Mongolian, or no text at all: the verdict is printed, and what has no sign there is printed by number."""
    for name in ("ᠮᠣᠩᠭᠣᠯ ✗.pdf", os.fsdecode(b"\xff\xfe.pdf")):
        (place.folder / name).write_bytes(place.pdf.read_bytes())
        for form in ((), ("--json",)):
            ran = apart(*place.line(*form, file=place.folder / name), **environment)
            assert ran.status == 0, ran.err
            assert "VALID" in ran.out


def test_a_hub_whose_place_is_read_only_hands_out_its_trust(place, monkeypatch):
    """What this hub trusts goes from hand to hand: nothing is written, there may be no room for it."""
    root = (place.folder / "trust" / "root.pem").read_text()
    (place.folder / "hub").mkdir()
    (place.folder / "hub" / "shuniu.toml").write_text("")
    monkeypatch.setattr(verify.esign, "trust_files", lambda _: {"esign-root.pem": root}, raising=False)
    monkeypatch.setattr(verify, "revocation_lists", lambda _: Lists())

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    for write in ("write_text", "write_bytes", "mkdir"):
        monkeypatch.setattr(Path, write, refused)
    monkeypatch.setattr(verify.Place, "config", property(lambda self: place.pdf))
    assert here("verify", str(place.pdf), "--data", str(place.folder / "hub")).status == 0


def test_trust_that_was_read_is_taken_as_it_is(place):
    """By every question that takes a directory."""
    trusted = offline.Trusted.of(place.folder / "trust")
    assert offline.Trusted.of(trusted) is trusted
    assert verify_command.load_trust(trusted) is trusted.trust
