"""Files that a stranger may have named: what cannot be read is told, whatever the system answers."""

import errno
import io
import tracemalloc
from pathlib import Path

import pytest

from services.esign.verification import file_errors, plain_files


class _Nothing(io.RawIOBase):
    """As some files of the system, which are regular and have nothing yet."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> None:
        return None


def test_a_file_that_has_nothing_yet_is_an_error_of_that_file() -> None:
    """Neither empty nor a failure of the verifier."""
    with pytest.raises(OSError) as told:
        plain_files.content(io.BufferedReader(_Nothing()), Path("kmsg"), 10)
    assert told.value.errno == errno.EAGAIN
    assert "没有可读的内容" in file_errors.told(told.value)


def test_a_file_is_read_as_far_as_asked(tmp_path: Path) -> None:
    """Its beginning, and no more."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert (plain_files.beginning(path, 2), plain_files.beginning(path, 9)) == (b"ab", b"abc")


def test_reading_takes_memory_for_what_the_file_has(tmp_path: Path) -> None:
    """Not for the most that it might have: trust of a few kilobytes is read where there is little memory."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    tracemalloc.start()
    try:
        assert plain_files.beginning(path, 64 * 1024 * 1024) == b"abc"
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()
    assert plain_files.beginning(Path("/proc/self/status"), 64 * 1024).startswith(b"Name:")
