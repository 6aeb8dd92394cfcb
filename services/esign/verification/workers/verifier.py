"""Foreign documents are read by a few confined workers: in turns between senders, quick documents before heavy ones.

Every document gets a *first pass*. One that needs more of the processor is set aside: it goes on, or is read again from
its beginning, in the *slow lane*, whose worker has the lowest priority for the processor. So a hostile
document delays those of others by its first pass at most, and other heavy ones by its own budget.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple

from services.esign import metrics
from services.esign.domain.foreign_documents import CPU_SECONDS, MEMORY_BYTES
from services.esign.domain.verdict import Verdict
from services.esign.verification.judging import Question, answer
from services.esign.verification.workers import confined
from services.esign.verification.workers.confined import (
    Bounds,
    CrashedError,
    OverBoundsError,
    Patience,
    StalledError,
    Worker,
    WorkerGoneError,
)
from services.esign.verification.workers.nursery import Nursery
from services.esign.verification.workers.refusals import away
from shuniu.kit.process.fair_queue import FairQueue, Room
from shuniu.kit.rpc.network import sender
from shuniu.kit.rpc.uploads import busy

__all__ = ["Here", "Question", "Verifier", "VerifierFailedError", "answer"]

Arguments = TypeVarTuple("Arguments")
Read = TypeVar("Read")
# All that a worker ever runs; imported before its first document.
_IMPORTED = (
    "services.esign.verification.judging",
    "services.esign.verification.domain.ofd.judge",
    "services.esign.verification.domain.ofd.plain_seal",
    "services.esign.revisions.rendering",
    "services.esign.flows.pages",
)
# Without it pages are not compared; all other steps are judged.
_OPTIONAL = ("pypdfium2",)
# Processor time of the first pass, s: twenty times a certificate's, and enough to draw some pages. While somebody waits
# for a worker, no more than the second: a hostile document costs the next sender that.
_FIRST_PASS = 0.3
_FIRST_PASS_OF_MANY = 0.03
# How often a reading that takes longer than this is looked at, s.
_LOOK_SECONDS = 0.01
_LOOK_AT_BIRTH_SECONDS = 0.1
# A reading that has used so much of the processor lets quick ones go first, s.
_SHORT = 0.015
# The kernel ends a worker this much processor time, s, after the service should have.
_GRACE_SECONDS = 0.25
# The nursery reports within this time, s, how a worker ended.
_LAST_WORDS_SECONDS = 2.0
# How far (setpriority(2)): to a third of what an ordinary process gets, and all that nobody else wants.
_STEPS_BACK = 5
# How long a worker may take to be there, s: ten times what the imports take. A nursery that takes longer hangs, and the
# next one has twice the time: the machine may be slow.
_START_SECONDS = 10.0
_START_MOST_SECONDS = 80.0
# How long a document waits for a worker, s: less than callers wait.
_STARTS_SECONDS = 20.0
_STARTS = 3
# Workers that nobody uses yet.
_SPARE = 1
_ROOM = Room(64, 128 * 1024 * 1024)


class VerifierFailedError(Exception):
    """The document was seen to need more than its bounds: too long, too much memory. It is at fault, not the hub."""


class End(StrEnum):
    """The reason why a worker ended, for the metric."""

    LIMIT = "limit"
    DIED = "died"
    STALLED = "stalled"
    LEFT = "left"
    SET_ASIDE = "set_aside"
    WORN = "worn"


@dataclass(eq=False, slots=True)
class _Job:
    """One reading that somebody waits for."""

    sender: str
    size: int
    reading: Callable[..., Any]
    arguments: tuple[Any, ...]
    done: asyncio.Future[Any]
    is_heavy: bool = False
    began: float = field(default_factory=time.monotonic)
    task: asyncio.Task[Any] | None = None


class _SetAsideError(Exception):
    """The first pass was not enough, and the slow lane has no room now."""


class Verifier:
    """`workers` processes for first passes, half as many for the slow lane.

    `seconds`, `cpu_seconds`, `memory`: wall-clock and processor time, s, and bytes of one document. `room`: how many
    documents, and how many bytes of them, may wait.
    """

    def __init__(
        self,
        seconds: float,
        *,
        workers: int = 2,
        cpu_seconds: float = CPU_SECONDS,
        memory: int = MEMORY_BYTES,
        room: Room = _ROOM,
    ) -> None:
        self._seconds = seconds
        self._cpu_seconds = cpu_seconds
        self._bounds = Bounds(memory, cpu_seconds + _GRACE_SECONDS)
        self._room = room
        self._workers = self._free_quick = workers
        self._free_slow = max(1, workers // 2)
        self._quick: FairQueue[_Job] = FairQueue()
        self._slow: FairQueue[_Job] = FairQueue()
        self._running: set[_Job] = set()
        self._busy: set[Worker] = set()
        self._idle: list[Worker] = []
        # Those that were asked for and are not there yet. The service waits for them, not their callers, who may leave.
        self._births: dict[Worker, asyncio.Task[None]] = {}
        self._patience = _START_SECONDS
        self._nursery = Nursery(memory, _IMPORTED, _OPTIONAL)
        self._most_idle = workers + _SPARE
        self._fill()

    async def judge(self, question: Question) -> Verdict:
        """Raises VerifierFailedError, HubError RESOURCE_EXHAUSTED VERIFY_BUSY, UNAVAILABLE VERIFY_AWAY."""
        return await self._run(question.size, answer, (question,))

    async def run(self, reading: Callable[[*Arguments], Read], *arguments: *Arguments) -> Read:
        """Anything else that reads a foreign document, a function of a module. Raises as `judge`; RuntimeError for an
        error of the reading itself.
        """
        return await self._run(sum(len(a) for a in arguments if isinstance(a, bytes | str)), reading, arguments)

    async def _run(self, size: int, reading: Callable[..., Read], arguments: tuple[Any, ...]) -> Read:
        job = _Job(sender(), size, reading, arguments, asyncio.get_running_loop().create_future())
        self._quick.add(job)
        self._dispatch()
        while (refused := self._room.overfull(self._quick, self._slow)) is not None:
            self._remove(refused)
            if not refused.done.done():
                refused.done.set_exception(busy())
        try:
            found: Read = await job.done
        except asyncio.CancelledError:
            # The caller left: frees the place and ends the worker.
            self._remove(job)
            if job.task is not None:
                job.task.cancel()
            raise
        return found

    # Who is next. Nothing here awaits: what is looked at is what is acted on.

    def _dispatch(self) -> None:
        while self._free_quick and (job := self._quick.next(self._may_have_another)) is not None:
            self._free_quick -= 1
            self._start(job)
        while self._free_slow and (job := self._slow.next()) is not None:
            self._free_slow -= 1
            self._start(job)
        self._count_waiting()

    def _may_have_another(self, waiting: _Job) -> bool:
        """A sender with a heavy document in work gets at most one more worker, so that the rest serve other senders."""
        sender = waiting.sender
        quick = sum(job.sender == sender and not job.is_heavy for job in self._running)
        return quick < (1 if self._has_heavy(sender) else self._workers)

    def _has_heavy(self, sender: str) -> bool:
        return sender in self._slow or any(job.sender == sender and job.is_heavy for job in self._running)

    def _start(self, job: _Job) -> None:
        self._running.add(job)
        job.task = asyncio.create_task(self._read(job), name="verifier")
        # Also of a task that is cancelled before it begins.
        job.task.add_done_callback(lambda task: self._passed(job, task))

    def _passed(self, job: _Job, task: asyncio.Task[Any]) -> None:
        self._running.discard(job)
        self._give_back(job)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or job.done.done():
            job.done.cancel()
        elif isinstance(error, _SetAsideError):
            job.is_heavy = True
            self._slow.add(job)
        elif error is not None:
            job.done.set_exception(error)
        else:
            job.done.set_result(task.result())
            seconds = time.monotonic() - job.began
            metrics.VERIFIER_SECONDS.labels("slow" if job.is_heavy else "quick").observe(seconds)
        self._dispatch()

    def _give_back(self, job: _Job) -> None:
        """The place that the job has, in whichever lane it is."""
        if job.is_heavy:
            self._free_slow += 1
        else:
            self._free_quick += 1

    def _remove(self, job: _Job) -> None:
        self._quick.remove(job)
        self._slow.remove(job)
        self._count_waiting()

    def _set_aside(self, job: _Job) -> None:
        """Out of the first pass: on with the same worker when the slow lane has room. Raises _SetAsideError."""
        if not self._free_slow:
            raise _SetAsideError
        self._give_back(job)
        job.is_heavy = True
        self._free_slow -= 1
        self._dispatch()

    def _count_waiting(self) -> None:
        metrics.VERIFIER_WAITING.set(len(self._quick) + len(self._slow))

    async def _read(self, job: _Job) -> Any:
        """One pass of a job that has its place. Raises VerifierFailedError, HubError, RuntimeError, _SetAsideError."""
        try:
            said = await self._asked(job)
        except WorkerGoneError as first:
            # Somebody else may have ended it, and those that wait too: the document is read once more.
            self._end_idle(worker for worker in self._idle if worker not in self._births)
            try:
                said = await self._asked(job)
            except WorkerGoneError as again:
                if isinstance(first, CrashedError) and isinstance(again, CrashedError):
                    # Both by themselves, over the same document.
                    raise VerifierFailedError(str(again)) from again
                raise away() from again
        if said.is_limit:
            raise VerifierFailedError(said.failure)
        if said.failure:
            raise RuntimeError(said.failure)
        return said.value

    async def _asked(self, job: _Job) -> confined.Answer:
        """Raises VerifierFailedError, WorkerGoneError, HubError, _SetAsideError."""
        worker = await self._worker(may_break=self._has_heavy(job.sender))
        end: End | None = End.DIED
        try:
            if self._has_heavy(job.sender):
                worker.step_back(_STEPS_BACK)
            said = await self._watched(job, worker)
            end = End.LIMIT if said.failure else End.WORN if said.is_worn or not _is_as_new(worker) else None
        except asyncio.CancelledError:
            end = End.LEFT
            raise
        except _SetAsideError:
            end = End.SET_ASIDE
            raise
        except OverBoundsError as cause:
            end = End.LIMIT
            raise VerifierFailedError(str(cause)) from cause
        except StalledError as cause:
            # To read it again would take as long again.
            end = End.STALLED
            raise away() from cause
        finally:
            self._busy.discard(worker)
            if end is None and len(self._idle) < self._most_idle:
                self._idle.append(worker)
            else:
                worker.end()
                metrics.VERIFIER_ENDED.labels((end or End.WORN).value).inc()
        return said

    async def _watched(self, job: _Job, worker: Worker) -> confined.Answer:
        """The worker's answer. Raises OverBoundsError, StalledError, _SetAsideError, WorkerGoneError."""
        used, patience = worker.cpu_seconds(), Patience(self._seconds)
        asking = asyncio.create_task(_conversation(worker, job, self._bounds))
        try:
            while not (await asyncio.wait({asking}, timeout=_LOOK_SECONDS))[0]:
                cpu = worker.cpu_seconds() - used
                if patience.is_over() or cpu >= self._cpu_seconds:
                    raise confined.out_of_time(cpu, Bounds(self._bounds.memory, self._cpu_seconds))
                if cpu >= _SHORT and worker.can_step_back and not worker.has_stepped_back:
                    worker.step_back(_STEPS_BACK)
                if not job.is_heavy and cpu >= (_FIRST_PASS_OF_MANY if self._quick else _FIRST_PASS):
                    self._set_aside(job)
        except WorkerGoneError:
            # How it ended comes over its channel.
            if not (await asyncio.wait({asking}, timeout=_LAST_WORDS_SECONDS))[0]:
                raise
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait({asking})
        return asking.result()

    # Workers.

    async def _worker(self, *, may_break: bool) -> Worker:
        """One that waits for its document: for what may break it a new one, else one that has read others and has all
        it needs at hand. Raises HubError UNAVAILABLE when none can be had.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTS_SECONDS):
                for _ in range(_STARTS):
                    with contextlib.suppress(OSError, WorkerGoneError):
                        worker = await self._ready(self._next(may_break=may_break))
                        self._fill()
                        return worker
        raise away()

    def _next(self, *, may_break: bool) -> Worker:
        """Raises OSError."""
        while self._idle:
            worker = self._idle.pop(0 if may_break else -1)
            if worker in self._births or not _has_ended(worker):
                return worker
            worker.end()
        return self._forked()

    async def _ready(self, worker: Worker) -> Worker:
        """Raises WorkerGoneError."""
        birth = self._births.get(worker)
        self._busy.add(worker)
        try:
            if birth is not None:
                await asyncio.shield(birth)
        except BaseException:
            self._busy.discard(worker)
            if worker in self._births or worker.pid:
                # For the next caller: no more workers are asked for than documents are read at a time.
                self._idle.insert(0, worker)
            raise
        return worker

    def _forked(self) -> Worker:
        """Raises OSError."""
        worker = Worker(self._nursery.fork())
        birth = asyncio.create_task(self._born(worker, self._nursery.pid), name="birth")
        self._births[worker] = birth
        birth.add_done_callback(lambda _: self._delivered(worker, birth))
        return worker

    async def _born(self, worker: Worker, nursery: int) -> None:
        """Raises WorkerGoneError."""
        greeting, patience = asyncio.create_task(_frame(worker)), Patience(self._patience)
        try:
            while not (await asyncio.wait({greeting}, timeout=_LOOK_AT_BIRTH_SECONDS))[0]:
                if patience.is_over():
                    self._renew(nursery)
                    raise WorkerGoneError("not there in time")
            worker.greeted(greeting.result())
        except OSError as cause:
            raise WorkerGoneError(type(cause).__name__) from cause
        finally:
            if not greeting.done():
                greeting.cancel()
                await asyncio.wait({greeting})
        metrics.RENDERER_ABSENT.set(bool(worker.absent))
        self._patience = _START_SECONDS

    def _delivered(self, worker: Worker, birth: asyncio.Task[None]) -> None:
        del self._births[worker]
        if birth.cancelled() or birth.exception() is not None:
            # Its channel is closed here and not before: nothing waits at it any more.
            worker.end()
            if worker in self._idle:
                self._idle.remove(worker)

    def _renew(self, nursery: int) -> None:
        """The nursery with this process id hangs: ends it, and with it all workers that it has or owes."""
        if nursery == self._nursery.pid:
            self._patience = min(2 * self._patience, _START_MOST_SECONDS)
            with contextlib.suppress(OSError):
                self._nursery.renew(nursery)
            self._end_idle(self._idle)
            self._fill()

    def _end_idle(self, workers: Iterable[Worker]) -> None:
        for worker in list(workers):
            self._idle.remove(worker)
            self._end(worker)

    def _end(self, worker: Worker) -> None:
        birth = self._births.get(worker)
        if birth is None or birth.done():
            worker.end()
        else:
            birth.cancel()

    def _fill(self) -> None:
        """One more than is needed: the document after one that breaks its worker must not wait for the next."""
        with contextlib.suppress(OSError):
            while len(self._idle) < _SPARE:
                self._idle.insert(0, self._forked())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers; callers that still wait are cancelled."""
        while (waiting := self._quick.next() or self._slow.next()) is not None:
            waiting.done.cancel()
        for job in self._running:
            if job.task is not None:
                job.task.cancel()
        self._end_idle(self._idle)
        for worker in self._busy:
            self._end(worker)
        self._nursery.close()


class Here:
    """Judges in this process: for bytes that the hub made itself."""

    async def judge(self, question: Question) -> Verdict:
        """Raises HubError UNAVAILABLE VERIFY_AWAY when this process has no memory."""
        try:
            return await asyncio.to_thread(confined.repeated, answer, question)
        except MemoryError as cause:
            raise away() from cause


async def _conversation(worker: Worker, job: _Job, bounds: Bounds) -> confined.Answer:
    """Raises WorkerGoneError."""
    loop = asyncio.get_running_loop()
    try:
        for part in confined.question(job.reading, job.arguments, bounds):
            await loop.sock_sendall(worker.channel, part)
        return confined.read_answer(await _frame(worker))
    except OSError as cause:
        raise WorkerGoneError(type(cause).__name__) from cause


async def _frame(worker: Worker) -> bytes:
    """Raises WorkerGoneError, OSError."""
    return await _exactly(worker, confined.length_of(await _exactly(worker, confined.HEAD_SIZE)))


async def _exactly(worker: Worker, size: int) -> bytes:
    loop, body, at = asyncio.get_running_loop(), bytearray(size), 0
    while at < size:
        got = await loop.sock_recv_into(worker.channel, memoryview(body)[at:])
        if not got:
            raise WorkerGoneError("ended")
        at += got
    return bytes(body)


def _is_as_new(worker: Worker) -> bool:
    """Tells whether it goes first again; without a privilege nobody takes back a step back (RLIMIT_NICE)."""
    if worker.has_stepped_back:
        with contextlib.suppress(WorkerGoneError):
            worker.step_back(0)
    return not worker.has_stepped_back


def _has_ended(worker: Worker) -> bool:
    """An idle worker has nothing to say but its end."""
    try:
        worker.channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
