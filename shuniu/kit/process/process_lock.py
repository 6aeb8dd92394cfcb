"""A lock that one process of this machine holds until it ends, however it ends."""

import fcntl
import os
import time
from pathlib import Path

# `is_held` takes the lock for a moment, so a start tries again: attempts, and the pause between them, s. Only a start
# pauses here, before it serves anybody.
_TRIES, _PAUSE = 4, 0.02


class HeldElsewhereError(Exception):
    """Another process holds it."""


class ProcessLock:
    """A lock file of its own. It is never removed: a new file could be locked beside the old one."""

    def __init__(self, path: Path) -> None:
        """Raises HeldElsewhereError, OSError."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if left:
                    time.sleep(_PAUSE)
        os.close(self._descriptor)
        raise HeldElsewhereError(str(path))

    def release(self) -> None:
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Tells whether a process holds the lock, without making its file; True also where nobody can tell, for the file
    may not be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
