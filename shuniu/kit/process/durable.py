"""Files that are on the disk before whoever wrote them goes on."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_public(path: Path, content: bytes) -> None:
    """A file that others may read. Raises OSError."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def write_secret(path: Path, content: bytes) -> None:
    """A new 0600 file, whole or not there. Raises FileExistsError, OSError."""
    draft = _draft(path, content)
    try:
        # Unlike a rename it takes no other file's place.
        os.link(draft, path)
    finally:
        draft.unlink()
    sync(path.parent)


def replace_private(path: Path, content: bytes) -> None:
    """A 0600 file in place of the one before, which stays unless all of it could be written. Raises OSError."""
    draft = _draft(path, content)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    sync(path.parent)


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    return draft


def sync(path: Path) -> None:
    """Brings to the disk what was written to a file, or the names in a folder. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
