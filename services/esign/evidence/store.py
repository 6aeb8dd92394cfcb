"""Stores which digests of other services are in the ledger, and where."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, bindparam, select, update

from services.esign.ledger.domain.ledger import UNLOGGED, Entry, EntryType
from shuniu.kit.store import binding_of

TABLES = MetaData()

# A row is there before its entry: `since` is the size of the ledger then, so that what a crash left is found again.
evidence = Table(
    "evidence",
    TABLES,
    Column("source", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
)
# Far below the number of bind parameters that any database takes.
_ASKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A digest (hex, behind `sm3:` when it is an SM3), what it is of, and where it is in the ledger: UNLOGGED before
    the entry is known to be there.
    """

    digest: str
    kind: str
    time_us: int
    epoch: int = 0
    since: int = 0
    index: int = UNLOGGED

    def entry(self, source: str) -> Entry:
        algorithm, _, value = self.digest.rpartition(":")
        return Entry(
            EntryType.EVIDENCE,
            self.time_us,
            epoch=self.epoch,
            source=source,
            kind=self.kind,
            **{"commitment_sm3" if algorithm == "sm3" else "commitment": value},
        )


def begin(conn: Connection, source: str, rows: Iterable[EvidenceRow], since: int) -> None:
    """Keeps what is to be logged; what is kept already stays as it is."""
    binding = binding_of(conn)
    binding.dialect.insert_ignore(
        conn,
        evidence,
        [
            {
                "source": source,
                "digest": row.digest,
                "kind": row.kind,
                "time_us": row.time_us,
                "epoch": binding.epoch,
                "since": since,
                "ledger_index": UNLOGGED,
            }
            for row in rows
        ],
    )


def rows(conn: Connection, source: str, digests: Sequence[str]) -> dict[str, EvidenceRow]:
    """The stored rows of these digests."""
    found: dict[str, EvidenceRow] = {}
    for first in range(0, len(digests), _ASKED_AT_ONCE):
        wanted = select(evidence).where(
            evidence.c.source == source, evidence.c.digest.in_(digests[first : first + _ASKED_AT_ONCE])
        )
        for row in conn.execute(wanted):
            found[row.digest] = EvidenceRow(row.digest, row.kind, row.time_us, row.epoch, row.since, row.ledger_index)
    return found


def logged(conn: Connection, source: str, indexes: Mapping[str, int]) -> None:
    """Digests are in the ledger at these indexes."""
    place = (
        update(evidence)
        .where(evidence.c.source == source, evidence.c.digest == bindparam("its_digest"))
        .values(ledger_index=bindparam("its_index"))
    )
    conn.execute(place, [{"its_digest": digest, "its_index": index} for digest, index in indexes.items()])
