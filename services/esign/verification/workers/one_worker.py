"""A worker for a command: forked from the command itself, which has one thread and one document after another."""

import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, Self

from services.esign.verification.workers.confined import (
    Answer,
    Bounds,
    CrashedError,
    OverBoundsError,
    Patience,
    StalledError,
    Worker,
    WorkerGoneError,
    gone,
    live,
    obituary,
    out_of_time,
    question,
    read_answer,
    receive,
    resident,
)

_LOOK_MS = 100


class OneWorker:
    """A worker of this very process, asked one question after another: for a command, which has one thread. Made anew
    after each document that broke it, and by a process that was forked meanwhile.
    """

    def __init__(self, bounds: Bounds, seconds: float) -> None:
        self._bounds = bounds
        self._seconds = seconds
        self._worker: Worker | None = None
        self._resident = 0
        self._owner = 0

    def ask(self, reading: Callable[..., Any], *arguments: Any) -> Any:
        """Raises OverBoundsError when a limit was met, WorkerGoneError when this machine cannot read it now,
        RuntimeError for an error of the reading.
        """
        try:
            answer = self._answer(reading, arguments)
        except StalledError:
            raise
        except WorkerGoneError as first:
            # Somebody may have ended it: the document is read once more.
            try:
                answer = self._answer(reading, arguments)
            except CrashedError as again:
                if isinstance(first, CrashedError):
                    # Both by themselves, over the same document.
                    raise OverBoundsError(str(again)) from again
                raise
        if answer.is_limit:
            raise OverBoundsError(answer.failure)
        if answer.failure:
            raise RuntimeError(answer.failure)
        return answer.value

    def _answer(self, reading: Callable[..., Any], arguments: Sequence[Any]) -> Answer:
        """Raises WorkerGoneError, OverBoundsError."""
        is_kept = False
        if self._owner != os.getpid():
            self._leave()
        try:
            worker = self._worker or self._forked()
            used = worker.cpu_seconds()
            worker.channel.settimeout(self._seconds)
            for part in question(reading, arguments, self._bounds):
                worker.channel.sendall(part)
            self._wait_for(worker.channel)
            body = receive(worker.channel)
            if body is None:
                return self._buried()
            answer = read_answer(bytes(body))
            is_kept = not (answer.is_worn or answer.failure)
            return answer
        except TimeoutError as cause:
            raise out_of_time(worker.cpu_seconds() - used, self._bounds) from cause
        except ConnectionError:
            return self._buried()
        except OSError as cause:
            raise WorkerGoneError(f"{type(cause).__name__}: {cause}") from cause
        finally:
            if not is_kept:
                self._drop()

    def _wait_for(self, channel: socket.socket) -> None:
        """Returns when something can be received. Raises TimeoutError."""
        heard, patience = select.poll(), Patience(self._seconds)
        heard.register(channel, select.POLLIN)
        while not heard.poll(_LOOK_MS):
            if patience.is_over():
                raise TimeoutError

    def _forked(self) -> Worker:
        """Raises OSError, WorkerGoneError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if pid == 0:
                ours.close()
                live(theirs, self._bounds.memory)
        self._worker, self._owner = Worker(ours, pid, _handle(pid)), os.getpid()
        self._resident = resident(pid)
        ours.settimeout(self._seconds)
        try:
            body = receive(ours)
        except TimeoutError as cause:
            raise StalledError("no worker in time") from cause
        if body is None:
            raise WorkerGoneError("ended at its start")
        return self._worker

    def _drop(self) -> tuple[int, int]:
        """Ends the worker. Its wait status, and the most memory that it ever held, bytes; of an end that somebody else
        was told, nothing is known.
        """
        if self._owner != os.getpid():
            self._leave()
        if self._worker is None:
            return 0, 0
        worker, self._worker = self._worker, None
        has_handle = worker.handle >= 0
        worker.end()
        try:
            if not has_handle and os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                # Still this process's own, so the number is nobody else's.
                os.kill(worker.pid, signal.SIGKILL)
            _, status, usage = os.wait4(worker.pid, 0)
        except (ChildProcessError, ProcessLookupError):
            # Nobody waits here where the end of children is ignored, or the program that embeds this waits for all.
            return 0, 0
        return status, usage.ru_maxrss * 1024

    def _leave(self) -> None:
        """A worker that this process has from the one it was forked from is not its own to end."""
        if self._worker is not None:
            self._worker.channel.close()
            if self._worker.handle >= 0:
                os.close(self._worker.handle)
            self._worker = None

    def _buried(self) -> Answer:
        """Tells how the worker ended that has closed its channel. Raises WorkerGoneError."""
        status, peak = self._drop()
        told = obituary(status, peak, self._resident, self._bounds.memory)
        if told.is_gone:
            raise gone(told)
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._drop()


def _handle(pid: int) -> int:
    """pidfd_open(2) of a child; -1 where there is none."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1
