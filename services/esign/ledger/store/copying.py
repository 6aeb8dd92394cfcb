"""Copies a ledger that may be growing meanwhile, from one checkpoint, and checks the copy while it is made."""

from collections.abc import Sequence
from pathlib import Path

from services.esign.domain.errors import EsignError, LedgerDamagedError
from services.esign.ledger.domain import ledger, tiles, tree
from services.esign.ledger.domain.ledger import Checkpoint
from services.esign.ledger.domain.note import VerifierKey
from services.esign.ledger.domain.tiles import TileName
from services.esign.ledger.store import journal
from services.esign.ledger.store.files import CHECKPOINT, JOURNAL, WITNESSED


def copy_ledger(
    source: Path, target: Path, keys: Sequence[VerifierKey], *, remembered: Checkpoint | None = None
) -> Checkpoint | None:
    """Writes the log of `source` into the new directory `target` and returns its head; None when there is no log yet.

    Everything that was answered for before the call is in the copy: what the public checkpoint covers, and what stands
    in the journal alone. Hashes are not copied but computed from the entries, so a copy that this returns gives the
    root that was signed. It opens without a journal.

    Raises LedgerDamagedError: LEDGER_DAMAGED, LEDGER_FORKED, LEDGER_ROLLED_BACK (shorter than `remembered`, the head
    that a copied database knows of); OSError.
    """
    # In this order: what leaves the journal is under the public checkpoint before.
    waiting = _read(source / JOURNAL)
    shown = _read(source / CHECKPOINT).decode("utf-8", "replace")
    target.mkdir(mode=0o700, parents=True)
    copy = _Copy(target, remembered)
    head, text = None, ""
    if shown:
        head, text = _opened(shown, keys), shown
        for start in range(0, head.size, tiles.WIDTH):
            copy.add(_bundle(source, start // tiles.WIDTH, min(tiles.WIDTH, head.size - start)))
        copy.require(head)
    for record in journal.records(waiting):
        signed = _opened(record.checkpoint, keys)
        if record.first > copy.edge.size or signed.size <= copy.edge.size:
            continue
        copy.add(record.entries[copy.edge.size - record.first :])
        copy.require(signed)
        head, text = signed, record.checkpoint
    if remembered is not None and (head is None or head.size < remembered.size):
        raise _damaged("LEDGER_ROLLED_BACK", "the log is shorter than the head that the database remembers")
    if head is None:
        return None
    copy.finish()
    witnessed = _read(source / WITNESSED)
    if witnessed:
        (target / WITNESSED).write_bytes(witnessed)
    (target / CHECKPOINT).write_text(text, encoding="utf-8")
    return head


class _Copy:
    """A log that is written from its entries, in order."""

    def __init__(self, directory: Path, remembered: Checkpoint | None) -> None:
        self.edge = tiles.Edge()
        self._directory = directory
        self._remembered = remembered
        self._tail: list[bytes] = []

    def add(self, entries: Sequence[bytes]) -> None:
        """Raises LedgerDamagedError LEDGER_FORKED when the tree is not the one remembered."""
        known = self._remembered
        part = 0 if known is None else known.size - self.edge.size
        if known is not None and 0 < part <= len(entries):
            self._append(entries[:part])
            if self.edge.root() != known.root:
                raise _damaged("LEDGER_FORKED", "the log is not the one that the database remembers")
            entries = entries[part:]
        self._append(entries)

    def require(self, head: Checkpoint) -> None:
        """Raises LedgerDamagedError LEDGER_FORKED unless the log so far is what was signed."""
        if (self.edge.size, self.edge.root()) != (head.size, head.root):
            raise _damaged("LEDGER_FORKED", "entries do not give the root that was signed for them")

    def finish(self) -> None:
        """Writes the partial tiles of the newest head."""
        for name, data in self.edge.partial():
            self._write(name, data)
        if self._tail:
            self._write(TileName(None, self.edge.size // tiles.WIDTH, len(self._tail)), tiles.bundle(self._tail))

    def _append(self, entries: Sequence[bytes]) -> None:
        for start in range(0, len(entries), tiles.WIDTH):
            some = entries[start : start + tiles.WIDTH]
            first = self.edge.size // tiles.WIDTH
            self.edge.append([tree.leaf_hash(entry) for entry in some], self._write)
            self._tail.extend(some)
            if len(self._tail) >= tiles.WIDTH:
                self._write(TileName(None, first), tiles.bundle(self._tail[: tiles.WIDTH]))
                del self._tail[: tiles.WIDTH]

    def _write(self, name: TileName, data: bytes) -> None:
        path = self._directory / name.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)


def _bundle(source: Path, index: int, width: int) -> list[bytes]:
    """The first entries of a bundle. The partial one may be gone once the full one is there, whose beginning it is."""
    for name in (TileName(None, index, width), TileName(None, index)):
        data = _read(source / name.path)
        if data:
            entries = tiles.unbundle(data)
            if len(entries) >= width:
                return entries[:width]
    raise _damaged("LEDGER_DAMAGED", f"{TileName(None, index, width).path} is missing")


def _opened(text: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    try:
        return ledger.open_checkpoint(text, keys)
    except EsignError as cause:
        raise _damaged("LEDGER_DAMAGED", f"a checkpoint is not this log's: {cause.reason}") from cause


def _read(path: Path) -> bytes:
    """Empty when the file is absent."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _damaged(reason: str, en: str) -> LedgerDamagedError:
    return LedgerDamagedError(reason, en, "存证日志损坏或被回退，不能备份")
