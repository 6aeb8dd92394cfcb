"""What a confined worker says is read as values: a worker that was taken over gets nothing run in the service."""

import operator
import os
import pickle
import time
from pathlib import Path

import pytest

from services.esign import confined
from services.esign.confined import Answer, Bounds, OneWorker, WorkerGoneError, read_answer
from services.esign.domain.verdict import Form, Outcome, Status, Step, Verdict
from services.esign.judging import Question, answer

BOUNDS = Bounds(256 * 1024 * 1024, 0.5)


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
    [(time.sleep, (600,)), (pow, (7, 10**9)), (bytearray, (1 << 30,)), (os._exit, (1,))],
    ids=["wall clock", "processor", "memory", "dead"],
)
def test_a_command_asks_on_after_a_document_that_broke_its_worker(reading, arguments):
    """Each bound ends the worker or its reading; the next question finds a new one, and none is left behind."""
    before = children()
    with OneWorker(BOUNDS, 1.0) as worker:
        with pytest.raises(WorkerGoneError):
            worker.ask(reading, *arguments)
        assert worker.ask(operator.add, 1, 2) == 3
        assert worker.ask(answer, Question(b"hello", b"", (), 0, None, None)).outcome is not Outcome.VALID
    assert children() <= before


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


def test_each_document_has_the_memory_of_the_first():
    """Whatever was read before it, and whatever of that the worker still holds."""
    with OneWorker(BOUNDS, 10.0) as worker:
        assert worker.ask(eval, TAKE.format(240)) == 240 << 20
        pid = worker.ask(os.getpid)
        # Held by the interpreter, as a module's cache would be: less than is worth another worker.
        worker.ask(eval, KEEP.format(12))
        assert worker.ask(eval, TAKE.format(240)) == 240 << 20
        assert worker.ask(os.getpid) == pid
        with pytest.raises(WorkerGoneError, match="MemoryError"):
            worker.ask(eval, TAKE.format(290))


def test_what_was_found_beyond_the_memory_is_not_said():
    """A library that is refused a small allocation may say anything, so nobody is before the document has taken more
    than it may; then it is beyond the limit, whatever was found.
    """
    with OneWorker(BOUNDS, 10.0) as worker:
        with pytest.raises(WorkerGoneError, match="MemoryError"):
            worker.ask(eval, TAKE.format(260))
        assert worker.ask(eval, TAKE.format(240)) == 240 << 20
