"""What `shuniu verify` prints and writes, on any terminal and under any parent: every file has its line."""

import contextlib
import errno
import io
import json
import os
import re
import sys
from types import SimpleNamespace

import pytest

from services.esign.verification import plain_files
from services.esign.verification.domain.validation_report import REPORT_BEGINNING
from shuniu.cli import verify
from shuniu.cli.main import main
from tests.support import ofd
from tests.support.hub import program
from tests.support.offline_place import here, laid

EARLIER = REPORT_BEGINNING + b"of yesterday"


@pytest.fixture
def place(tmp_path):
    return laid(tmp_path)


@pytest.mark.parametrize("encoding", ["gbk", "big5", "ascii", "utf-8"])
async def test_json_is_json_whatever_the_terminals_encoding(place, encoding):
    """A program reads each line, also where the file's name has characters that the encoding lacks."""
    rare = place.folder / "𠮷 Müller.pdf"
    rare.write_bytes(place.pdf.read_bytes())
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "argv", ["shuniu", *place.line("--json", file=rare)])
        with pytest.raises(SystemExit):
            main()
    found = json.loads(out.buffer.getvalue().decode(encoding))
    assert (found["file"], found["verdict"]) == (str(rare), "VALID")


def far_ofd() -> bytes:
    """A seal signature that anybody can make: its time is the last that RFC 3339 can write."""
    return ofd.packed(ofd.signed(value=ofd.gm_cms, stated="99991231235959Z"))


async def test_a_moment_that_beijing_has_no_name_for_is_told_and_the_others_are_judged(place):
    """A stranger may state the last second of the year 9999: it is told in UTC, and the file after it has its verdict."""
    far = place.folder / "far.ofd"
    far.write_bytes(far_ofd())
    ran = here("verify", str(far), *place.line()[1:])
    assert ran.status == 2, ran.err
    assert "9999-12-31 23:59:59 世界时 (UTC)" in ran.out
    assert re.search("^VALID", ran.out, re.MULTILINE)


async def test_a_verdict_that_cannot_be_written_out_for_people_is_told_and_the_others_are_judged(place, monkeypatch):
    """Whatever fails while a file's lines are made: it gets a line with its name, and the files after it are judged."""
    lines = verify._lines
    bad = place.folder / "bad.pdf"
    bad.write_bytes(b"%PDF-1.7 no")

    def failing(found):
        if found.path == bad:
            raise OverflowError("date value out of range")
        return lines(found)

    monkeypatch.setattr(verify, "_lines", failing)
    ran = here("verify", str(bad), *place.line()[1:])
    assert (ran.status, "bad.pdf" in ran.err, "Traceback" in ran.err) == (3, True, False)
    assert ran.out.startswith("VALID")


async def test_a_report_that_cannot_be_written_says_nothing_of_the_document(place):
    """Exit 74 as for all output, and the report is named; what was there before stays, and a pipe is not waited for."""
    pipe, folder, kept = place.folder / "pipe", place.folder / "folder.xml", place.folder / "kept.xml"
    os.mkfifo(pipe)
    folder.mkdir()
    kept.write_bytes(EARLIER)
    for target in (pipe, folder, place.folder / "absent" / "r.xml"):
        ran = await place.run("--report", str(target))
        assert (ran.status, ran.out.startswith("VALID")) == (74, True), ran.err
        assert "核验报告无法写入 / the report cannot be written" in ran.err
        assert target.name in ran.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        ran = await place.run("--report", str(kept))
    assert (ran.status, "存储空间已满" in ran.err) == (74, True)
    assert kept.read_bytes() == EARLIER
    assert not list(place.folder.glob(".*"))


def full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_report_takes_the_place_of_the_one_before(place):
    """Under the same name, behind the same link, for the same readers."""
    real, link = place.folder / "real.xml", place.folder / "link.xml"
    real.write_bytes(EARLIER)
    real.chmod(0o640)
    link.symlink_to(real)
    assert (await place.run("--report", str(link))).status == 0
    assert b"ValidationReport" in real.read_bytes()
    assert (link.is_symlink(), real.stat().st_mode & 0o777) == (True, 0o640)


async def test_a_report_takes_the_place_of_nothing_else(place):
    """Not of the document, of what lies beside it or of any other file: wrong use (64), said before anything is judged.
    `--report *.pdf` would otherwise turn a sealed document into a report of another.
    """
    place.beside.write_text(place.receipt)
    link, other, seal = (place.folder / name for name in ("link.xml", "other.xml", "证明.pdf.ses"))
    link.symlink_to(place.pdf)
    other.write_bytes(b"<?xml version='1.0'?><address-book/>")
    before = {path: path.read_bytes() for path in (place.pdf, place.beside, other)}
    for target in (place.pdf, link, place.beside, other, seal, place.folder / "trust" / "root.pem"):
        ran = await place.run("--report", str(target))
        assert (ran.status, ran.out, target.name in ran.err) == (64, "", True)
        assert "没有核验" in ran.err
    assert {path: path.read_bytes() for path in before} == before
    assert not seal.exists()
    empty = place.folder / "empty.xml"
    empty.touch()
    assert [(await place.run("--report", str(empty))).status for _ in range(2)] == [0, 0]


def test_standard_input_is_said_not_to_be_read(tmp_path, monkeypatch):
    """`shuniu verify -`: with what to do, in both languages."""
    monkeypatch.chdir(tmp_path)
    ran = here("verify", "-", "--data", str(tmp_path / "no-hub"))
    assert (ran.status, "请先存成文件" in ran.err, "save it as a file" in ran.err) == (3, True, True)


def test_a_name_of_any_bytes_is_json_that_every_reader_takes(tmp_path):
    """A name that is no UTF-8 is spelt: a lone surrogate is no character, and strict readers refuse the line."""
    path = tmp_path / os.fsdecode(b"a\xff.pdf")
    path.write_bytes(b"hello")
    ran = here("verify", str(path), "--json", "--data", str(tmp_path / "no-hub"))
    assert json.loads(ran.out)["file"].encode("utf-8").endswith(b"a\\xff.pdf")


def test_a_file_that_has_nothing_yet_is_told_as_that(tmp_path, monkeypatch):
    """A file of the kernel that would keep a reader waiting is no failure of the verifier."""
    waiting = tmp_path / "waiting.pdf"
    waiting.write_bytes(b"")

    @contextlib.contextmanager
    def opened(_path):
        yield SimpleNamespace(read=lambda _most: None, fileno=lambda: -1)

    monkeypatch.setattr(plain_files, "opened", opened)
    ran = here("verify", str(waiting), "--data", str(tmp_path / "no-hub"))
    assert (ran.status, "现在没有可读的内容" in ran.err, "核验程序出错" in ran.err) == (3, True, False)


INTERRUPTED = """
import signal, sys

module = sys.argv[1]

class Hook:
    def find_spec(self, name, *_):
        if name == module:
            {how}

sys.meta_path.insert(0, Hook())
sys.argv = ["shuniu", *sys.argv[2:]]
from shuniu.cli.main import main
main()
"""
IN_A_CLASS = "type('C', (), dict(x=type('D', (), dict(__set_name__=lambda *_: signal.raise_signal(signal.SIGINT)))()))"
IN_A_FINALIZER = "type('C', (), dict(__del__=lambda _: signal.raise_signal(signal.SIGINT)))()"


@pytest.mark.parametrize("module", ["shuniu.cli.verify", "services.esign.verification.offline"])
@pytest.mark.parametrize("how", [IN_A_CLASS, IN_A_FINALIZER], ids=["in a class", "in a finalizer"])
async def test_an_interrupt_is_an_interrupt_wherever_it_falls(place, module, how):
    """Ctrl-C while the command is still imported, where an exception would become another one or be lost: 130."""
    ran = await program(sys.executable, "-c", INTERRUPTED.format(how=how), module, *place.line())
    assert (ran.status, ran.out, ran.err) == (130, "", "")


async def test_a_daemon_that_ignores_its_children_keeps_no_document_from_its_verdict(place):
    """What ignores SIGCHLD hands that on to what it starts: the verdict is the same, and nothing else is printed."""
    started = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    )
    words = (sys.executable, "-m", "shuniu.cli.main", *place.line())
    ran = await program(sys.executable, "-c", started, *words)
    assert (ran.status, ran.err) == (0, "")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("words", [("ledger", "check"), ("seal", "inspect")])
def test_other_commands_wait_for_no_pipe_either(tmp_path, words):
    """What is no regular file is told as that, by all that read what a stranger may have put there."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ran = here(*words, str(pipe), "--data", str(tmp_path / "no-hub"))
    assert ran.status == 3, ran.err
    assert "Not a regular file" in ran.err


async def test_a_closed_output_is_no_success(place):
    """Nothing could be printed: 74, and not the status of a valid document."""
    started = "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"
    ran = await program(sys.executable, "-c", started, sys.executable, "-m", "shuniu.cli.main", *place.line())
    assert (ran.status, "结果无法输出" in ran.err) == (74, True)
