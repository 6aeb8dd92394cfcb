"""What a file was stays until the next one is whole, and a secret is readable by its owner alone."""

import stat
from pathlib import Path

import pytest

from shuniu.kit.process import durable


def test_a_file_is_replaced_whole_and_stays_private(tmp_path: Path) -> None:
    """The new content is there under the old name, readable by its owner alone, with nothing left beside it."""
    path = tmp_path / "suspended.json"
    durable.replace_private(path, b"[1]")
    durable.replace_private(path, b"[]")
    assert path.read_bytes() == b"[]"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["suspended.json"]


def test_what_cannot_be_written_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes no more: the file says what it said before, a key is not there at all, and no draft stays."""
    path = tmp_path / "memory"
    durable.replace_private(path, b"before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.replace_private(path, b"after")
    with pytest.raises(OSError, match="No space"):
        durable.write_secret(tmp_path / "a.key", b"key")
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["memory"]


def test_a_secret_is_never_written_over(tmp_path: Path) -> None:
    """A key that is there stays, for what it wrapped can be opened with nothing else."""
    path = tmp_path / "a.key"
    durable.write_secret(path, b"first")
    with pytest.raises(FileExistsError):
        durable.write_secret(path, b"second")
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
