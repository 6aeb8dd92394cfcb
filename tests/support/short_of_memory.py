"""What is found with little memory, in a process of its own: another one has memory at hand that it has freed, and lets
a worker that it forks have that beside its bound.
"""

import json
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pypdfium2  # noqa: F401 — a nursery's workers have it from the beginning

from services.esign.revisions import rendering
from services.esign.revisions.domain.second_look import Version
from services.esign.verification.judging import Question, answer
from services.esign.verification.workers.confined import Bounds, OverBoundsError, WorkerGoneError
from services.esign.verification.workers.one_worker import OneWorker

MIB = 1024 * 1024
LIMIT = "LIMIT"
# With less not even the first line gets through; with more every picture is drawn.
_LEAST, _MOST = 1.0, 224.0
# How much less than a document needs: there the renderer leaves out what it has no memory for.
_WINDOW = [0.25 * n for n in range(1, 9)] + [4.0, 9.0, 18.0]


def asked(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function of this module there."""
    run = subprocess.run(
        [sys.executable, "-m", __name__],
        input=pickle.dumps((function.__name__, arguments)),
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(run.stdout)


def outcomes(question: Question) -> list[str]:
    """With the least memory that makes the document VALID, and with less."""
    low, high = _LEAST, _MOST
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if _judged(question, middle) == "VALID" else (middle, high)
    # A worker may need a little more than the one before.
    return [_judged(question, high + 1), *(_judged(question, high - less) for less in _WINDOW if less < high)]


def _judged(question: Question, memory: float) -> str:
    with OneWorker(Bounds(int(memory * MIB), 10), 60) as worker:
        try:
            return str(worker.ask(answer, question).outcome.value)
        except (OverBoundsError, WorkerGoneError):
            return LIMIT


def unrepeated(pdf: bytes, versions: Sequence[Version], most: int) -> tuple[list[str], list[str]]:
    """What is seen where the first look says DIFFERENT and nothing says that an allocation failed: with that look
    alone, and as it is. Up to `most` MiB.
    """
    rendering._last_error = lambda: None
    rendering._RESERVE = 2 * MIB
    repeat, rendering._repeat = rendering._repeat, lambda *_: None
    tried = [0.5 * n for n in range(2, 2 * most)]
    first = dict(zip(tried, _seen(pdf, versions, tried), strict=True))
    rendering._repeat = repeat
    tried = [memory for memory, seen in first.items() if seen == "DIFFERENT"]
    return [first[memory] for memory in tried], _seen(pdf, versions, tried)


def _seen(pdf: bytes, versions: Sequence[Version], tried: Sequence[float]) -> list[str]:
    found = []
    for memory in tried:
        with OneWorker(Bounds(int(_MOST * MIB), 10), 60) as worker:
            try:
                found.append(worker.ask(_look_within, pdf, versions, int(memory * MIB)))
            except (OverBoundsError, WorkerGoneError):
                found.append(LIMIT)
    return found


def _look_within(pdf: bytes, versions: Sequence[Version], memory: int) -> str:
    """With so many bytes more than the process has."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + memory, most))
    return str(rendering.look(pdf, versions).seen.value)


if __name__ == "__main__":
    name, given = pickle.load(sys.stdin.buffer)
    print(json.dumps(globals()[name](*given)))
