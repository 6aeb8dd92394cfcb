"""Earlier versions that lie inside a file, found by the ends that saves leave; cheap, and nothing to rely on.

A renewed document begins with the bytes that the register and the ledger know; which additions are lawful is for the
verdict to say.
"""

from collections.abc import Iterator
from hashlib import sha256

_END = b"%%EOF"
# More than the strict reader accepts would not help.
_MOST = 64


def digests(pdf: bytes) -> Iterator[str]:
    """SHA-256 (hexadecimal) of the file, then of the versions before it, the longest first. Time by the bytes, however
    many ends they hold.
    """
    ends = sorted(_last_ends(pdf))
    state, at, view = sha256(), 0, memoryview(pdf)
    found: list[str] = []
    for end in ends:
        state.update(view[at:end])
        at = end
        found.append(state.copy().hexdigest())
    state.update(view[at:])
    whole = state.hexdigest()
    yield whole
    yield from (each for each in reversed(found) if each != whole)


def _last_ends(pdf: bytes) -> Iterator[int]:
    """Behind the line of each of the last ends."""
    at = len(pdf)
    for _ in range(_MOST):
        at = pdf.rfind(_END, 0, at)
        if at < 0:
            return
        end = at + len(_END)
        yield end + (2 if pdf.startswith(b"\r\n", end) else int(pdf[end : end + 1] in {b"\r", b"\n"}))
