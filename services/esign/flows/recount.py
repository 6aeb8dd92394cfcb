"""Counts flows anew from the ledger's files, and compares with what the store says."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from services.esign.domain.errors import EsignError
from services.esign.flows.domain.recount import Place, Tally, differences
from services.esign.flows.store import journal as flow_journal_store
from services.esign.ledger.domain import ledger, tiles
from services.esign.ledger.domain.ledger import Entry
from services.esign.ledger.domain.note import VerifierKey
from services.esign.ledger.domain.tiles import TileName

# While flows go on, the store and the ledger are compared when nothing is between them.
_TRIES = 20
_PAUSE_SECONDS = 0.25
_MOST_PENDING = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """The counts of the store, and the entries it has not yet brought into the ledger: known, or only how many."""

    counts: Counter[Place]
    pending: tuple[Entry, ...] = ()
    unknown: int = 0


@dataclass(slots=True)
class RecountReport:
    """`problems` empty: ledger and store agree, and every flow came to one end at most."""

    counts: Counter[Place] = field(default_factory=Counter)
    size: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems


def kept_in(conn: Connection) -> Kept:
    """From the store itself, in one snapshot."""
    pending = flow_journal_store.unlogged(conn, _MOST_PENDING)
    counts = Counter(flow_journal_store.counts(conn))
    return Kept(counts, tuple(ledger.decode(row.entry) for row in pending))


async def recount(directory: Path, keys: Sequence[VerifierKey], ask: Callable[[], Awaitable[Kept]]) -> RecountReport:
    """Raises OSError and EsignError for a ledger that cannot be read."""
    for _ in range(_TRIES):
        before = await ask()
        tally, size = await asyncio.to_thread(_tally, directory, keys, before.pending)
        if before == await ask() and not before.unknown:
            return RecountReport(tally.counts, size, [*tally.faults, *differences(tally.counts, before.counts)])
        await asyncio.sleep(_PAUSE_SECONDS)
    return RecountReport(problems=["the hub is too busy to be counted now; ask again"])


def _tally(directory: Path, keys: Sequence[VerifierKey], pending: Sequence[Entry]) -> tuple[Tally, int]:
    head = ledger.open_checkpoint((directory / "checkpoint").read_text(encoding="utf-8"), keys)
    tally = Tally()
    tally.add(_entries(directory, head.size))
    tally.add(pending)
    return tally.finished(), head.size


def _entries(directory: Path, size: int) -> Iterator[Entry]:
    """Every entry under the head. Entries of other kinds of hub are passed over: `ledger verify` speaks of them."""
    for start in range(0, size, tiles.WIDTH):
        width = min(tiles.WIDTH, size - start)
        for data in tiles.unbundle(_bundle(directory, start // tiles.WIDTH, width))[:width]:
            try:
                yield ledger.decode(data)
            except EsignError:
                continue


def _bundle(directory: Path, index: int, width: int) -> bytes:
    """The bundle, or the full one where a partial one has been superseded."""
    try:
        return (directory / TileName(None, index, width).path).read_bytes()
    except FileNotFoundError:
        return (directory / TileName(None, index).path).read_bytes()
