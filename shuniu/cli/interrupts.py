"""Signals that a command inherits ignored, and Ctrl-C before any code can catch it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Within, Ctrl-C ends the process with 130 and nothing else: raised inside an import it would become another error,
    and inside a finalizer it would be lost. Where somebody else looks after Ctrl-C, nothing changes.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(INTERRUPTED)


def wait_for_children() -> None:
    """A daemon that ignores its children's ends hands that on to what it starts; here somebody waits for them."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
