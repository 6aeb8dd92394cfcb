"""Stores what belongs to seals: pictures, and every change of state."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    select,
    update,
)

from services.esign.certification.domain.holders import SealKind
from services.esign.ledger.domain.ledger import UNLOGGED
from services.esign.ses.domain.values import Picture
from shuniu.kit.store import binding_of, secret_values

TABLES = MetaData()

# One row a seal with a picture; `source` says whether the hub drew it (DRAWN) or its owner sent it (UPLOADED).
seal_picture = Table(
    "seal_picture",
    TABLES,
    Column("seal_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("width_mm", Integer, nullable=False),
    Column("height_mm", Integer, nullable=False),
)

# Every change of every seal. `ledger_index` is -1 until the change is logged.
seal_change = Table(
    "seal_change",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("seal_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ledger_index", BigInteger, nullable=False),
    Index("seal_change_seal", "seal_id", "id"),
    Index("seal_change_unlogged", "ledger_index"),
)

DRAWN, UPLOADED = "DRAWN", "UPLOADED"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a seal: the new state, when (µs), by whom and why; where it stands in the ledger, -1 before."""

    id: str
    seal_id: str
    state: str
    at_us: int
    actor: str
    reason: str
    ledger_index: int = UNLOGGED


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A seal's picture and whether it was drawn here or uploaded."""

    source: str
    picture: Picture = field(repr=False)


def picture_context(seal_id: str) -> bytes:
    """Binds the picture of a person's seal to its row."""
    return secret_values.context("seal_picture", seal_id, "data")


def keep_picture(conn: Connection, seal_id: str, kept: KeptPicture, kind: SealKind) -> None:
    """Keeps the first picture of a seal; another one takes a new version of the seal. A person's shows their name, and
    lies encrypted.
    """
    data = kept.picture.data
    if kind is SealKind.PERSON:
        data = secret_values.close(conn, data, picture_context(seal_id))
    row = {
        "seal_id": seal_id,
        "source": kept.source,
        "kind": kept.picture.kind,
        "data": data,
        "width_mm": kept.picture.width_mm,
        "height_mm": kept.picture.height_mm,
    }
    binding_of(conn).dialect.insert_ignore(conn, seal_picture, [row])


def find_picture(conn: Connection, seal_id: str) -> KeptPicture | None:
    row = conn.execute(select(seal_picture).where(seal_picture.c.seal_id == seal_id)).first()
    if row is None:
        return None
    data = secret_values.reveal(conn, bytes(row.data), picture_context(seal_id))
    return KeptPicture(row.source, Picture(row.kind, data, row.width_mm, row.height_mm))


def keep_change(conn: Connection, change: Change) -> None:
    conn.execute(
        insert(seal_change),
        {
            "id": change.id,
            "seal_id": change.seal_id,
            "state": change.state,
            "at_us": change.at_us,
            "actor": change.actor,
            "reason": change.reason,
            "ledger_index": change.ledger_index,
        },
    )


def changes_of(conn: Connection, seal_id: str) -> Sequence[Change]:
    """Oldest first."""
    rows = conn.execute(select(seal_change).where(seal_change.c.seal_id == seal_id).order_by(seal_change.c.id))
    return [Change(*row) for row in rows]


def unlogged(conn: Connection, limit: int) -> Sequence[Change]:
    """Changes that the ledger does not hold yet, oldest first."""
    wanted = select(seal_change).where(seal_change.c.ledger_index == UNLOGGED).order_by(seal_change.c.id).limit(limit)
    return [Change(*row) for row in conn.execute(wanted)]


def logged(conn: Connection, change_id: str, index: int) -> None:
    conn.execute(
        update(seal_change)
        .where(seal_change.c.id == change_id, seal_change.c.ledger_index == UNLOGGED)
        .values(ledger_index=index)
    )
