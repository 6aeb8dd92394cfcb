"""Reads strangers' certificates and lists without the library's warnings: it warns of unusual names and numbers, on the
terminal of whoever verifies. What is wrong with them the verdict says.
"""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Silence:
    """The process has one list of filters for all its threads: who enters first silences it, who leaves last restores
    it. A thread that restored its own copy earlier would end the silence of the others, and later theirs would stay.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._before.__exit__(None, None, None)

    def forked(self) -> None:
        """In a forked process: a thread that held the lock is not there to release it."""
        self._lock = threading.Lock()


_silence = _Silence()
os.register_at_fork(after_in_child=_silence.forked)


@contextmanager
def unwarned() -> Iterator[None]:
    """Silences warnings of this process as long as any of its threads is inside; also a decorator."""
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()
