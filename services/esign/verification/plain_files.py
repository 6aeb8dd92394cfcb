"""Files that a stranger may have named or put there: regular ones alone are opened, and read through the descriptor
that was looked at. A pipe would keep the reader waiting, and a device has no end. What is written is there whole or not
at all.
"""

import errno
import io
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
# So often a file is read that is written meanwhile.
_READINGS = 3
# While its last change is younger, ns, one call may still be writing it: that moves a file's time only as it begins.
_FRESH = 10 * 10**9
_PIECE, _MOST_PIECES = 1024 * 1024, 21
_NOT_PLAIN = "Not a regular file"
# Opening a pipe waits for no writer, and opening a terminal makes it no controlling one.
_UNWAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
# A name that is too long for a file is the name of none.
_THERE_IS_NONE = frozenset({errno.ENOENT, errno.ENAMETOOLONG})


class BeingWrittenError(Exception):
    """A file changed each time that it was read."""


def undisturbed(paths: Sequence[Path], make: Callable[[], Made], stands: Callable[[Made], bool]) -> Made:
    """Returns what `make()` makes of the files, made anew where one of them was written, replaced, put there or taken
    away meanwhile. A result that `stands` is returned at once, even if a file has changed since. Raises
    BeingWrittenError, and what `make` raises.
    """
    for _ in range(_READINGS):
        before = [_seen(path) for path in paths]
        made = make()
        if stands(made) or before == [_seen(path) for path in paths]:
            return made
    raise BeingWrittenError


def _seen(path: Path) -> tuple[object, ...]:
    """Returns what tells a file from itself after it was written; empty where there is none to read."""
    try:
        found = path.stat()
        seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return (*seen, _digest(path)) if abs(time.time_ns() - found.st_ctime_ns) < _FRESH else seen
    except OSError:
        return ()


def _digest(path: Path) -> bytes:
    """SHA-256 of as much as anybody here reads of a file. Raises OSError."""
    made = sha256()
    with opened(path) as file:
        for _ in range(_MOST_PIECES):
            piece = content(file, path, _PIECE)
            if not piece:
                break
            made.update(piece)
    return made.digest()


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
    found: bytes | None = file.read(_room(file, most))
    if found is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
    return found


def _room(file: io.BufferedReader, most: int) -> int:
    """Reading takes memory for all that is asked for before there is a byte: no more is asked for than the file has,
    and one byte. Files of the kernel say that they have none.
    """
    with suppress(OSError):
        if size := os.fstat(file.fileno()).st_size:
            return min(size + 1, most)
    return most


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
