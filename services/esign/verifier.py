"""Foreign documents are read in a worker process of its own: bounded in time and memory, replaced when it fails."""

import asyncio
import ctypes
import multiprocessing
import resource
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple

from cryptography import x509

from services.esign import ses_document
from services.esign.domain import witness
from services.esign.domain.note import VerifierKey, parse_vkey
from services.esign.domain.verdict import Step, Verdict
from services.esign.domain.verify import Known, Trust, judge

Arguments = TypeVarTuple("Arguments")
Read = TypeVar("Read")
_PR_SET_PDEATHSIG = 1  # prctl(2)
MEMORY_MOST = 1024 * 1024 * 1024
"""Address space of the worker, bytes: fifty times the largest document."""
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """One document to judge; see `judge`."""

    pdf: bytes = field(repr=False)
    roots_pem: bytes
    vkeys: tuple[str, ...]
    now_us: int
    receipt: str | None
    known: Known | None
    # Seal signature beside the document, and the SM2 certificates trusted for it; empty: there is none.
    ses: bytes = field(default=b"", repr=False)
    sm_pem: bytes = b""
    # Roots of an outside timestamp authority; empty: there is none.
    tsa_pem: bytes = b""
    # The hub's witnesses: their cosignatures are counted and shown, not demanded.
    witness_vkeys: tuple[str, ...] = ()
    # What the hub's own CRLs say, for documents that are not in its register.
    crls: tuple[bytes, ...] = ()


class VerifierFailedError(Exception):
    """The worker could not finish: too long, too much memory. The document is at fault, not the hub."""


class Verifier:
    """One worker. A document that breaks it costs a new worker and nothing else."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pool = self._start()
        self._cold = True
        self._turn = asyncio.Lock()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _confine)

    async def judge(self, question: Question) -> Verdict:
        """Raises VerifierFailedError."""
        return await self.run(answer, question)

    async def run(self, reading: Callable[[*Arguments], Read], *arguments: *Arguments) -> Read:
        """Anything else that reads a foreign document, a function of a module. Raises VerifierFailedError."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            try:
                if self._cold:
                    # A new worker starts for a while; the document that comes first must not pay for it.
                    async with asyncio.timeout(_START_SECONDS):
                        await loop.run_in_executor(self._pool, _started)
                    self._cold = False
                work = loop.run_in_executor(self._pool, reading, *arguments)
                async with asyncio.timeout(self._seconds):
                    return await work
            except (TimeoutError, BrokenProcessPool, MemoryError) as cause:
                self._replace()
                raise VerifierFailedError(type(cause).__name__) from cause
            except asyncio.CancelledError:
                # Whoever asked has left, and the worker reads on: the next document must not pay for that.
                self._replace()
                raise

    def _replace(self) -> None:
        _kill(self._pool)
        self._pool = self._start()
        self._cold = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _kill(self._pool)


class Here:
    """Judges in this process: for bytes that the hub made itself."""

    async def judge(self, question: Question) -> Verdict:
        return await asyncio.to_thread(answer, question)


def _kill(pool: ProcessPoolExecutor) -> None:
    workers: Sequence[multiprocessing.process.BaseProcess] = list((pool._processes or {}).values())  # noqa: SLF001 — no public way to end a stuck worker
    for worker in workers:
        worker.kill()
    pool.shutdown(wait=True, cancel_futures=True)


def _confine() -> None:
    # A service that is killed must not leave its worker behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MOST, MEMORY_MOST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _started() -> None:
    """Runs in the worker, which has imported everything then."""


def answer(question: Question) -> Verdict:
    """Runs in the worker."""
    known = [witness.parse_vkey(text) for text in question.witness_vkeys]
    trust = Trust(
        _certificates(question.roots_pem),
        _keys(question.vkeys),
        policy=witness.Policy.k_of_n(known, 0) if known else None,
        tsa_roots=_certificates(question.tsa_pem),
        crls=question.crls,
    )
    return judge(
        question.pdf,
        trust=trust,
        now_us=question.now_us,
        receipt=question.receipt,
        known=question.known,
        ses=_ses(question) if question.ses else None,
    )


def _ses(question: Question) -> Step:
    return ses_document.check(question.pdf, question.ses, _certificates(question.sm_pem), question.now_us)


# Trust material is the same from question to question.
@lru_cache(maxsize=16)
def _certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(pem)) if pem else ()


@lru_cache(maxsize=16)
def _keys(vkeys: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    return tuple(parse_vkey(text) for text in vkeys)
