"""Structured logs: JSON lines on standard error, one canonical line per request.

Personal data never stands in clear: request contents are not logged at all, and an unexpected exception is logged by
type and place only, because its text may quote what a person typed.
"""

import contextlib
import io
import logging
import sys
import traceback
from typing import Any, TextIO, cast

import structlog


def configure(service: str, *, level: int = logging.INFO) -> None:
    """Sets up the process's log. Libraries' own records pass through the same chain."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Output())),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = _LibraryHandler()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Output(io.TextIOBase):
    """Standard error. On a full disk the line is lost, and the request is answered all the same."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


class _LibraryHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # The template without its arguments, and an exception by type and place: values may be personal data.
        event: dict[str, object] = {"logger": record.name, "place": f"{record.module}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            event.update(failure(record.exc_info[1]))
        structlog.get_logger("library").log(
            record.levelno, str(record.msg)[:200] if record.args else "library", **event
        )


def failure(error: BaseException) -> dict[str, object]:
    """Type and place of an exception, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "at": [f"{frame.filename.rsplit('/', 3)[-1]}:{frame.lineno}:{frame.name}" for frame in frames[-6:]],
    }


def get(name: str) -> Any:
    return structlog.get_logger(name)
