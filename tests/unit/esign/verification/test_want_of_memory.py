"""The machine refuses memory for a moment or for good: no document is accused of it, and none is said to be too large."""

import operator
import resource
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.domain.cms import signature_value
from services.esign.domain.negative import holds
from services.esign.domain.verdict import Outcome
from services.esign.verification import files
from services.esign.verification.workers import verifier as verifier_module
from services.esign.verification.workers.confined import Bounds, OverBoundsError, WorkerGoneError
from services.esign.verification.workers.one_worker import OneWorker
from services.esign.verification.workers.verifier import Here, Question, answer
from shuniu.kit.errors import HubError
from tests.support.esign import NOW_US, sealed, setting

BOUNDS = Bounds(256 * 1024 * 1024, 5.0)


class Failing:
    """Fails so many times, then gives an answer."""

    def __init__(self, times: int, error: Exception, then: object = None) -> None:
        self.times = times
        self.error = error
        self.then = then

    def __call__(self, *_: object) -> object:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return self.then


def fails_once(marker: str, error: str) -> int:
    """In a worker."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return 7
    raise {"MemoryError": MemoryError, "ValueError": ValueError}[error]


def overdrawn(marker: str) -> None:
    """In a worker: takes a little more than its bound, then says that it has no memory."""
    with Path(marker).open("a") as tries:
        tries.write("tried\n")
    del [bytes(BOUNDS.memory + (1 << 20))][:]
    raise MemoryError


def refused_by_the_machine() -> int:
    """In a worker: the process gets no memory any more, long before its document's bound."""
    resource.setrlimit(resource.RLIMIT_DATA, (4096, resource.RLIM_INFINITY))
    return len(bytes(64 << 20))


@pytest.mark.parametrize("times", [1, 3])
def test_a_signature_that_is_right_once_is_right(times):
    """OpenSSL without memory calls it wrong, however often; it cannot call a wrong one right."""
    assert holds(Failing(times, InvalidSignature()))
    assert not holds(Failing(1000, InvalidSignature()))
    assert not holds(lambda: False)


def test_an_honest_document_stays_valid(monkeypatch):
    """Each check of a signature value fails for the first time, as without memory."""
    root = setting().root.certificate.public_bytes(Encoding.PEM)
    question = Question(sealed(), root, (), NOW_US + 60_000_000, None, None)
    honest = answer(question)
    check, seen = signature_value.SignatureValue._check, set()

    def short(self, *arguments):
        if self.value not in seen:
            seen.add(self.value)
            raise InvalidSignature
        return check(self, *arguments)

    monkeypatch.setattr(signature_value.SignatureValue, "_check", short)
    found = answer(question)
    assert seen
    assert (found.outcome, found.steps) == (honest.outcome, honest.steps)
    assert found.step("integrity").reason != "SIGNATURE"


def test_what_has_no_memory_for_a_moment_is_read_again(tmp_path):
    """By the same worker, within the same bounds."""
    with OneWorker(BOUNDS, 10.0) as worker:
        assert worker.ask(fails_once, str(tmp_path / "was-here"), "MemoryError") == 7


def test_any_other_failure_is_said_at_once(tmp_path):
    """A reading that fails is not made twice: it would cost twice as much, and its fault would stay unknown."""
    with OneWorker(BOUNDS, 10.0) as worker, pytest.raises(RuntimeError, match="ValueError"):
        worker.ask(fails_once, str(tmp_path / "was-here"), "ValueError")


def test_what_took_too_much_itself_is_not_read_again(tmp_path):
    """Its own bound is met, and the machine has nothing to do with it."""
    tries = tmp_path / "tries"
    with OneWorker(BOUNDS, 10.0) as worker, pytest.raises(OverBoundsError, match="MemoryError"):
        worker.ask(overdrawn, str(tries))
    assert tries.read_text() == "tried\n"


def test_memory_that_the_machine_refuses_is_not_the_documents():
    """The worker is gone, as far as anybody can tell; what a document takes beyond its bound is its own limit."""
    with OneWorker(BOUNDS, 10.0) as worker:
        with pytest.raises(WorkerGoneError, match="machine"):
            worker.ask(refused_by_the_machine)
        with pytest.raises(OverBoundsError, match="MemoryError"):
            worker.ask(bytearray, 2 * BOUNDS.memory)
        assert worker.ask(operator.add, 1, 2) == 3


async def test_in_the_services_own_process_it_is_said_too(monkeypatch):
    """For a moment: nobody notices. For longer: VERIFY_AWAY, no incident and no verdict."""
    question = Question(b"%PDF-1.7", b"", (), 0, None, None)
    verdict = answer(question)
    monkeypatch.setattr(verifier_module, "answer", Failing(1, MemoryError(), verdict))
    assert await Here().judge(question) is verdict
    monkeypatch.setattr(verifier_module, "answer", Failing(9, MemoryError()))
    with pytest.raises(HubError) as refused:
        await Here().judge(question)
    assert refused.value.reason == "VERIFY_AWAY"


def test_in_a_program_that_verifies_by_itself_it_is_said_too(tmp_path, monkeypatch):
    """READER_AWAY."""
    (tmp_path / "a.pdf").write_bytes(sealed())
    monkeypatch.setattr(files, "_judge", Failing(9, MemoryError()))
    found = files.verify_file(tmp_path / "a.pdf", tmp_path)
    assert (found.outcome, found.steps[0].reason) == (Outcome.INDETERMINATE, "READER_AWAY")
