"""Files that a stranger may have named or put there: regular ones alone are opened, and read through the descriptor
that was looked at. A pipe would keep the reader waiting, and a device has no end. What is written is there whole or not
at all.
"""

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NOT_PLAIN = "Not a regular file"
# Nobody is waited for at the other end of a pipe, and no terminal becomes this process's own.
_UNWAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
# A name that is too long for a file is the name of none.
_THERE_IS_NONE = frozenset({errno.ENOENT, errno.ENAMETOOLONG})


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """Raises OSError, also for what is no regular file; see `file_errors`."""
    # Opening a device may do something already.
    _require_plain(path.stat(), path)
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _UNWAITING)) as file:
        _require_plain(os.fstat(file.fileno()), path)
        yield file


def beginning(path: Path, most: int) -> bytes:
    """Reads so many bytes at most from the beginning of the file. Raises OSError."""
    with opened(path) as file:
        return content(file, path, most)


def content(file: io.BufferedReader, path: Path, most: int) -> bytes:
    """Reads so many bytes at most of what `opened` gave. Raises OSError, also for a file of the kernel that has none
    yet.
    """
    found: bytes | None = file.read(most)
    if found is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
    return found


def put(path: Path, whole: bytes, *, alike: int = 0) -> None:
    """Writes a file beside and gives it the name: what was there before stays unless all of it could be written. A pipe
    or a device is refused, and a file whose first `alike` bytes are others. Raises OSError that names the path.
    """
    spare(path, whole[:alike])
    # A link stays one.
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        before = _mode_of(target, path)
        with beside.open("xb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            beside.chmod(before)
        beside.replace(target)
    except OSError as cause:
        raise OSError(cause.errno, cause.strerror, str(path)) from cause
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def spare(path: Path, beginning: bytes) -> None:
    """Raises FileExistsError where a file is there, not empty, that does not begin so: it was made by somebody else and
    for something else. What cannot be looked at is left to who writes.
    """
    found = b""
    with suppress(OSError), opened(path) as file:
        found = content(file, path, max(1, len(beginning)))
    if beginning and found and found != beginning:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _mode_of(target: Path, path: Path) -> int | None:
    """Tells who may read and write the file that is there; None where there is none. Raises OSError."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    _require_plain(found, path)
    return stat.S_IMODE(found.st_mode)


def companion(path: Path, suffix: str, most: int) -> bytes | None:
    """The beginning of what lies beside a file, under its name with `suffix`; None where nothing does. Raises
    OSError.
    """
    try:
        return beginning(path.with_name(path.name + suffix), most)
    except OSError as cause:
        if cause.errno in _THERE_IS_NONE:
            return None
        raise


def _require_plain(found: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ENXIO, _NOT_PLAIN, str(path))
