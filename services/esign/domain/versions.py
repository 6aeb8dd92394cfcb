"""Earlier versions that lie inside a file, found by the ends that saves leave; cheap, and nothing to rely on.

A renewed document begins with the bytes that the register and the ledger know; which additions are lawful is for the
verdict to say.
"""

import re
from collections.abc import Iterator
from hashlib import sha256

_END = re.compile(rb"%%EOF(?:\r\n|\n|\r)?")
# More than the strict reader accepts would not help.
_MOST = 64


def digests(pdf: bytes) -> Iterator[str]:
    """SHA-256 (hexadecimal) of the file, then of the versions before it, the longest first."""
    ends = [found.end() for found in _END.finditer(pdf)][-_MOST:]
    state, at, view = sha256(), 0, memoryview(pdf)
    found: list[str] = []
    for end in ends:
        state.update(view[at:end])
        at = end
        found.append(state.copy().hexdigest())
    whole = sha256(pdf).hexdigest()
    yield whole
    yield from (each for each in reversed(found) if each != whole)
