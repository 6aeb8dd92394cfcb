"""Sessions with a device: pooled, and found again after the device was lost.

A device that was taken out, restarted or replaced leaves sessions that mean nothing: the work is tried with a new
session, then with the library started again; then the device is away, and for a second nobody asks it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

from shuniu.kit.crypto.device import KeyAwayError, KeyRefusedError

Answer = TypeVar("Answer")

# While a device is away, callers hear so at once instead of queueing up for it, s.
PAUSE: Final = 1.0
# How long a caller waits for a session that others hold, or for others' calls to end, s.
_PATIENCE: Final = 5.0


class Trouble(Enum):
    """Meaning of a device's failure."""

    LOST = "the session or the device is not there any more, perhaps"
    PASSWORD = "PIN or password refused: given again, it locks the device"  # noqa: S105 — says what, holds none
    UNABLE = "the device never does this"


class DeviceError(Exception):
    """A call of a device's library failed."""

    trouble = Trouble.LOST


class Session(Protocol):
    """One session. `generation`: of the library that gave it."""

    @property
    def generation(self) -> int: ...
    def close(self) -> None: ...


Held = TypeVar("Held", bound=Session)


class Gate:
    """Calls to a library run beside each other; starting it again waits until none runs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._restarting = False
        self.generation = 0

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        with self._changed:
            while self._restarting:
                self._changed.wait()
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def restart(self, seen: int, work: Callable[[], None]) -> None:
        """Runs `work` alone, unless somebody did since generation `seen`. Its DeviceError is no news.

        A call that hangs in its library keeps the others from this and from nothing else: it is given up after a while.
        """
        with self._changed:
            while self._restarting:
                self._changed.wait()
            if self.generation != seen:
                return
            self._restarting = True
            if not self._changed.wait_for(lambda: not self._running, _PATIENCE):
                self._restarting = False
                self._changed.notify_all()
                return
        try:
            with contextlib.suppress(DeviceError):
                work()
        finally:
            with self._changed:
                self.generation += 1
                self._restarting = False
                self._changed.notify_all()


class Pool(Generic[Held]):
    """At most `most` sessions with one device. Safe for threads.

    `begin` opens a session (raises DeviceError), `stop` lets go of the library so that the next session starts it anew.
    """

    def __init__(self, gate: Gate, begin: Callable[[], Held], stop: Callable[[], None], most: int) -> None:
        self._gate = gate
        self._begin = begin
        self._stop = stop
        self._free: list[Held] = []
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(most)
        self._away_until = 0.0
        self._refused = ""
        self.opened = 0

    def run(self, work: Callable[[Held], Answer]) -> Answer:
        """`work` with a session; it may be called up to three times. Raises KeyAwayError, KeyRefusedError."""
        if self._refused:
            raise KeyAwayError(self._refused)
        if time.monotonic() < self._away_until:
            raise KeyAwayError("the device was away a moment ago")
        if not self._room.acquire(timeout=_PATIENCE):
            raise KeyAwayError("every session with the device is in use")
        try:
            return self._run(work)
        finally:
            self._room.release()

    def _run(self, work: Callable[[Held], Answer]) -> Answer:
        last: Exception | None = None
        seen = 0
        for attempt in ("with what is held", "with a new session", "from the beginning"):
            if attempt == "from the beginning":
                self._gate.restart(seen, self._stop)
            seen = self._gate.generation
            try:
                with self._gate.call():
                    return self._try(work, fresh=attempt != "with what is held")
            except DeviceError as error:
                if error.trouble is Trouble.PASSWORD:
                    self._refused = f"the device refuses the PIN or password: {error}"
                    raise KeyAwayError(self._refused) from None
                if error.trouble is Trouble.UNABLE:
                    raise KeyRefusedError(f"the device does not do this: {error}") from None
                last = error
        self._away_until = time.monotonic() + PAUSE
        raise KeyAwayError(str(last)) from None

    def _try(self, work: Callable[[Held], Answer], *, fresh: bool) -> Answer:
        held = self._open() if fresh else self._take()
        try:
            answer = work(held)
        except BaseException:
            # Whatever went wrong, this session's handles are not trusted again.
            with contextlib.suppress(DeviceError):
                held.close()
            raise
        with self._lock:
            self._free.append(held)
        return answer

    def _take(self) -> Held:
        while True:
            with self._lock:
                held = self._free.pop() if self._free else None
            if held is None:
                return self._open()
            if held.generation == self._gate.generation:
                return held

    def _open(self) -> Held:
        held = self._begin()
        self.opened += 1
        return held

    def close(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        with self._gate.call():
            for held in free:
                if held.generation == self._gate.generation:
                    with contextlib.suppress(DeviceError):
                        held.close()
