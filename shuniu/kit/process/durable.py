"""Files that are on the disk before whoever wrote them goes on."""

import os
from pathlib import Path


def write_public(path: Path, content: bytes) -> None:
    """A file that others may read. Raises OSError."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_secret(path: Path, content: bytes) -> None:
    """A new 0600 file. Raises FileExistsError, OSError."""
    _write_0600(path, content, os.O_EXCL)


def replace_private(path: Path, content: bytes) -> None:
    """A 0600 file in place of the one before, which stays unless all of it could be written. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    _write_0600(fresh, content, os.O_TRUNC)
    fresh.replace(path)


def _write_0600(path: Path, content: bytes, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Brings to the disk what was written to a file, or the names in a folder. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
