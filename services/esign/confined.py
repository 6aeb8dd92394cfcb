"""Processes that read foreign documents. Each is forked from one that has imported everything, so a new one is there in
milliseconds; the kernel bounds its memory and processor time, and its answers are read as values, never as code.

A *worker* answers over a socket, one document after another. A *nursery* is the process that workers are forked from:
a program of its own, so that it holds nothing of the service, no key and no connection.
"""

import ctypes
import dataclasses
import enum
import gc
import importlib
import io
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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
# The kernel takes workers before services when memory runs out (proc(5), oom_score_adj).
_OOM_SCORE = 800
_LENGTH = struct.Struct(">Q")
_COUNT = struct.Struct(">B")
# Of bytes that are worth a frame of their own.
_LARGE = 64 * 1024
# Above any answer: a prepared document of 20 MiB with its fields.
_ANSWER_MOST = 64 * 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")


class WorkerGoneError(Exception):
    """The worker ended before it answered: killed by a limit, by the kernel, or by its document."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one document may take of its worker."""

    memory: int
    """Bytes beyond what the worker has at its beginning, whatever was read before."""
    cpu_seconds: float
    """Processor time, s. The kernel ends the worker then."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says. `failure`: the limit that the reading met (MemoryError, RecursionError) or else the text of
    its error, with `is_limit` False. `is_worn`: the worker holds so much memory that a new one is cheaper.
    """

    value: Any = None
    failure: str = ""
    is_limit: bool = False
    is_worn: bool = False


def question(reading: Callable[..., Any], arguments: Sequence[Any], bounds: Bounds) -> list[bytes]:
    """What is sent to a worker, part after part, to ask it for `reading(*arguments)`; `reading` is a function of a
    module. Documents go as they are: no copy is made of them.
    """
    body = io.BytesIO()
    pickler = _Asking(body, pickle.HIGHEST_PROTOCOL)
    pickler.dump((reading, tuple(arguments), bounds.cpu_seconds))
    return [_COUNT.pack(1 + len(pickler.large)), *_frames(body.getvalue(), *pickler.large)]


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
    """Raises WorkerGoneError for anything that is not an answer: the worker may have been taken over."""
    try:
        found = _Values(io.BytesIO(body)).load()
    except Exception as cause:
        raise WorkerGoneError(f"not an answer: {type(cause).__name__}") from cause
    if not isinstance(found, Answer):
        raise WorkerGoneError("not an answer")
    return found


class _Values(pickle.Unpickler):
    """Reads data classes, enumerations and named strings of esign, and nothing that runs anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("services.esign."):
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, enum.Enum | str)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value")


# The worker's side.


def work(channel: socket.socket, memory: int) -> None:
    """Answers until the other side closes. `memory`: bytes that one document may take beyond what the process has."""
    _confine()
    room = _Room(memory)
    _send(channel, os.getpid().to_bytes(8, "big"))
    while (parts := _asked(channel)) is not None:
        answer = _answered(parts)
        del parts
        if room.is_overdrawn() and not answer.failure:
            answer = Answer(failure=MemoryError.__name__, is_limit=True)
        if room.end():
            answer = dataclasses.replace(answer, is_worn=True)
        _send(channel, pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


class _Room:
    """The memory of one document after another: each has as much as the first."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._libc = ctypes.CDLL(None)
        self._at_first = self._base = _statm(0)
        self._resident = _resident()
        self._most = self._at_first + _WORN_BYTES + memory + _MARGIN_BYTES
        self._give()

    def _give(self) -> None:
        # Never from a lower base than before: the most that was ever taken is measured against it.
        self._base = max(self._base, _statm(0))
        given = min(self._base + self._memory + _MARGIN_BYTES, self._most)
        resource.setrlimit(resource.RLIMIT_AS, (given, self._most))

    def is_overdrawn(self) -> bool:
        """Whether more was taken than a document may: what was found may come from a want of memory."""
        return _most_address_space() > self._base + self._memory

    def end(self) -> bool:
        """Gives back what the document left, and the next one its own. Returns whether too much stays."""
        if _resident() - self._resident > _TRIM_BYTES and hasattr(self._libc, "malloc_trim"):
            self._libc.malloc_trim(0)
            self._resident = _resident()
        self._give()
        return self._base - self._at_first > _WORN_BYTES


def _asked(channel: socket.socket) -> list[bytearray] | None:
    count = _exactly(channel, _COUNT.size)
    if count is None:
        return None
    parts = [_receive(channel) for _ in range(_COUNT.unpack(count)[0])]
    found = [part for part in parts if part is not None]
    return found if len(found) == len(parts) else None


def _answered(parts: list[bytearray]) -> Answer:
    try:
        # Written by this hub's own process.
        reading, arguments, cpu_seconds = _Asked(parts[0], parts[1:]).load()
        # SIGPROF is not caught: it ends the process.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        return Answer(reading(*arguments))
    except (MemoryError, RecursionError) as limit:
        return Answer(failure=type(limit).__name__, is_limit=True)
    except Exception as error:  # noqa: BLE001 — said to the service, which has the log
        return Answer(failure=f"{type(error).__name__}: {error}"[:500])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _confine() -> None:
    libc = ctypes.CDLL(None)
    # A service that is killed must not leave its workers behind.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")


def _resident() -> int:
    return _statm(1)


def _most_address_space() -> int:
    """The most that this process ever had, bytes (proc(5), status: VmPeak)."""
    status = Path("/proc/self/status").read_bytes()
    return int(status.partition(b"VmPeak:")[2].split(maxsplit=1)[0]) * 1024


def _statm(column: int) -> int:
    """Bytes of this process: 0 address space, 1 resident (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_bytes().split()[column]) * _PAGE


def _frames(*bodies: bytes) -> Iterator[bytes]:
    for body in bodies:
        yield _LENGTH.pack(len(body))
        yield body


def _send(channel: socket.socket, body: bytes) -> None:
    for part in _frames(body):
        channel.sendall(part)


def _receive(channel: socket.socket) -> bytearray | None:
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


# The nursery's side.


def raise_workers(control: int, memory: int, modules: Sequence[str]) -> None:
    """The nursery's program: forks a worker for each socket that comes over `control`, until that closes."""
    with socket.socket(fileno=control) as orders:
        for name in modules:
            importlib.import_module(name)
        gc.collect()
        # What is shared between the workers stays shared: a collection would write to every page.
        gc.freeze()
        # The kernel buries workers.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            order, channels, _, _ = socket.recv_fds(orders, 1, 1)
            if not order:
                return
            for channel in channels:
                if os.fork() == 0:
                    orders.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _end_with(socket.socket(fileno=channel), memory)
                os.close(channel)


def _end_with(channel: socket.socket, memory: int) -> None:
    """A forked worker's whole life: nothing of what its parent had to do at its end is done twice."""
    try:
        work(channel, memory)
    finally:
        os._exit(0)


class Nursery:
    """The service's handle on a nursery."""

    def __init__(self, memory: int, modules: Sequence[str]) -> None:
        self._memory = memory
        self._modules = tuple(modules)
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        program = (
            f"from {__name__} import raise_workers as run; run({theirs.fileno()}, {self._memory}, {self._modules})"
        )
        with theirs:
            # No environment of the service: it may hold passwords.
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"},
            )

    @property
    def pid(self) -> int:
        """Another one after each start."""
        return self._process.pid

    def renew(self, pid: int) -> None:
        """Ends the nursery that has this process id, and starts another one: it hangs."""
        if self._process.pid == pid:
            self.close()
            self._start()

    def fork(self) -> socket.socket:
        """The socket of a new worker, which says its process id first. Starts the nursery anew when it has died."""
        if self._process.poll() is not None:
            self._control.close()
            self._start()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b"w"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def close(self) -> None:
        """Ends the nursery, and with it every worker."""
        self._control.close()
        self._process.kill()
        self._process.wait()


@dataclass(eq=False, slots=True)
class Worker:
    """A worker from outside."""

    channel: socket.socket
    pid: int = 0
    handle: int = -1
    """pidfd_open(2): no other process can have it, whatever becomes of the number."""
    has_stepped_back: bool = False

    def greeted(self, body: bytes | bytearray) -> None:
        """Its first frame: who it is. Raises WorkerGoneError."""
        self.pid = int.from_bytes(body, "big")
        try:
            self.handle = os.pidfd_open(self.pid)
        except OSError as cause:
            raise WorkerGoneError("ended at its start") from cause

    def cpu_seconds(self) -> float:
        """Processor time it has used so far, s. Raises WorkerGoneError."""
        try:
            # The clock that clock_getcpuclockid(3) names: of the process with this number, its threads together.
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError as cause:
            raise WorkerGoneError("ended") from cause

    def step_back(self, nice: int) -> None:
        """Lets other processes go first, or no longer (0), which the kernel may refuse. Raises WorkerGoneError."""
        try:
            os.setpriority(os.PRIO_PROCESS, self.pid, nice)
        except OSError as cause:
            raise WorkerGoneError("ended") from cause
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


class OneWorker:
    """A worker of this very process, asked one question after another: for a command, which has one thread. Made anew
    after each document that broke it.
    """

    def __init__(self, bounds: Bounds, seconds: float) -> None:
        self._bounds = bounds
        self._seconds = seconds
        self._worker: Worker | None = None

    def ask(self, reading: Callable[..., Any], *arguments: Any) -> Any:
        """Raises WorkerGoneError when a limit was met, RuntimeError for an error of the reading."""
        worker = self._worker or self._forked()
        try:
            worker.channel.settimeout(self._seconds)
            for part in question(reading, arguments, self._bounds):
                worker.channel.sendall(part)
            body = _receive(worker.channel)
        except OSError as cause:
            self._drop()
            raise WorkerGoneError(type(cause).__name__) from cause
        if body is None:
            self._drop()
            raise WorkerGoneError("ended")
        answer = read_answer(bytes(body))
        if answer.is_worn or answer.failure:
            self._drop()
        if answer.is_limit:
            raise WorkerGoneError(answer.failure)
        if answer.failure:
            raise RuntimeError(answer.failure)
        return answer.value

    def _forked(self) -> Worker:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _end_with(theirs, self._bounds.memory)
        theirs.close()
        self._worker = Worker(ours, pid, os.pidfd_open(pid))
        _receive(ours)
        return self._worker

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.end()
            os.waitpid(self._worker.pid, 0)
            self._worker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._drop()
