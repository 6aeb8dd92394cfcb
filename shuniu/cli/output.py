"""The output of commands: text for people, or one JSON document with --json."""

import contextlib
import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shuniu.one_line import encodable


class OutputError(Exception):
    """Standard output takes no more, or the file that the text names cannot be written. The cause says why."""


def out(value: Any, text: str, *, as_json: bool) -> None:
    """Prints `value` as JSON or `text` for people. Raises OutputError, BrokenPipeError."""
    if as_json:
        say_json(json.dumps(value, ensure_ascii=False, indent=2))
    else:
        say(text)


def say_json(text: str) -> None:
    """`say` of JSON, which spells in its own way what the stream's encoding has no sign for. Raises OutputError,
    BrokenPipeError.
    """
    encoding = getattr(sys.stdout, "encoding", None)
    say(text if encoding is None else encodable(text, encoding))


def say(text: str) -> None:
    """Prints at once, so that a reader of the pipe need not wait for the rest. Raises OutputError, BrokenPipeError."""
    if sys.stdout is None:
        # The parent process closed it.
        raise OutputError from OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as cause:
        raise OutputError from cause


def spell_out() -> None:
    """Prints by its number what the terminal's encoding has no sign for: a name must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop() -> None:
    """Drops what was not printed, also at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; widths count Chinese characters as two columns."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(row)).rstrip() for row in cells
    )


def _width(text: str) -> int:
    return sum(2 if ord(char) > 0x2E7F else 1 for char in text)


def complain(text: str) -> None:
    if sys.stderr is not None:
        # There is nobody else to tell.
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def internal(error: BaseException) -> str:
    """One sentence about what nobody expected: its kind and place. Its text may hold somebody's data."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    kind = type(error).__name__
    return (
        f"程序内部错误，未得出结论，请告知维护者：{kind}（{where}） / "
        f"internal error, nothing was concluded; please report it: {kind} ({where})"
    )
