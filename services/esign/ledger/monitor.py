"""A monitor of a log: re-reads what the log serves and holds it to everything it has seen of it before.

Works on public files alone, from a directory or over HTTP, and keeps its own record: the last checkpoint with the
right-hand edge of its tree. From those and the new entries the new root follows; a log that signs another one has
rewritten its past, and both signed checkpoints together prove it.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

import httpx

from services.esign.domain.errors import EsignError
from services.esign.ledger.domain import ledger, note, tiles, tree
from services.esign.ledger.domain.ledger import Checkpoint
from services.esign.ledger.domain.tiles import TileName
from shuniu.kit.process.durable import replace_private

# A full bundle of the longest entries.
MAX_FILE = tiles.WIDTH * (2 + tiles.MAX_ENTRY)


class Finding(StrEnum):
    """The result of a look at the log."""

    CONSISTENT = "consistent"
    ROLLED_BACK = "rolled back"
    FORKED = "forked"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


EXIT_CODES = {
    Finding.CONSISTENT: 0,
    Finding.ROLLED_BACK: 1,
    Finding.FORKED: 1,
    Finding.DAMAGED: 1,
    Finding.UNREADABLE: 2,
}


class SourceError(Exception):
    """The log could not be read; that says nothing about it yet."""


class Source(Protocol):
    """The source of a log's public files."""

    def read(self, path: str) -> bytes | None:
        """The file, None when there is none. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A log in a directory."""

    directory: Path

    def read(self, path: str) -> bytes | None:
        try:
            return (self.directory / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise SourceError(str(cause)) from cause


@dataclass(frozen=True, slots=True)
class Web:
    """A log over HTTP: files as C2SP tlog-tiles has them, or a hub's `/v1/ledger`, which wraps them in JSON."""

    client: httpx.Client
    prefix: str

    def read(self, path: str) -> bytes | None:
        try:
            answer = self.client.get(f"{self.prefix.rstrip('/')}/{path}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
            content = answer.content
            if answer.headers.get("content-type", "").startswith("application/json"):
                fields = answer.json()
                content = fields["checkpoint"].encode() if "checkpoint" in fields else base64.b64decode(fields["tile"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as cause:
            raise SourceError(f"{path}: {cause or type(cause).__name__}") from cause
        if len(content) > MAX_FILE:
            raise SourceError(f"{path}: too long")
        return content


@dataclass(slots=True)
class Memory:
    """The memory of a monitor: the last checkpoint as signed, and the edge of its tree."""

    checkpoint: str = ""
    edge: tiles.Edge = field(default_factory=tiles.Edge)

    @classmethod
    def load(cls, path: Path) -> Self:
        """An empty memory when the file is absent. Raises ValueError when it is no memory, OSError."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            rows = [[bytes.fromhex(one) for one in row] for row in fields["rows"]]
            return cls(str(fields["checkpoint"]), tiles.Edge(int(fields["size"]), rows))
        except FileNotFoundError:
            return cls()
        except (KeyError, TypeError) as cause:
            raise ValueError(f"{path}: not a monitor's memory") from cause

    def save(self, path: Path) -> None:
        """Durably, in place of the last one."""
        rows = [[one.hex() for one in row] for row in self.edge.rows]
        fields = {"checkpoint": self.checkpoint, "size": self.edge.size, "rows": rows}
        replace_private(path, json.dumps(fields).encode())


@dataclass(frozen=True, slots=True)
class Report:
    """One look. `proof` holds both signed checkpoints where the log contradicts itself; anybody can check them."""

    finding: Finding
    text: str
    before: int = 0
    size: int = 0
    proof: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Monitor:
    """Watches one log."""

    source: Source
    keys: Sequence[note.VerifierKey]

    def look(self, memory: Memory) -> Report:
        """Reads what is new and holds it to `memory`, which moves on only when all is consistent."""
        try:
            return self._look(memory)
        except SourceError as cause:
            return Report(Finding.UNREADABLE, str(cause), memory.edge.size)

    def _look(self, memory: Memory) -> Report:
        before = memory.edge.size
        try:
            raw = self.source.read("checkpoint")
            if raw is None:
                raise SourceError("checkpoint: there is none")
            text = raw.decode()
            head = ledger.open_checkpoint(text, self.keys)
        except (EsignError, UnicodeDecodeError) as cause:
            return Report(Finding.DAMAGED, f"checkpoint: {cause}", before)
        if memory.checkpoint:
            seen = ledger.open_checkpoint(memory.checkpoint, self.keys)
            if (seen.size, seen.root) != (before, memory.edge.root()):
                raise ValueError("the monitor's own memory contradicts itself")
            contradiction = _contradiction(seen, head)
            if contradiction is not None:
                return Report(contradiction, _says(seen, head), before, head.size, (memory.checkpoint, text))
        return self._follow(memory, head, text)

    def _follow(self, memory: Memory, head: Checkpoint, text: str) -> Report:
        before = memory.edge.size
        edge = tiles.Edge(before, [list(row) for row in memory.edge.rows])
        wrong = self._reread(edge, head)
        if edge.size == head.size and edge.root() != head.root and memory.checkpoint:
            why = f"entries {before} to {head.size} on top of what was seen do not give the root signed for {head.size}"
            return Report(Finding.FORKED, why, before, head.size, (memory.checkpoint, text))
        if edge.root() != head.root:
            wrong.append("the entries do not give the signed root")
        if wrong:
            return Report(Finding.DAMAGED, wrong[0], before, head.size, (text,))
        memory.checkpoint, memory.edge = text, edge
        return Report(Finding.CONSISTENT, f"{head.origin}: {before} → {head.size} entries", before, head.size)

    def _reread(self, edge: tiles.Edge, head: Checkpoint) -> list[str]:
        """Adds the entries up to `head`, as far as they can be read, and compares every tile. What is wrong."""
        wrong: list[str] = []

        def compare(name: TileName, data: bytes) -> None:
            if self._file(name) != data:
                wrong.append(f"{name.path}: not the hashes of its entries")

        while edge.size < head.size:
            index, skip = divmod(edge.size, tiles.WIDTH)
            name = TileName(None, index, min(tiles.WIDTH, head.size - index * tiles.WIDTH))
            entries = self._entries(name)
            if len(entries) < name.width:
                return [*wrong, f"{name.path}: missing, malformed or too short"]
            edge.append([tree.leaf_hash(entry) for entry in entries[skip:]], compare)
        for name, data in edge.partial():
            compare(name, data)
        return wrong

    def _entries(self, name: TileName) -> list[bytes]:
        data = self._file(name)
        try:
            return tiles.unbundle(data)[: name.width] if data is not None else []
        except EsignError:
            return []

    def _file(self, name: TileName) -> bytes | None:
        """The tile, or the beginning of the full one where a partial one has been superseded."""
        for candidate in dict.fromkeys((name, TileName(name.level, name.index))):
            data = self.source.read(candidate.path)
            if data is not None:
                return data if name.level is None else data[: name.width * tree.HASH_SIZE]
        return None


def _contradiction(seen: Checkpoint, head: Checkpoint) -> Finding | None:
    if head.origin != seen.origin:
        return Finding.FORKED
    if head.size < seen.size:
        return Finding.ROLLED_BACK
    return Finding.FORKED if head.size == seen.size and head.root != seen.root else None


def _says(seen: Checkpoint, head: Checkpoint) -> str:
    return f"seen {seen.origin} {seen.size} {seen.root.hex()}, now {head.origin} {head.size} {head.root.hex()}"
