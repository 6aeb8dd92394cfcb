"""The ledger on disk: C2SP tiles as immutable files.

Order of a batch: entries and their signed checkpoint go to the journal (one fsync: from here on they are answered
for), then tiles and bundles, last the public checkpoint. Tiles are synced when the journal is compacted; until then
the journal can rebuild them. After a crash the journal is replayed; a torn last record was never answered for and is
dropped. A log that contradicts its own signed checkpoints, or the head that its owner remembers, is not opened.
"""

import contextlib
import fcntl
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from services.esign.domain.errors import EsignError, LedgerDamagedError, NoteMalformedError
from services.esign.ledger.domain import ledger, tiles, tree
from services.esign.ledger.domain.ledger import Checkpoint, Receipt
from services.esign.ledger.domain.note import NoteSigner, VerifierKey
from services.esign.ledger.domain.tiles import TileName
from services.esign.ledger.store import journal as journal_format
from shuniu.kit.process import durable

CHECKPOINT, JOURNAL = "checkpoint", ".journal"
# Beside the specification's own files: a reader that demands witnesses need not wait for the next ones.
WITNESSED = "checkpoint.witnessed"
# Replay of a journal this long takes well under a second.
COMPACT_AT = 8 * 1024 * 1024
# 4,096 tiles of 16 kB with their inner nodes: the tiles of a million entries.
_PYRAMIDS_KEPT = 4096
# About 30 MB of them.
_BUNDLES_KEPT = 1024


class LedgerStore:
    """One log in one directory, opened by one process. Not thread-safe: the sequencer owns it; `read` may be called
    by anybody.
    """

    def __init__(
        self, directory: Path, signer: NoteSigner, retired: Sequence[VerifierKey], lock: int, journal: int
    ) -> None:
        self.directory = directory
        self._signer = signer
        self._keys = (signer.verifier, *retired)
        self._lock = lock
        self._journal = journal
        self._journal_size = 0
        self._edge = tiles.Edge()
        self._tail: list[bytes] = []
        self._head = ""
        self._public_head = ""
        self._witnessed = ""
        self._unwritten: dict[str, bytes] = {}
        self._unsynced: set[Path] = set()
        self._pyramids: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()
        self._bundles: OrderedDict[int, bytes] = OrderedDict()
        self._edge_pyramids: dict[int, list[list[bytes]]] = {}
        self._broken = False

    @classmethod
    def open(
        cls,
        directory: Path,
        signer: NoteSigner,
        *,
        remembered: Checkpoint | None = None,
        retired: Sequence[VerifierKey] = (),
    ) -> Self:
        """Opens or creates the log named by the signer. `remembered` is the newest head its owner knows of; `retired`
        are keys that signed for this log before.

        Raises LedgerDamagedError: LEDGER_IN_USE, LEDGER_DAMAGED, LEDGER_FORKED, LEDGER_ROLLED_BACK.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            os.close(lock)
            raise _damaged("LEDGER_IN_USE", "another process appends to this log") from cause
        journal = os.open(directory / JOURNAL, os.O_CREAT | os.O_RDWR, 0o600)
        # A journal whose name is lost with the power would take with it what was answered.
        for folder in (directory, directory.parent):
            durable.sync(folder)
        store = cls(directory, signer, retired, lock, journal)
        try:
            store._recover()
            if remembered is not None:
                store._require(remembered)
        except BaseException:
            store.abandon()
            raise
        return store

    @property
    def size(self) -> int:
        """Entries under the newest checkpoint."""
        return self._edge.size

    @property
    def broken(self) -> bool:
        """Tells whether a write failed so that only opening the log again tells what is on disk."""
        return self._broken

    @property
    def checkpoint_text(self) -> str:
        """The newest checkpoint, signed."""
        return self._head

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest checkpoint."""
        return ledger.open_checkpoint(self._head, self._keys)

    def append(self, entries: Sequence[bytes]) -> range:
        """Appends a batch and answers their indexes when it is durable under a signed checkpoint.

        On error nothing was appended.

        Raises OSError; LedgerDamagedError after a failed fsync, when only a reopening tells what is on disk.
        """
        if self._broken:
            raise _damaged("LEDGER_REOPEN", "an earlier write failed half-way; open the log again")
        first = self._edge.size
        edge, full = self._grown(entries)
        head = ledger.sign_checkpoint(Checkpoint(self._signer.verifier.name, edge.size, edge.root()), self._signer)
        self._write_journal(journal_format.pack(first, entries, head))
        self._adopt(edge, entries, full, head)
        with contextlib.suppress(OSError):
            # The batch is durable; what could not be shown yet is served from memory and written with the next one.
            self._show()
            if self._journal_size > COMPACT_AT:
                self.compact()
        return range(first, edge.size)

    def append_with_receipts(self, entries: Sequence[bytes]) -> list[Receipt]:
        """`append`, with the receipt of each entry."""
        indexes = self.append(entries)
        return [self._receipt(index, entry) for index, entry in zip(indexes, entries, strict=True)]

    def receipt(self, index: int) -> Receipt:
        """Receipt of an entry under the newest checkpoint. Raises ValueError when there is no such entry."""
        if not 0 <= index < self.size:
            raise ValueError("index outside the log")
        return self._receipt(index, self._entry(index))

    def entries(self, since: int) -> Iterator[bytes]:
        """The entries from an index on. Raises OSError, LedgerDamagedError."""
        for bundle in range(since // tiles.WIDTH, self.size // tiles.WIDTH):
            found = tiles.unbundle(self._load(TileName(None, bundle)))
            yield from found[max(0, since - bundle * tiles.WIDTH) :]
        yield from self._tail[max(0, since - self.size + len(self._tail)) :]

    def inclusion(self, index: int) -> list[bytes]:
        """Path from an entry to the newest checkpoint. Raises ValueError when there is no such entry."""
        return tree.inclusion_proof(index, self.size, tiles.nodes_from(self._pyramid))

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Proof that the tree of `new` entries (all of them when None) continues that of `old`.

        Raises ValueError out of range.
        """
        until = self.size if new is None else new
        if until > self.size:
            raise ValueError("beyond the log")
        return tree.consistency_proof(old, until, tiles.nodes_from(self._pyramid))

    @property
    def witnessed(self) -> str:
        """The newest checkpoint that enough witnesses cosigned; empty when there is none."""
        return self._witnessed

    def publish(self, note: str) -> None:
        """Shows a checkpoint of this log with its cosignatures, if it is still the newest. Raises OSError."""
        if note.startswith(self.checkpoint.text + "\n") and not self._unwritten:
            self._replace_synced(CHECKPOINT, note.encode())
            self._head = self._public_head = note

    def keep_witnessed(self, note: str) -> None:
        """Keeps a checkpoint of this log as the newest one that enough witnesses cosigned. Raises OSError."""
        self._replace_synced(WITNESSED, note.encode())
        self._witnessed = note

    def find_witnessed_receipt(self, index: int) -> Receipt | None:
        """Receipt of an entry under the newest witnessed checkpoint; None when that does not reach it yet."""
        if not self._witnessed:
            return None
        under = ledger.open_checkpoint(self._witnessed, self._keys)
        if not 0 <= index < under.size:
            return None
        path = tree.inclusion_proof(index, under.size, tiles.nodes_from(self._pyramid))
        return Receipt(self._entry(index), index, tuple(path), self._witnessed)

    def read(self, path: str) -> bytes:
        """A tile or bundle by its public path. Raises NoteMalformedError for other paths, FileNotFoundError when
        absent.
        """
        name = tiles.parse_path(path)
        waiting = self._unwritten.get(path)
        if waiting is not None:
            return waiting
        try:
            return (self.directory / path).read_bytes()
        except FileNotFoundError:
            if name.width == tiles.WIDTH:
                raise
            # A partial tile may be gone once the full one is there, whose beginning it is.
            whole = self.read(TileName(name.level, name.index).path)
            if name.level is None:
                return tiles.bundle(tiles.unbundle(whole)[: name.width])
            return whole[: name.width * tree.HASH_SIZE]

    def compact(self) -> None:
        """Syncs what the journal vouches for and empties it. Raises OSError; the log stays as it was.

        Partial tiles that a full one has superseded are not synced but removed: a log that grows by single entries
        would keep hundreds of files for each tile. Of the others only those of the newest checkpoint are needed.
        """
        self._show()
        folders = set[Path]()
        whole = {path for path in self._unsynced if not path.parent.name.endswith(".p")}
        filled = {path.with_name(path.name + ".p") for path in whole}
        needed = whole | {self.directory / path for path in self._partial()}
        for path in needed | {self.directory / CHECKPOINT}:
            durable.sync(path)
            folders.update(parent for parent in path.parents if parent.is_relative_to(self.directory))
        for folder in folders:
            durable.sync(folder)
        os.ftruncate(self._journal, 0)
        # Before the sync, which may fail: a record written behind the end would never be found again.
        self._journal_size = 0
        os.fsync(self._journal)
        self._unsynced.clear()
        # Last: until here a replay of the journal may begin at one of them.
        for folder in filled:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Compacts and lets go of the log."""
        try:
            if not self._broken and self.size:
                self.compact()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Lets go without writing anything, as a crash would."""
        os.close(self._journal)
        os.close(self._lock)

    # Writing.

    def _grown(self, entries: Sequence[bytes]) -> tuple[tiles.Edge, dict[str, bytes]]:
        """The edge with the entries added, and the tiles that become full; the log's own edge stays as it is."""
        edge = tiles.Edge(self._edge.size, [list(row) for row in self._edge.rows])
        full: dict[str, bytes] = {}

        def keep(name: TileName, data: bytes) -> None:
            full[name.path] = data

        edge.append([tree.leaf_hash(entry) for entry in entries], keep)
        return edge, full

    def _write_journal(self, record: bytes) -> None:
        written = 0
        try:
            while written < len(record):
                written += os.pwrite(self._journal, record[written:], self._journal_size + written)
        except OSError:
            self._cut_journal()
            raise
        try:
            os.fdatasync(self._journal)
        except OSError as cause:
            # The kernel may have dropped the pages: what is on disk is unknown until it is read again.
            self._broken = True
            raise _damaged("LEDGER_REOPEN", "the journal could not be synced") from cause
        self._journal_size += len(record)

    def _cut_journal(self) -> None:
        try:
            os.ftruncate(self._journal, self._journal_size)
        except OSError:
            self._broken = True

    def _adopt(self, edge: tiles.Edge, entries: Sequence[bytes], full: dict[str, bytes], head: str) -> None:
        bundles = self._edge.size // tiles.WIDTH
        # A tile of a higher level often stays as it is. Written anew it would be unsynced again, and a replay of the
        # journal begins at the synced ones.
        there = self._partial().keys()
        self._edge, self._head = edge, head
        self._edge_pyramids.clear()
        self._tail.extend(entries)
        while len(self._tail) >= tiles.WIDTH:
            full[TileName(None, bundles).path] = tiles.bundle(self._tail[: tiles.WIDTH])
            del self._tail[: tiles.WIDTH]
            bundles += 1
        self._unwritten.update(full)
        self._unwritten.update((path, data) for path, data in self._partial().items() if path not in there)

    def _partial(self) -> dict[str, bytes]:
        """The partial tiles and the partial bundle that the newest checkpoint needs."""
        found = {name.path: data for name, data in self._edge.partial()}
        if self._tail:
            name = TileName(None, self._edge.size // tiles.WIDTH, len(self._tail))
            found[name.path] = tiles.bundle(self._tail)
        return found

    def _show(self) -> None:
        """Writes what is not yet on disk, the public checkpoint last."""
        for path in list(self._unwritten):
            self._replace(path, self._unwritten[path])
            self._unsynced.add(self.directory / path)
            del self._unwritten[path]
        # What is there already may be synced; written anew it would not be, and no journal might vouch for it.
        if self._head != self._public_head:
            self._replace(CHECKPOINT, self._head.encode())
            self._public_head = self._head

    def _replace(self, path: str, data: bytes) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        passing = target.with_name(f".{target.name}.new")
        passing.write_bytes(data)
        passing.replace(target)

    def _replace_synced(self, path: str, data: bytes) -> None:
        """For what no journal vouches for: the file is whole at any time, before and after."""
        passing = self.directory / f".{path}.new"
        passing.write_bytes(data)
        durable.sync(passing)
        passing.replace(self.directory / path)

    # Reading back.

    def _recover(self) -> None:
        shown = self._shown()
        records = self._records()
        start = records[0].first if records else shown.size if shown else 0
        self._load_edge(start)
        heads = {start: self._edge.root()}
        for record in records:
            if record.first != self._edge.size:
                raise _damaged("LEDGER_DAMAGED", "the journal has a gap")
            edge, full = self._grown(record.entries)
            signed = ledger.open_checkpoint(record.checkpoint, self._keys)
            if (signed.size, signed.root) != (edge.size, edge.root()):
                raise _damaged("LEDGER_FORKED", "entries do not give the root that was signed for them")
            heads[signed.size] = signed.root
            self._adopt(edge, record.entries, full, record.checkpoint)
        if shown is not None:
            if shown.size > self.size:
                raise _damaged("LEDGER_ROLLED_BACK", "the log is shorter than its own checkpoint")
            if heads.get(shown.size) != shown.root:
                raise _damaged("LEDGER_FORKED", "the tree is not the one its checkpoint signs")
        if not self._head:
            empty = Checkpoint(self._signer.verifier.name, self.size, self._edge.root())
            self._head = ledger.sign_checkpoint(empty, self._signer) if shown is None else self._shown_text()
        if shown is not None and (shown.size, shown.root) == (self.size, self._edge.root()):
            # Signed by the same log over the same tree, and perhaps cosigned as well.
            self._head = self._public_head = self._shown_text()
        self._witnessed = self._witnessed_before()
        self._show()

    def _witnessed_before(self) -> str:
        """Reads the stored checkpoint, if it is still of this log; a lost or foreign one is asked for again."""
        try:
            text = (self.directory / WITNESSED).read_text(encoding="utf-8")
            kept = ledger.open_checkpoint(text, self._keys)
        except (OSError, UnicodeDecodeError, EsignError):
            return ""
        if 0 < kept.size <= self.size and self._root(kept.size) == kept.root:
            return text
        return ""

    def _root(self, size: int) -> bytes:
        return tree.root(size, tiles.nodes_from(self._pyramid))

    def _shown_text(self) -> str:
        return (self.directory / CHECKPOINT).read_text(encoding="utf-8")

    def _shown(self) -> Checkpoint | None:
        try:
            text = self._shown_text()
        except FileNotFoundError:
            if (self.directory / "tile").exists() and not os.fstat(self._journal).st_size:
                raise _damaged("LEDGER_DAMAGED", "tiles without a checkpoint") from None
            return None
        if not text and (os.fstat(self._journal).st_size or not (self.directory / "tile").exists()):
            # Replaced but not synced when the power went; the journal holds every head since the last sync.
            return None
        try:
            return ledger.open_checkpoint(text, self._keys)
        except (NoteMalformedError, EsignError) as cause:
            raise _damaged("LEDGER_DAMAGED", f"the public checkpoint is not ours: {cause.reason}") from cause

    def _records(self) -> list[journal_format.Record]:
        """Reads what the journal holds, and cuts the journal off behind it."""
        found = list(journal_format.records(os.pread(self._journal, os.fstat(self._journal).st_size, 0)))
        self._journal_size = found[-1].end if found else 0
        os.ftruncate(self._journal, self._journal_size)
        return found

    def _load_edge(self, size: int) -> None:
        rows: list[list[bytes]] = []
        level = 0
        while level == 0 or size >> tiles.HEIGHT * level:
            width = (size >> tiles.HEIGHT * level) % tiles.WIDTH
            data = self._load(TileName(level, size >> tiles.HEIGHT * (level + 1), width)) if width else b""
            if len(data) != width * tree.HASH_SIZE:
                raise _damaged("LEDGER_DAMAGED", f"a tile of level {level} is too short")
            rows.append(_hashes(data))
            level += 1
        self._edge = tiles.Edge(size, rows)
        width = size % tiles.WIDTH
        self._tail = tiles.unbundle(self._load(TileName(None, size // tiles.WIDTH, width))) if width else []
        if [tree.leaf_hash(entry) for entry in self._tail] != rows[0]:
            raise _damaged("LEDGER_DAMAGED", "the last entries are not those of the tree")

    def _load(self, name: TileName) -> bytes:
        try:
            return self.read(name.path)
        except FileNotFoundError as cause:
            raise _damaged("LEDGER_DAMAGED", f"{name.path} is missing") from cause

    def _require(self, remembered: Checkpoint) -> None:
        if remembered.origin != self._signer.verifier.name or remembered.size > self.size:
            raise _damaged("LEDGER_ROLLED_BACK", "the log is older than the head its owner remembers")
        if self._root(remembered.size) != remembered.root:
            raise _damaged("LEDGER_FORKED", "the log is not the one its owner remembers")

    def _pyramid(self, level: int, index: int) -> list[list[bytes]]:
        if index == self._edge.size >> tiles.HEIGHT * (level + 1):
            if level not in self._edge_pyramids:
                self._edge_pyramids[level] = tiles.pyramid(self._edge.rows[level])
            return self._edge_pyramids[level]
        key = (level, index)
        found = self._pyramids.get(key)
        if found is None:
            found = self._pyramids[key] = tiles.pyramid(_hashes(self._load(TileName(level, index))))
            if len(self._pyramids) > _PYRAMIDS_KEPT:
                self._pyramids.popitem(last=False)
        return found

    def _receipt(self, index: int, entry: bytes) -> Receipt:
        return Receipt(entry, index, tuple(self.inclusion(index)), self._head)

    def _entry(self, index: int) -> bytes:
        bundle, inside = divmod(index, tiles.WIDTH)
        if bundle == self._edge.size // tiles.WIDTH:
            return self._tail[inside]
        found = self._bundles.get(bundle)
        if found is None:
            found = self._bundles[bundle] = self._load(TileName(None, bundle))
            if len(self._bundles) > _BUNDLES_KEPT:
                self._bundles.popitem(last=False)
        return tiles.entry_in(found, inside)


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + tree.HASH_SIZE] for at in range(0, len(data), tree.HASH_SIZE)]


def _damaged(reason: str, en: str) -> LedgerDamagedError:
    return LedgerDamagedError(reason, en, "存证日志损坏或被回退，已拒绝继续写入")
