"""`esign.verify_hostile`, `verify_hostile_memory`, `verify_queue`, `verify_cold`, `verify_files`: what strangers' documents
cost the hub, what they cost those who wait beside them, and what the command costs whoever has one file or many.
"""

import asyncio
import contextlib
import itertools
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from services.esign.certification.domain import pki
from services.esign.signing.domain import pades
from services.esign.verification.workers.verifier import Question, Verifier, VerifierFailedError
from shuniu.kit.rpc import network
from tests.bench import esign
from tests.security.test_document_attacks import HOSTILE as MALFORMED
from tests.support import documents as attack
from tests.support.esign import NOW_US, page, setting
from tests.support.hostile import HOSTILE

SAMPLES = 400
UPLOADS = 10
ROUNDS = 3
STARTS = 5
FILES = 400
_LOOK_SECONDS = 0.003
_PAUSE_SECONDS = 0.01
_MIB = 1024 * 1024


def _hostile() -> dict[str, bytes]:
    malformed = {f"malformed: {name}": make for name, make in MALFORMED.items()}
    return {name: make() for name, make in (malformed | dict(HOSTILE)).items()}


def _question(pdf: bytes) -> Question:
    return Question(pdf, pki.certificate_pem(setting().root.certificate), (), attack.now_us(), None, None)


async def _judge(verifier: Verifier, question: Question) -> None:
    with contextlib.suppress(VerifierFailedError):
        await verifier.judge(question)


class _Use:
    """What the workers of a verifier take beyond what they had when they were new: bytes at most, processor time in all,
    s.
    """

    def __init__(self, verifier: Verifier) -> None:
        self._above = verifier._nursery._process.pid
        self._new: dict[int, tuple[int, float]] = {}
        self._cpu: dict[int, float] = {}
        self.bytes = 0

    @property
    def seconds(self) -> float:
        return sum(self._cpu.values())

    def look(self) -> int:
        """How many workers there are."""
        children = Path(f"/proc/{self._above}/task/{self._above}/children").read_text().split()
        for child in map(int, children):
            with contextlib.suppress(OSError):
                sizes = dict(line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
                # The scheduler's own count (proc(5), schedstat): nanoseconds on a processor.
                cpu = int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) / 1e9
                # A process that is ending has no memory.
                if "VmHWM" in sizes:
                    now, peak = (int(sizes[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
                    size_before, cpu_before = self._new.setdefault(child, (now, cpu))
                    self.bytes = max(self.bytes, peak - size_before)
                    self._cpu[child] = cpu - cpu_before
        return len(children)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        async def watch() -> None:
            while True:
                self.look()
                await asyncio.sleep(_LOOK_SECONDS)

        while not self.look():
            await asyncio.sleep(_LOOK_SECONDS)
        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            self.look()


async def _alone(name: str, question: Question, verifier: Verifier) -> _Use:
    """What one document takes of workers that are new."""
    verifier._end_idle(verifier._idle)
    verifier._fill()
    use = _Use(verifier)
    began = time.perf_counter()
    async with use.watched():
        await _judge(verifier, question)
    wall = time.perf_counter() - began
    print(f"  {name:<40} {use.seconds:6.2f} s {use.bytes / _MIB:7.1f} MiB ({wall:.2f} s)", file=sys.stderr, flush=True)
    return use


@contextlib.contextmanager
def _from(address: str) -> Iterator[None]:
    network.set_current(address)
    try:
        yield
    finally:
        network.set_current("")


async def _honest(verifier: Verifier, question: Question) -> list[float]:
    """Seconds of one document after another, at a clerk's desk that never rests."""
    times = []
    for _ in range(SAMPLES):
        await asyncio.sleep(_PAUSE_SECONDS)
        began = time.perf_counter()
        with _from("192.0.2.1"):
            await verifier.judge(question)
        times.append(time.perf_counter() - began)
    return times


def _p99(rounds: list[list[float]]) -> float:
    return statistics.quantiles(itertools.chain(*rounds), n=100)[98]


async def _beside(verifier: Verifier, question: Question, worst: list[Question]) -> list[float]:
    """As `_honest`, while one sender has ten hostile documents there all the time."""

    async def flood(hostile: Question) -> None:
        while True:
            await _judge(verifier, hostile)

    with _from("192.0.2.2"):
        uploads = [asyncio.create_task(flood(worst[n % len(worst)])) for n in range(UPLOADS)]
    await asyncio.sleep(0)
    try:
        return await _honest(verifier, question)
    finally:
        for upload in uploads:
            upload.cancel()
        await asyncio.gather(*uploads, return_exceptions=True)


async def _service() -> list[dict[str, Any]]:
    # In a thread: pyHanko starts event loops of its own.
    pdfs, foreign = await asyncio.to_thread(lambda: (_hostile(), attack.foreign()))
    questions = {name: _question(pdf) for name, pdf in pdfs.items()}
    with Verifier(10.0) as verifier:
        await verifier.run(len, b"")
        found = {name: await _alone(name, question, verifier) for name, question in questions.items()}
        by_time = sorted(found, key=lambda name: -found[name].seconds)
        worst = [questions[name] for name in by_time[:UPLOADS]]
        honest = _question(foreign)
        await _honest(verifier, honest)
        quiet, beside = [], []
        for _ in range(ROUNDS):
            quiet.append(await _honest(verifier, honest))
            beside.append(await _beside(verifier, honest, worst))
    return [
        esign.row("esign.verify_hostile", found[by_time[0]].seconds, f"s of processor time at most ({by_time[0]})"),
        esign.row("esign.verify_hostile_memory", max(use.bytes for use in found.values()) / _MIB, "MiB at most"),
        # Against the same documents while nobody floods.
        esign.row(
            "esign.verify_queue", _p99(beside) * 1000, f"ms p99 beside {UPLOADS} hostile uploads", _p99(quiet) * 1000
        ),
    ]


async def _cpu_seconds(*words: str) -> float:
    """Processor time of the command as a process of its own, its workers' included."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shuniu.cli.main", *words, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    return used() - before


async def _command() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
        files = [place / f"{number}.pdf" for number in range(FILES)]
        pdf, seal = page(), setting().seal
        for number, file in enumerate(files):
            file.write_bytes(pades.sign(pdf, seal, NOW_US + number * 1_000_000))
        options = ("--trust", folder, "--json", "--data", str(place / "no-hub"))
        cold = [await _cpu_seconds("verify", str(files[0]), *options) for _ in range(STARTS)]
        many = [await _cpu_seconds("verify", *map(str, files), *options) for _ in range(ROUNDS)]
    return [
        esign.row("esign.verify_cold", statistics.median(cold), "s of processor time, one file from a cold start"),
        esign.row(
            "esign.verify_files",
            FILES / statistics.median(many),
            "files/s of processor time, many in one call",
            1 / statistics.median(cold),
        ),
    ]


async def run() -> list[dict[str, Any]]:
    return [*await _service(), *await _command()]
