"""Copies a log while its owner appends to it: all that one checkpoint vouches for, and nothing that came after it."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.esign.ledger.domain import ledger, tiles
from services.esign.ledger.domain.ledger import Checkpoint
from services.esign.ledger.domain.note import VerifierKey
from services.esign.ledger.domain.tiles import TileName
from services.esign.ledger.store.files import WITNESSED, content

_CHECKPOINT = "checkpoint"


def copy(source: Path, target: Path, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """The copy's head; None for a log that has none yet. Raises OSError, NoteMalformedError, NoteUntrustedError."""
    target.mkdir(parents=True, exist_ok=True)
    # Before the checkpoint: it must not be newer than that.
    with contextlib.suppress(FileNotFoundError):
        (target / WITNESSED).write_bytes((source / WITNESSED).read_bytes())
    try:
        # Whoever appends shows a checkpoint after all of its tiles.
        text = (source / _CHECKPOINT).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    head = ledger.open_checkpoint(text, keys)
    for name in _needed(head.size):
        file = target / name.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(name, lambda path: (source / path).read_bytes()))
    (target / _CHECKPOINT).write_text(text, encoding="utf-8")
    return head


def _needed(size: int) -> Iterator[TileName]:
    """Bundles and tiles of a tree of this size."""
    yield from _row(None, size)
    level = 0
    while size:
        yield from _row(level, size)
        size >>= tiles.HEIGHT
        level += 1


def _row(level: int | None, width: int) -> Iterator[TileName]:
    for index in range(width // tiles.WIDTH):
        yield TileName(level, index)
    if width % tiles.WIDTH:
        yield TileName(level, width // tiles.WIDTH, width % tiles.WIDTH)
