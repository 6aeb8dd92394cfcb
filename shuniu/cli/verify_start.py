"""`shuniu verify` before anything that judges is loaded: is there memory for it?"""

import argparse
import mmap
import os

from shuniu.cli import interrupts
from shuniu.cli.output import complain

UNREADABLE = 3
"""Exit code where nothing was judged."""
# Address space that the verifier's libraries take, bytes.
_ROOM = 128 * 1024 * 1024


def run(arguments: argparse.Namespace) -> int:
    # The verifier calculates nothing that threads would make faster, and each takes its share of memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not _has_room():
        complain(
            "没有核验：此机器现在没有足够的内存，与文件无关 / "
            "not judged: this machine has not enough memory now; that has nothing to do with the files"
        )
        return UNREADABLE
    with interrupts.ending_at_once():
        from shuniu.cli import verify
    return verify.run(arguments)


def _has_room() -> bool:
    """A library that is refused memory while it is loaded ends the whole process, with 1, which would mean INVALID."""
    try:
        mmap.mmap(-1, _ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        return False
    return True
