"""Processes that read foreign documents. Each is forked from one that has imported everything, so a new one is there in
milliseconds; the kernel bounds its memory and processor time, and its answers are read as values, never as code.

A *worker* answers over a socket, one document after another. A service forks them from a process of their own
(`nursery`), a command from itself (`one_worker`).
"""

import ctypes
import dataclasses
import enum
import importlib
import io
import logging
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar, TypeVarTuple

Arguments = TypeVarTuple("Arguments")
Read = TypeVar("Read")
# prctl(2)
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
# Of the memory that a worker holds after its document, how much is worth giving back, and how much address space is
# worth a new worker, bytes.
_TRIM_BYTES = 1024 * 1024
_WORN_BYTES = 16 * 1024 * 1024
# The kernel's limit lies this far beyond the document's bound, bytes. A library whose small allocation fails may report
# something else: that a signature is false. So allocations fail only after the bound is passed, where no result counts.
_MARGIN_BYTES = 8 * 1024 * 1024
# Free pieces of the heap from the larger size down to the smaller are taken before the first document, bytes. Python
# itself takes memory by the half of the smaller one.
_LARGEST_PIECE, _SMALLEST_PIECE = 1 << 30, 1 << 21
# The kernel takes workers before services when memory runs out (proc(5), oom_score_adj).
_OOM_SCORE = 800
_LENGTH = struct.Struct(">Q")
_COUNT = struct.Struct(">B")
# Bytes from which a part of an answer is sent as a frame of its own.
_LARGE = 64 * 1024
# Above any answer: a prepared document of 20 MiB with its fields.
_ANSWER_MOST = 64 * 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")


# A document that had so much of its processor time when its wall-clock time was over took that time itself.
_NEAR = 0.8
# What one look counts at most of the time since the one before, s: in the rest its owner was stopped, or had no
# processor.
_MOST_OF_A_LOOK = 0.5
# How the kernel ends a worker whose document has used its processor time. Not SIGXCPU: that limit (ulimit -t) is of
# somebody else's making, and counts the documents before too.
_BY_PROCESSOR_LIMIT = signal.SIGPROF
# How a library written in C ends its process when memory is refused, or before it looks whether it was.
_BY_ITSELF = frozenset({signal.SIGABRT, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP})
# What a fault in a library ends with; a want of memory on the whole machine ends mostly otherwise.
_BY_FAULT = frozenset({signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV})
_GREETING_SIZE = 8

_log = logging.getLogger(__name__)
# What holds of the whole machine is said once.
_warn = cache(_log.warning)


class WorkerGoneError(Exception):
    """The worker ended, or never began, and nothing says that its document was the cause: nothing is known of it."""


class CrashedError(WorkerGoneError):
    """The worker ended by a fault of its own, as in a library written in C."""


class StalledError(WorkerGoneError):
    """There was no answer in time, and the worker had hardly been given the processor meanwhile."""


class OverBoundsError(Exception):
    """The document was seen to need more than its bounds: of processor time, of memory, of depth."""


class Patience:
    """`seconds` of wall-clock time in which its owner looks several times a second. A process that is stopped meanwhile
    (SIGSTOP, a paused machine) has not waited: what came in that time is found at the next look.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._looked = time.monotonic()

    def is_over(self) -> bool:
        """Counts the time since the last call, at most half a second of it; tells whether the time is over."""
        now = time.monotonic()
        self._left -= min(now - self._looked, _MOST_OF_A_LOOK)
        self._looked = now
        return self._left <= 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits on what one document may take of its worker."""

    memory: int
    """Bytes beyond what the worker has at its beginning, whatever was read before."""
    cpu_seconds: float
    """Processor time, s. The kernel ends the worker then."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a worker. `failure`: the limit that the reading met (MemoryError, RecursionError) or else the text
    of its error, with `is_limit` False. `is_worn`: the worker holds so much memory that a new one is cheaper.
    """

    value: Any = None
    failure: str = ""
    is_limit: bool = False
    is_worn: bool = False
    is_gone: bool = False
    """It is not the worker that says this, but the one who buried it."""
    is_crash: bool = False
    """It ended by a fault of its own."""


def question(reading: Callable[..., Any], arguments: Sequence[Any], bounds: Bounds) -> list[bytes]:
    """Returns what is sent to a worker, part after part, to ask it for `reading(*arguments)`; `reading` is a function
    of a module. Documents go as they are: no copy is made of them.
    """
    body = io.BytesIO()
    pickler = _Asking(body, pickle.HIGHEST_PROTOCOL)
    pickler.dump((reading, tuple(arguments), bounds.cpu_seconds))
    return [_COUNT.pack(1 + len(pickler.large)), *frames(body.getvalue(), *pickler.large)]


class _Asking(pickle.Pickler):
    """Leaves large bytes out, for the sender to send beside."""

    def __init__(self, into: io.BytesIO, protocol: int) -> None:
        super().__init__(into, protocol)
        self.large: list[bytes] = []

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not bytes or len(value) < _LARGE:
            return None
        self.large.append(value)
        return len(self.large) - 1


class _Asked(pickle.Unpickler):
    """Puts large bytes back."""

    def __init__(self, body: bytearray, large: Sequence[bytearray]) -> None:
        super().__init__(io.BytesIO(body))
        self._large = large

    def persistent_load(self, number: int) -> bytes:
        found = bytes(self._large[number])
        # Two copies of a document would be one too many.
        self._large[number].clear()
        return found


def read_answer(body: bytes) -> Answer:
    """Raises WorkerGoneError when the worker is gone, and for anything that is not an answer: it may have been taken
    over.
    """
    try:
        found = _Values(io.BytesIO(body)).load()
    except Exception as cause:
        raise WorkerGoneError(f"not an answer: {type(cause).__name__}") from cause
    if not isinstance(found, Answer):
        raise WorkerGoneError("not an answer")
    if found.is_gone:
        raise gone(found)
    return found


def gone(found: Answer) -> WorkerGoneError:
    return CrashedError(found.failure) if found.is_crash else WorkerGoneError(found.failure)


def out_of_time(used: float, bounds: Bounds) -> OverBoundsError | StalledError:
    """Decides whose fault it is that there was no answer in time, by the processor time that the worker `used`, s."""
    if used >= _NEAR * bounds.cpu_seconds:
        return OverBoundsError(f"{used:.1f} s of processor time")
    return StalledError(f"no answer in time, with {used:.1f} s of processor time")


def obituary(status: int, peak: int, before: int, memory: int) -> Answer:
    """Decides what is said of a worker that ended with this wait status. `peak`, `before`: bytes it held at most, and
    when it was born. Only what it did itself counts against its document: the kernel, an operator or a supervisor may
    kill any process.
    """
    if not os.WIFSIGNALED(status):
        return Answer(failure=f"exit {os.waitstatus_to_exitcode(status)}", is_gone=True)
    by = os.WTERMSIG(status)
    name = signal.Signals(by).name if by in set(signal.Signals) else f"signal {by}"
    if by == _BY_PROCESSOR_LIMIT:
        return Answer(failure=name, is_limit=True)
    if by in _BY_ITSELF and peak - before > memory // 2:
        return Answer(failure=f"{name}, short of memory", is_limit=True)
    return Answer(failure=name, is_gone=True, is_crash=by in _BY_FAULT)


class _Values(pickle.Unpickler):
    """Reads data classes, enumerations and named strings of esign, and nothing that runs anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("services.esign."):
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, enum.Enum | str)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value")


# The worker's side.


def work(channel: socket.socket, memory: int, absent: Sequence[str] = ()) -> None:
    """Answers until the other side closes. `memory`: bytes that one document may take beyond what the process has.
    `absent`: modules that could not be loaded.
    """
    _confine()
    room = _Room(memory)
    _send(channel, os.getpid().to_bytes(_GREETING_SIZE, "big") + ",".join(absent).encode())
    while (parts := _asked(channel)) is not None:
        answer = _answered(parts, room)
        del parts
        if room.is_overdrawn() and not answer.failure:
            answer = Answer(failure=MemoryError.__name__, is_limit=True)
        elif answer.failure == MemoryError.__name__ and not room.has_the_rest():
            answer = Answer(failure="the machine has no memory", is_gone=True)
        if room.end():
            answer = dataclasses.replace(answer, is_worn=True)
        _send(channel, pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


class _Room:
    """The memory of one document after another: each has as much as the first."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._libc = ctypes.CDLL(None)
        self._take_what_is_free()
        self._at_first = self._base = _statm(0)
        self._resident = resident()
        self._most = self._at_first + _WORN_BYTES + memory + _MARGIN_BYTES
        self._give()

    def _take_what_is_free(self) -> None:
        """Allocates, for good and without touching it, what the process has free in its heap. The kernel's limit counts
        new memory only: a document would have the free memory of the process beside its own.
        """
        allocate = self._libc.malloc
        allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        allowed = _statm(0) + _SMALLEST_PIECE - _PAGE
        resource.setrlimit(
            resource.RLIMIT_AS, (allowed if most == resource.RLIM_INFINITY else min(allowed, most), most)
        )
        size = _LARGEST_PIECE
        while size >= _SMALLEST_PIECE:
            if not allocate(size):
                size //= 2

    def _give(self) -> None:
        # Never from a lower base than before: the most that was ever taken is measured against it.
        self._base = max(self._base, _statm(0))
        given = min(self._base + self._memory + _MARGIN_BYTES, self._most)
        resource.setrlimit(resource.RLIMIT_AS, (given, self._most))

    def is_overdrawn(self) -> bool:
        """Tells whether it took more memory than it may: its verdict may come from an allocation that failed."""
        return _most_address_space() > self._base + self._memory

    def has_the_rest(self) -> bool:
        """Tells whether the machine gives what the document was refused: all that it may still take."""
        rest = self._base + self._memory - _statm(0)
        if rest <= 0:
            return True
        try:
            mmap.mmap(-1, rest, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        except (OSError, MemoryError):
            return False
        return True

    def end(self) -> bool:
        """Frees what the document took, and sets the limit of the next one. Returns whether too much stays."""
        if resident() - self._resident > _TRIM_BYTES and hasattr(self._libc, "malloc_trim"):
            self._libc.malloc_trim(0)
            self._resident = resident()
        self._give()
        return self._base - self._at_first > _WORN_BYTES


def _asked(channel: socket.socket) -> list[bytearray] | None:
    count = _exactly(channel, _COUNT.size)
    if count is None:
        return None
    parts = [receive(channel) for _ in range(_COUNT.unpack(count)[0])]
    found = [part for part in parts if part is not None]
    return found if len(found) == len(parts) else None


def _answered(parts: list[bytearray], room: _Room) -> Answer:
    try:
        # Written by this hub's own process.
        reading, arguments, cpu_seconds = _Asked(parts[0], parts[1:]).load()
        # SIGPROF is not caught: it ends the process.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        return Answer(repeated(reading, *arguments, unless=room.is_overdrawn))
    except (MemoryError, RecursionError) as limit:
        return Answer(failure=type(limit).__name__, is_limit=True)
    except Exception as error:  # noqa: BLE001 — said to the service, which has the log
        return Answer(failure=f"{type(error).__name__}: {error}"[:500])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def repeated(
    reading: Callable[[*Arguments], Read], *arguments: *Arguments, unless: Callable[[], bool] = lambda: False
) -> Read:
    """The result of `reading(*arguments)`. One that ends in MemoryError is made once more, since the machine may have
    been short of memory for a moment; not where `unless()` says that the reading itself took too much. Raises what the
    last one raises.
    """
    try:
        return reading(*arguments)
    except MemoryError:
        if unless():
            raise
    # Outside of the handler: the error's traceback keeps the memory of the first reading.
    return reading(*arguments)


def _confine() -> None:
    libc = ctypes.CDLL(None)
    # A service that is killed must not leave its workers behind.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A terminal's Ctrl-C is for who asks; he ends his worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
    except OSError as cause:
        # It only says who goes first: its bounds hold without it.
        _log.warning("out of memory, the kernel will not take this worker first (oom_score_adj): %s", cause)


def resident(process: int | str = "self") -> int:
    """Bytes of memory that a process holds. Of a child just forked: it has not all of its parent's. Raises OSError."""
    return _statm(1, process)


def _most_address_space() -> int:
    """The most that this process ever had, bytes (proc(5), status: VmPeak)."""
    status = Path("/proc/self/status").read_bytes()
    return int(status.partition(b"VmPeak:")[2].split(maxsplit=1)[0]) * 1024


def _statm(column: int, process: int | str = "self") -> int:
    """Bytes of a process: 0 address space, 1 resident (proc(5), statm)."""
    return int(Path(f"/proc/{process}/statm").read_bytes().split()[column]) * _PAGE


def frames(*bodies: bytes) -> Iterator[bytes]:
    for body in bodies:
        yield _LENGTH.pack(len(body))
        yield body


def _send(channel: socket.socket, body: bytes) -> None:
    for part in frames(body):
        channel.sendall(part)


def receive(channel: socket.socket) -> bytearray | None:
    head = _exactly(channel, _LENGTH.size)
    return None if head is None else _exactly(channel, length_of(head))


def length_of(head: bytes | bytearray) -> int:
    """Raises WorkerGoneError when it is more than any answer has."""
    (length,) = _LENGTH.unpack(head)
    if length > _ANSWER_MOST:
        raise WorkerGoneError(f"an answer of {length} bytes")
    return int(length)


HEAD_SIZE = _LENGTH.size


def _exactly(channel: socket.socket, size: int) -> bytearray | None:
    body = bytearray(size)
    at = 0
    while at < size:
        got = channel.recv_into(memoryview(body)[at:])
        if not got:
            return None
        at += got
    return body


def live(channel: socket.socket, memory: int, absent: Sequence[str] = ()) -> NoReturn:
    """A forked worker's whole life: nothing of what its parent had to do at its end is done twice."""
    try:
        work(channel, memory, absent)
        os._exit(0)
    except ConnectionError:
        # Who asked has left.
        os._exit(0)
    except BaseException:  # noqa: BLE001 — printed, because the process ends here
        traceback.print_exc()
    finally:
        os._exit(1)


# The asking side.


@dataclass(eq=False, slots=True)
class Worker:
    """A worker from outside."""

    channel: socket.socket
    pid: int = 0
    handle: int = -1
    """pidfd_open(2): no other process can have it, whatever becomes of the number. -1 where there is none: then who
    forked the worker ends it when its channel is closed.
    """
    absent: tuple[str, ...] = ()
    """Modules that it could not load."""
    has_stepped_back: bool = False
    can_step_back: bool = True

    def greeted(self, body: bytes | bytearray) -> None:
        """Reads the worker's first frame: its process id, and the modules that it could not load. Raises
        WorkerGoneError.
        """
        if len(body) < _GREETING_SIZE:
            raise WorkerGoneError("ended at its start")
        self.pid = int.from_bytes(body[:_GREETING_SIZE], "big")
        self.absent = tuple(filter(None, body[_GREETING_SIZE:].decode(errors="replace").split(",")))
        try:
            self.handle = os.pidfd_open(self.pid)
        except ProcessLookupError as cause:
            raise WorkerGoneError("ended at its start") from cause
        except OSError as cause:
            # An old kernel, or a filter of system calls.
            _warn("workers have no handle (pidfd_open): %s", str(cause))

    def cpu_seconds(self) -> float:
        """Processor time it has used so far, s. Raises WorkerGoneError."""
        try:
            # The clock that clock_getcpuclockid(3) names: of the process with this number, its threads together.
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError as cause:
            raise WorkerGoneError("ended") from cause

    def step_back(self, nice: int) -> None:
        """Lets other processes go first, or no longer (0). The kernel may refuse: it matters to speed alone. Raises
        WorkerGoneError.
        """
        try:
            os.setpriority(os.PRIO_PROCESS, self.pid, nice)
        except ProcessLookupError as cause:
            raise WorkerGoneError("ended") from cause
        except OSError as cause:
            self.can_step_back = False
            if nice:
                _warn("workers cannot let others go first (setpriority): %s", str(cause))
            return
        self.has_stepped_back = nice > 0

    def end(self) -> None:
        """At once, whatever it is doing."""
        self.channel.close()
        if self.handle >= 0:
            try:
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(self.handle)
            self.handle = -1
