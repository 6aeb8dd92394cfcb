"""What a confined worker says is read as values: a worker that was taken over gets nothing run in the service."""

import errno
import operator
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.esign.domain.verdict import Form, Outcome, Status, Step, Verdict
from services.esign.verification.judging import Question, answer
from services.esign.verification.workers import confined
from services.esign.verification.workers.confined import (
    Answer,
    Bounds,
    OverBoundsError,
    Worker,
    WorkerGoneError,
    read_answer,
)
from services.esign.verification.workers.one_worker import OneWorker

BOUNDS = Bounds(256 * 1024 * 1024, 0.5)
# As a library in C does that is refused memory: it has taken most of it, and aborts.
FULL = "(bytes(b'x' * (200 << 20)), __import__('os').abort())"
KILL = "__import__('os').kill(__import__('os').getpid(), __import__('signal').{0})"
KILLED_ONCE = "__import__('os').path.exists({0!r}) or (open({0!r}, 'x').close(), __import__('os').kill(__import__('os').getpid(), 9))"


class Evil:
    """Pickled, it is a call."""

    def __init__(self, call, *arguments):
        self._call = call, arguments

    def __reduce__(self):
        return self._call


def test_a_verdict_comes_through_as_it_is():
    """Data classes, enumerations and plain values, the same as they were sent."""
    verdict = Verdict(Outcome.INVALID, 7, (Step("parse", Status.INVALID, "SYNTAX", "坏", "bad"),), form=Form.UNREADABLE)
    assert read_answer(pickle.dumps(Answer(verdict))) == Answer(verdict)


@pytest.mark.parametrize(
    "said",
    [
        Evil(os.system, "true"),
        Evil(eval, "1"),
        Evil(getattr, 1, "real"),
        # Of this hub's own, but a function.
        Evil(confined.question, operator.add, (), BOUNDS),
        Evil(answer, None),
        ValueError("no value"),
        7,
    ],
    ids=lambda said: type(said).__name__,
)
def test_nothing_else_does(said):
    """Calls, functions, exceptions, or no answer at all."""
    for body in (pickle.dumps(Answer(said)) if said != 7 else pickle.dumps(said), b"", b"\x80\x05garbage"):
        with pytest.raises(WorkerGoneError):
            read_answer(body)


def test_an_answer_has_an_end():
    """A length that no answer has ends the conversation before any memory is taken for it."""
    with pytest.raises(WorkerGoneError):
        confined.length_of((1 << 40).to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("reading", "arguments"),
    [(pow, (7, 10**9)), (bytearray, (1 << 30,)), (eval, (FULL,))],
    ids=["processor", "memory", "memory of a library"],
)
def test_a_command_asks_on_after_a_document_that_broke_its_worker(reading, arguments):
    """Each bound ends the worker or its reading; the next question finds a new one, and none is left behind."""
    before = children()
    with OneWorker(BOUNDS, 10.0) as worker:
        with pytest.raises(OverBoundsError):
            worker.ask(reading, *arguments)
        assert worker.ask(operator.add, 1, 2) == 3
        assert worker.ask(answer, Question(b"hello", b"", (), 0, None, None)).outcome is not Outcome.VALID
    assert children() <= before


@pytest.mark.parametrize(
    ("reading", "arguments"),
    [
        (os._exit, (1,)),
        (eval, (KILL.format("SIGKILL"),)),
        (eval, (KILL.format("SIGTERM"),)),
        (eval, (KILL.format("SIGSTOP"),)),
        (eval, (KILL.format("SIGABRT"),)),
        (time.sleep, (600,)),
    ],
    ids=["ended", "killed", "terminated", "stopped", "broken", "no processor"],
)
def test_a_document_is_not_blamed_for_what_befell_its_worker(reading, arguments):
    """Killed, stopped or kept from the processor: nothing says that the document asked too much."""
    before = children()
    with OneWorker(BOUNDS, 1.0) as worker:
        with pytest.raises(WorkerGoneError):
            worker.ask(reading, *arguments)
        assert worker.ask(operator.add, 1, 2) == 3
    assert children() <= before


@pytest.fixture
def unwaited():
    """As a daemon leaves it to what it starts: children leave nothing behind that says how they ended."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("unwaited")
@pytest.mark.parametrize("handles", [True, False], ids=["pidfd", "no pidfd"])
def test_a_document_is_judged_where_nobody_hears_of_a_childs_end(handles, monkeypatch):
    """Answers come, a worker that ended is this machine's affair, and the end of all of it is no error."""
    if not handles:
        monkeypatch.setattr(os, "pidfd_open", raising(OSError(errno.ENOSYS, "no such call")))
    with OneWorker(BOUNDS, 10.0) as worker:
        assert worker.ask(operator.add, 1, 2) == 3
        for reading, arguments in ((os._exit, (1,)), (eval, (KILL.format("SIGKILL"),))):
            with pytest.raises(WorkerGoneError):
                worker.ask(reading, *arguments)
        assert worker.ask(operator.add, 3, 4) == 7


def raising(error):
    def call(*_arguments):
        raise error

    return call


def test_a_worker_is_not_ended_by_a_process_that_was_forked_from_its_own():
    """Who carries a list of files over a fork asks a worker of his own; the first one goes on."""
    with OneWorker(BOUNDS, 10.0) as worker:
        first = worker.ask(os.getpid)
        child = os.fork()
        if child == 0:
            try:
                answered = worker.ask(operator.add, 1, 2) == 3
                worker.__exit__()
                os._exit(0 if answered else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert worker.ask(os.getpid) == first


def test_a_document_is_read_again_when_its_worker_is_killed(tmp_path):
    """By the kernel or by somebody, once: it is read by another worker, and nobody hears of it."""
    once = tmp_path / "killed"
    with OneWorker(BOUNDS, 10.0) as worker:
        assert worker.ask(eval, KILLED_ONCE.format(str(once))) is True


@pytest.mark.parametrize("call", ["fork", "socketpair"])
def test_a_machine_without_room_for_a_worker_is_not_its_documents_fault(call, monkeypatch):
    """No process, no descriptor: said as what it is, and the next document finds a worker when there is room again."""

    def refused(*_):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with OneWorker(BOUNDS, 10.0) as worker:
        with monkeypatch.context() as patch:
            patch.setattr(confined.os if call == "fork" else confined.socket, call, refused)
            with pytest.raises(WorkerGoneError):
                worker.ask(operator.add, 1, 2)
        assert worker.ask(operator.add, 1, 2) == 3


def test_what_only_helps_may_be_refused(monkeypatch, capfd):
    """The kernel's order of killing cannot be set, and there is no handle on processes: documents are read all the
    same, and it is logged.
    """

    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(Path, "write_text", refused)
    monkeypatch.setattr(os, "pidfd_open", refused)
    monkeypatch.setattr(os, "setpriority", refused)
    with OneWorker(BOUNDS, 10.0) as worker:
        assert worker.ask(operator.add, 1, 2) == 3
        here = Worker(worker._worker.channel)
        here.greeted(os.getpid().to_bytes(8, "big"))
        here.step_back(5)
        assert (here.handle, here.has_stepped_back, here.can_step_back) == (-1, False, False)


def test_a_worker_that_cannot_begin_says_why(monkeypatch, capfd):
    """The cause stands on standard error; the document is not blamed."""

    def refused(*_):
        raise ValueError("no limit can be set")

    monkeypatch.setattr(confined.resource, "setrlimit", refused)
    with OneWorker(BOUNDS, 10.0) as worker, pytest.raises(WorkerGoneError):
        worker.ask(operator.add, 1, 2)
    assert "no limit can be set" in capfd.readouterr().err


def children():
    """Processes that this one started and that are not waited for, those of other tests among them."""
    listed = (task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir())
    return {int(each) for line in listed for each in line.split()}


def test_an_error_of_the_reading_is_said():
    """By name and text; it is no limit."""
    with OneWorker(BOUNDS, 1.0) as worker, pytest.raises(RuntimeError, match="ZeroDivisionError"):
        worker.ask(operator.truediv, 1, 0)


KEEP = "__import__('builtins').__dict__.setdefault('kept', []).append(bytes({0} << 20))"
TAKE = "len(bytes({0} << 20))"


ONE_AFTER_ANOTHER = f"""
import os
import pytest
from services.esign.verification.workers.confined import Bounds, OverBoundsError
from services.esign.verification.workers.one_worker import OneWorker

with OneWorker({BOUNDS!r}, 10.0) as worker:
    assert worker.ask(eval, "{TAKE.format(240)}") == 240 << 20
    pid = worker.ask(os.getpid)
    # Held by the interpreter, as a module's cache would be: less than is worth another worker.
    worker.ask(eval, "{KEEP.format(2)}")
    assert worker.ask(eval, "{TAKE.format(240)}") == 240 << 20
    assert worker.ask(os.getpid) == pid
    with pytest.raises(OverBoundsError, match="MemoryError"):
        worker.ask(eval, "{TAKE.format(290)}")
"""


def test_each_document_has_the_memory_of_the_first():
    """Whatever was read before it, and whatever of that the worker still holds. Asked by a program of its own: where
    other threads ran, the C library reserves another 64 MiB, and the worker is replaced.
    """
    subprocess.run([sys.executable, "-c", ONE_AFTER_ANOTHER], check=True, timeout=60, cwd=Path(__file__).parents[4])


def test_memory_that_the_process_has_free_is_not_its_documents():
    """A worker that is forked from a process which used much memory before gives its documents no more than their own:
    large pieces and small ones that lie together.
    """
    # Freed, the second one makes the allocator take the following ones from the heap.
    for size in (33, 31):
        del [bytearray(size << 20)][:]
    pieces, end = [bytearray(20 << 20) for _ in range(20)], bytearray(1 << 17)
    pieces.clear()
    with OneWorker(BOUNDS, 10.0) as worker:
        for taken in (TAKE.format(290), "sum(map(len, [bytes(10 << 20) for _ in range(29)]))"):
            with pytest.raises(OverBoundsError, match="MemoryError"):
                worker.ask(eval, taken)
        assert worker.ask(eval, TAKE.format(240)) == 240 << 20
    assert end


def test_what_was_found_beyond_the_memory_is_not_said():
    """A library that is refused a small allocation may say anything, so nobody is before the document has taken more
    than it may; then it is beyond the limit, whatever was found.
    """
    with OneWorker(BOUNDS, 10.0) as worker:
        with pytest.raises(OverBoundsError, match="MemoryError"):
            worker.ask(eval, TAKE.format(260))
        assert worker.ask(eval, TAKE.format(240)) == 240 << 20


def test_a_document_that_crashes_every_worker_is_given_up():
    """Twice by a fault of its own: its limit, not this machine's."""
    with OneWorker(BOUNDS, 10.0) as worker:
        with pytest.raises(OverBoundsError, match="SIGSEGV"):
            worker.ask(eval, KILL.format("SIGSEGV"))
        assert worker.ask(operator.add, 1, 2) == 3
