"""Tiles (C2SP tlog-tiles): the tree and its entries as files, 256 wide, named so that they never change once full."""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.esign.domain.errors import NoteMalformedError
from services.esign.ledger.domain import tree

WIDTH = 256
HEIGHT = 8
MAX_ENTRY = 0xFFFF
_PATH = re.compile(r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


@dataclass(frozen=True, slots=True)
class TileName:
    """A tile or an entry bundle (`level` None). `width` 256 is a full one."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Path below the log's prefix."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        kind = "entries" if self.level is None else str(self.level)
        return f"tile/{kind}/{name}" + (f".p/{self.width}" if self.width < WIDTH else "")


def parse_path(path: str) -> TileName:
    """The tile a path names. Raises NoteMalformedError TILE_PATH for every other spelling."""
    match = _PATH.fullmatch(path)
    if match is not None:
        index = int(match[2].replace("x", "").replace("/", ""))
        width = int(match[3]) if match[3] else WIDTH
        level = None if match[1] == "entries" else int(match[1])
        name = TileName(level, index, width)
        if (level is None or level <= 63) and name.path == path:
            return name
    raise NoteMalformedError("TILE_PATH", "no tile has this path", "瓦片路径不合规")


def bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: entries with their length before them. Raises ValueError above 65,535 bytes an entry."""
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise ValueError("an entry is longer than 65,535 bytes")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises NoteMalformedError."""
    entries, at = list[bytes](), 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise NoteMalformedError("BUNDLE", "entry bundle is cut short", "日志条目包被截断")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def entry_in(data: bytes, index: int) -> bytes:
    """One entry of a bundle, without cutting out the others. Raises NoteMalformedError."""
    at = 0
    for _ in range(index):
        at += 2 + (data[at] << 8 | data[at + 1]) if at + 2 <= len(data) else len(data) + 1
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    if at + 2 > len(data) or end > len(data):
        raise NoteMalformedError("BUNDLE", "entry bundle is cut short", "日志条目包被截断")
    return data[at + 2 : end]


def pyramid(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Complete subtrees inside a tile: [0] the tile's own hashes, [8] the hash of a full tile."""
    levels = [list(hashes)]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([tree.node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)])
    return levels


@dataclass(slots=True)
class Edge:
    """The growing edge of a tree: its rightmost tile on each level, which is all that appending needs.

    `rows[l]` holds the hashes of level l's partial tile; a tile that fills goes to `full` and its hash one level up.
    """

    size: int = 0
    rows: list[list[bytes]] = field(default_factory=lambda: [[]])

    def append(self, leaf_hashes: Sequence[bytes], full: Callable[[TileName, bytes], None]) -> None:
        """Adds leaves; `full(name, bytes)` receives each tile that became full."""
        at = 0
        while at < len(leaf_hashes):
            room = WIDTH - len(self.rows[0])
            piece = leaf_hashes[at : at + room]
            self.rows[0].extend(piece)
            at += len(piece)
            self.size += len(piece)
            self._carry(full)

    def _carry(self, full: Callable[[TileName, bytes], None]) -> None:
        level = 0
        while len(self.rows[level]) == WIDTH:
            row = self.rows[level]
            full(TileName(level, (self.size >> HEIGHT * (level + 1)) - 1), b"".join(row))
            if level + 1 == len(self.rows):
                self.rows.append([])
            self.rows[level + 1].append(pyramid(row)[HEIGHT][0])
            self.rows[level] = []
            level += 1

    def partial(self) -> list[tuple[TileName, bytes]]:
        """The partial tiles that a checkpoint at this size needs."""
        return [
            (TileName(level, self.size >> HEIGHT * (level + 1), len(row)), b"".join(row))
            for level, row in enumerate(self.rows)
            if row
        ]

    def root(self) -> bytes:
        """Root hash at this size."""
        right: bytes | None = None
        for row in self.rows:
            parts, count, at = list[bytes](), len(row), 0
            levels = pyramid(row)
            while count:
                level = count.bit_length() - 1
                parts.append(levels[level][at >> level])
                at += 1 << level
                count -= 1 << level
            while parts:
                part = parts.pop()
                right = part if right is None else tree.node_hash(part, right)
        return tree.EMPTY_ROOT if right is None else right


def nodes_from(pyramids: Callable[[int, int], list[list[bytes]]]) -> tree.Nodes:
    """Nodes of the whole tree from the pyramids of its tiles: `pyramids(level, index)`."""

    def node(level: int, index: int) -> bytes:
        tile, inside = divmod(level, HEIGHT)
        shift = HEIGHT - inside
        return pyramids(tile, index >> shift)[inside][index & ((1 << shift) - 1)]

    return node
