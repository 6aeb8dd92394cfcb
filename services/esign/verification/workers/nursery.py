"""The process that a service forks its workers from: a program of its own, so that it holds nothing of the service, no
key and no connection. It says of each worker how it ended.
"""

import contextlib
import errno
import gc
import importlib
import logging
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence

from services.esign import metrics
from services.esign.verification.workers.confined import frames, live, obituary, resident

# How long the end of a service waits for that of a nursery that it killed, s.
_END_SECONDS = 2.0

_log = logging.getLogger(__name__)


# The nursery's side.


def raise_workers(control: int, memory: int, modules: Sequence[str], optional: Sequence[str] = ()) -> None:
    """The nursery's program: forks a worker for each socket that comes over `control`, and says over that socket how it
    ended, until `control` closes. A worker whose socket the service closes is killed: one that is stopped would not see
    it. `optional`: modules without which most documents can be read.
    """
    with socket.socket(fileno=control) as orders:
        for name in modules:
            importlib.import_module(name)
        absent = []
        for name in optional:
            try:
                importlib.import_module(name)
            except (ImportError, OSError) as cause:
                absent.append(name)
                _log.warning("%s cannot be loaded; what needs it stays unknown: %s", name, cause)
        gc.collect()
        # What is shared between the workers stays shared: a collection would write to every page.
        gc.freeze()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _Raising(orders, memory, absent).run()


class _Raising:
    """Workers from their birth to their burial."""

    def __init__(self, orders: socket.socket, memory: int, absent: Sequence[str]) -> None:
        self._orders = orders
        self._memory = memory
        self._absent = absent
        self._heard = select.poll()
        # By its number: its channel, and what it held at its birth, bytes.
        self._born: dict[int, tuple[socket.socket, int]] = {}
        # A byte comes over it for each signal: a worker has ended.
        self._ended, self._wakes = socket.socketpair()
        self._ended.setblocking(False)
        self._wakes.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        self._heard.register(self._orders, select.POLLIN)
        self._heard.register(self._ended, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in self._heard.poll()}
            self._end_left(ready)
            if self._ended.fileno() in ready:
                self._ended.recv(1 << 12)
                self._bury()
            if self._orders.fileno() in ready:
                order, channels, _, _ = socket.recv_fds(self._orders, 1, 1)
                if not order:
                    return
                for channel in channels:
                    self._raise(socket.socket(fileno=channel))

    def _raise(self, channel: socket.socket) -> None:
        try:
            pid = os.fork()
        except OSError as cause:
            _log.warning("no worker can be forked: %s", cause)
            channel.close()
            return
        if pid:
            self._born[pid] = channel, resident(pid)
            # No event of it but that the service has closed its end.
            self._heard.register(channel, 0)
            return
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A worker has no access to another one: an attacker who takes it over reads no other document.
        for each in (self._orders, self._ended, self._wakes, *(channel for channel, _ in self._born.values())):
            each.close()
        live(channel, self._memory, self._absent)

    def _end_left(self, ready: Collection[int]) -> None:
        """Kills workers whose channels the service has closed. They are not waited for yet: no other process has their
        numbers.
        """
        for pid, (channel, _) in self._born.items():
            if channel.fileno() in ready:
                self._heard.unregister(channel)
                os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        while self._born:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            channel, before = self._born.pop(pid)
            with channel:
                with contextlib.suppress(KeyError):
                    self._heard.unregister(channel)
                told = obituary(status, usage.ru_maxrss * 1024, before, self._memory)
                try:
                    # Who asked may have left, or may not listen: nobody waits for that.
                    body = b"".join(frames(pickle.dumps(told, pickle.HIGHEST_PROTOCOL)))
                    channel.send(body, socket.MSG_DONTWAIT)
                except OSError:
                    pass


# The service's side.


class Nursery:
    """The service's handle on a nursery."""

    def __init__(self, memory: int, modules: Sequence[str], optional: Sequence[str] = ()) -> None:
        self._memory = memory
        self._modules = tuple(modules), tuple(optional)
        # Killed, and not collected yet: a process that waits for its disk ends when the disk answers.
        self._killed: list[subprocess.Popen[bytes]] = []
        self._is_closed = False
        self._start()

    def _start(self) -> None:
        self._killed = [each for each in self._killed if each.poll() is None]
        self._control, theirs = socket.socketpair()
        # The service's event loop waits for no nursery.
        self._control.setblocking(False)
        program = (
            f"from {__name__} import raise_workers as run; run({theirs.fileno()}, {self._memory}, *{self._modules})"
        )
        with theirs:
            # No environment of the service: it may hold passwords. No threads of NumPy's library of linear algebra: a
            # process that has some is not forked.
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "LC_ALL": "C.UTF-8",
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )

    @property
    def pid(self) -> int:
        """Another one after each start."""
        return self._process.pid

    def renew(self, pid: int) -> None:
        """Ends the nursery that has this process id, and starts another one: it hangs."""
        if self._process.pid == pid and not self._is_closed:
            metrics.NURSERY_RESTARTS.labels("hangs").inc()
            self._kill()
            self._start()

    def fork(self) -> socket.socket:
        """The socket of a new worker, which says its process id first. Starts the nursery anew when it has died. Never
        waits; raises OSError: BlockingIOError for a nursery that takes no orders, ESHUTDOWN after `close`.
        """
        if self._is_closed:
            raise OSError(errno.ESHUTDOWN, os.strerror(errno.ESHUTDOWN))
        if self._process.poll() is not None:
            metrics.NURSERY_RESTARTS.labels("died").inc()
            self._control.close()
            self._start()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b"w"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def close(self) -> None:
        """Ends the nursery, and with it every worker; there will be no other."""
        if self._is_closed:
            return
        self._is_closed = True
        self._kill()
        for each in self._killed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.wait(_END_SECONDS)

    def _kill(self) -> None:
        self._control.close()
        self._process.kill()
        self._killed.append(self._process)
