"""Evidence and its receipts from the ledger. Instants are µs UTC."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from services.exchange.evidence.domain import Kind, Piece
from shuniu.kit.rpc.paging import Position, keyset

TABLES: Final = MetaData()

# What happened, as it can be proved later: the record, its salt, and the receipt once its digest is in the ledger.
# `ledger_index` is -1 until then.
evidence = Table(
    "evidence",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("case_code", Text, nullable=False),
    # The platforms that took part and may have it.
    Column("first_party", Text, nullable=False),
    Column("second_party", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False),
    Index("evidence_unlogged", "ledger_index", "id"),
    Index("evidence_case", "case_code", "id"),
)


UNLOGGED = -1


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A piece of evidence and its receipt (tlog-proof); index UNLOGGED and no receipt before it is in the ledger."""

    piece: Piece
    digest: str
    index: int
    receipt: str


def _row(row: Row[Any]) -> EvidenceRow:
    piece = Piece(
        id=row.id,
        kind=Kind(row.kind),
        time_us=row.time_us,
        case_code=row.case_code,
        parties=(row.first_party, row.second_party),
        record=row.record,
        algorithm=row.algorithm,
        salt=bytes(row.salt),
    )
    return EvidenceRow(piece, row.digest, row.ledger_index, row.receipt)


def keep(conn: Connection, piece: Piece) -> None:
    first, second = piece.parties
    conn.execute(
        insert(evidence),
        {
            "id": piece.id,
            "kind": piece.kind.value,
            "case_code": piece.case_code,
            "first_party": first,
            "second_party": second,
            "time_us": piece.time_us,
            "record": piece.record,
            "salt": piece.salt,
            "algorithm": piece.algorithm,
            "digest": piece.digest,
            "ledger_index": UNLOGGED,
            "receipt": "",
        },
    )


def find(conn: Connection, evidence_id: str) -> EvidenceRow | None:
    row = conn.execute(select(evidence).where(evidence.c.id == evidence_id)).first()
    return None if row is None else _row(row)


def of_case(conn: Connection, case_code: str, party: str | None, after: Position, limit: int) -> list[EvidenceRow]:
    """Evidence of a case by id; of one party's when `party` is given."""
    wanted = select(evidence).where(evidence.c.case_code == case_code)
    if party is not None:
        wanted = wanted.where(or_(evidence.c.first_party == party, evidence.c.second_party == party))
    return [_row(row) for row in conn.execute(keyset(wanted, [evidence.c.id], after, limit))]


def unlogged(conn: Connection, limit: int) -> list[EvidenceRow]:
    """The oldest that wait for the ledger."""
    waiting = select(evidence).where(evidence.c.ledger_index == UNLOGGED).order_by(evidence.c.id).limit(limit)
    return [_row(row) for row in conn.execute(waiting)]


def unlogged_count(conn: Connection) -> int:
    counted = select(func.count()).select_from(evidence).where(evidence.c.ledger_index == UNLOGGED)
    return int(conn.execute(counted).scalar() or 0)


def logged(conn: Connection, receipts: Iterable[tuple[str, int, str]]) -> None:
    """(id, index, receipt) of what is in the ledger from now on. The first receipt stays."""
    place = (
        update(evidence)
        .where(evidence.c.id == bindparam("its_id"), evidence.c.ledger_index == UNLOGGED)
        .values(ledger_index=bindparam("its_index"), receipt=bindparam("its_receipt"))
    )
    rows = [{"its_id": one, "its_index": index, "its_receipt": receipt} for one, index, receipt in receipts]
    if rows:
        conn.execute(place, rows)
