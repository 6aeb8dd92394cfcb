"""A lock that one process of this machine holds until it ends, however it ends."""

import fcntl
import os
from pathlib import Path


class HeldElsewhereError(Exception):
    """Another process holds it."""


class ProcessLock:
    """A lock file of its own. It is never removed: a new file could be locked beside the old one."""

    def __init__(self, path: Path) -> None:
        """Raises HeldElsewhereError, OSError."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise HeldElsewhereError(str(path)) from None

    def release(self) -> None:
        os.close(self._descriptor)
