"""A SQLite file as a whole: copied while it is in use, and which library serves it."""

import contextlib
import sqlite3
from pathlib import Path


def library_version() -> str:
    """Version of the SQLite library in this process."""
    return sqlite3.sqlite_version


def copy(source: Path, target: Path) -> None:
    """One consistent state of a database, also while another process writes it (SQLite online backup)."""
    with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(target)) as made:
        live.backup(made)
