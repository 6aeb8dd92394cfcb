"""The witness itself (C2SP tlog-witness): answers add-checkpoint, remembers the newest head of each log on disk."""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.witness.notes import (
    EMPTY_ROOT,
    Checkpoint,
    Cosigner,
    LogKey,
    MalformedError,
    continues,
    decimal,
    parse_checkpoint,
    unbase64,
)

MAX_PROOF = 63


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an HTTP answer."""

    status: int
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


class Heads:
    """The newest cosigned head of each log: one file each, written before it is answered. One process a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._lock = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        # A second process could sign two histories; it is refused with BlockingIOError.
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        os.close(self._lock)

    def read(self, origin_hash: str) -> str | None:
        """The cosigned note. A file that is there but cannot be read must stop the witness, not make it forget."""
        try:
            return (self._directory / origin_hash).read_text("utf-8")
        except FileNotFoundError:
            return None

    def write(self, origin_hash: str, note: str) -> None:
        passing = self._directory / f".{origin_hash}.new"
        with passing.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        passing.replace(self._directory / origin_hash)
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def origin_hash(origin: str) -> str:
    """Name under which a log's head is kept and served."""
    return hashlib.sha256(origin.encode()).hexdigest()


class Witness:
    """Cosigns the heads of the logs it is told to watch, each only if it continues the one before."""

    def __init__(
        self,
        cosigner: Cosigner,
        logs: Sequence[LogKey],
        heads: Heads,
        now_s: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self._cosigner = cosigner
        self._logs = {log.name: tuple(key for key in logs if key.name == log.name) for log in logs}
        self._heads = heads
        self._now_s = now_s
        # Comparing with the last head and replacing it are one step, or an older request could roll the log back.
        self._turn = threading.Lock()

    def add_checkpoint(self, body: bytes) -> Answer:
        """POST /add-checkpoint."""
        try:
            old, proof, checkpoint = _parse(body)
        except (MalformedError, UnicodeDecodeError) as error:
            return Answer(400, f"{error}\n")
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return Answer(404, "unknown log\n")
        log_line = checkpoint.log_line(keys)
        if log_line is None:
            return Answer(403, "not signed by a key known for this log\n")
        if old > checkpoint.size:
            return Answer(400, "old size above the checkpoint's\n")
        with self._turn:
            return self._judge(old, proof, checkpoint, log_line)

    def _judge(self, old: int, proof: Sequence[bytes], checkpoint: Checkpoint, log_line: str) -> Answer:
        name = origin_hash(checkpoint.origin)
        known = self._heads.read(name)
        last = parse_checkpoint(known) if known is not None else None
        size, root = (last.size, last.root) if last is not None else (0, EMPTY_ROOT)
        if old != size:
            return Answer(409, f"{size}\n", "text/x.tlog.size")
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            return Answer(422, "an empty tree has another root\n")
        if not continues(size, root, checkpoint.size, checkpoint.root, proof):
            return Answer(422, "the checkpoint does not continue the last one\n")
        line = self._cosigner.line(checkpoint.body, self._now_s())
        self._heads.write(name, f"{checkpoint.body}\n{log_line}\n{line}")
        return Answer(200, line)

    def checkpoint(self, name: str) -> Answer:
        """GET /<origin hash>/checkpoint: the newest head cosigned."""
        if name not in {origin_hash(origin) for origin in self._logs}:
            return Answer(404, "unknown log\n")
        note = self._heads.read(name)
        return Answer(404, "nothing cosigned yet\n") if note is None else Answer(200, note)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._heads.close()


def _parse(body: bytes) -> tuple[int, list[bytes], Checkpoint]:
    head, blank, note = body.decode().partition("\n\n")
    lines = head.split("\n")
    if not blank or not lines[0].startswith("old ") or len(lines) > 1 + MAX_PROOF:
        raise MalformedError("an old size, a proof and a checkpoint expected")
    proof = [unbase64(line) for line in lines[1:]]
    if any(len(step) != 32 for step in proof):
        raise MalformedError("not a SHA-256")
    return decimal(lines[0][4:]), proof, parse_checkpoint(note)
