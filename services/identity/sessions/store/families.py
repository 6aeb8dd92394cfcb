"""Token families and their refresh tokens. Tokens are stored as SHA-256, instants in µs UTC."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Row, Table, Text, delete, insert, select, update

from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.domain.token_families import Family
from shuniu.kit.store.types import LostRaceError

TABLES: Final = MetaData()

# A family has some hundred tokens at the end of its day.
_BATCH: Final = 50

token_family = Table(
    "token_family",
    TABLES,
    Column("family_id", Text, primary_key=True),
    Column("session_id", Text, nullable=False, server_default=""),
    Column("platform", Text, nullable=False, server_default=""),
    Column("scope", Text, nullable=False, server_default=""),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    Column("rotated_us", BigInteger, nullable=False, server_default="0"),
    Column("expires_us", BigInteger, nullable=False, server_default="0"),
    Column("ended_us", BigInteger, nullable=False, server_default="0"),
    Column("end_reason", Text, nullable=False, server_default=""),
    Index("token_family_session", "session_id"),
    Index("token_family_expiry", "expires_us"),
)

refresh_token = Table(
    "refresh_token",
    TABLES,
    Column("token_hash", Text, primary_key=True),
    Column("family_id", Text, nullable=False, server_default=""),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    Index("refresh_token_family", "family_id"),
)


def add_family(conn: Connection, begun: Family, token_hash: str) -> None:
    row = {
        "family_id": begun.family_id,
        "session_id": begun.session_id,
        "platform": begun.platform,
        "scope": begun.scope,
        "generation": begun.generation,
        "rotated_us": begun.rotated_us,
        "expires_us": begun.expires_us,
    }
    conn.execute(insert(token_family), row)
    add_token(conn, begun, token_hash)


def add_token(conn: Connection, family: Family, token_hash: str) -> None:
    row = {"token_hash": token_hash, "family_id": family.family_id, "generation": family.generation}
    conn.execute(insert(refresh_token), row)


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A refresh token that was issued once: its family and its number in it."""

    family: Family
    generation: int


def find_token(conn: Connection, token_hash: str) -> KnownToken | None:
    row = conn.execute(
        select(token_family, refresh_token.c.generation.label("presented"))
        .join(refresh_token, refresh_token.c.family_id == token_family.c.family_id)
        .where(refresh_token.c.token_hash == token_hash)
    ).first()
    return None if row is None else KnownToken(_family(row), row.presented)


def find_family(conn: Connection, family_id: str) -> Family | None:
    row = conn.execute(select(token_family).where(token_family.c.family_id == family_id)).first()
    return None if row is None else _family(row)


def put_family(conn: Connection, before: Family, after: Family) -> None:
    """Stores a family's next state. The unit runs again when another replica was first."""
    done = conn.execute(
        update(token_family)
        .where(
            token_family.c.family_id == before.family_id,
            token_family.c.generation == before.generation,
            token_family.c.ended_us == before.ended_us,
        )
        .values(
            generation=after.generation,
            rotated_us=after.rotated_us,
            ended_us=after.ended_us,
            end_reason=after.end_reason,
        )
    )
    if done.rowcount != 1:
        raise LostRaceError(before.family_id)


def _family(row: Row[Any]) -> Family:
    return Family(
        row.family_id,
        row.session_id,
        row.platform,
        row.scope,
        row.generation,
        row.rotated_us,
        row.expires_us,
        row.ended_us,
        row.end_reason,
    )


def end_of_session(conn: Connection, over: Session) -> None:
    """Ends the families of a session that ended."""
    conn.execute(
        update(token_family)
        .where(token_family.c.session_id == over.session_id, token_family.c.ended_us == 0)
        .values(ended_us=over.ended_us, end_reason=over.end_reason)
    )


def forget(conn: Connection, before: int) -> int:
    """Deletes families that expired before an instant (µs), with their tokens; a batch of them. Returns how many."""
    over = select(token_family.c.family_id).where(token_family.c.expires_us < before).limit(_BATCH)
    gone = list(conn.execute(over).scalars())
    conn.execute(delete(refresh_token).where(refresh_token.c.family_id.in_(gone)))
    conn.execute(delete(token_family).where(token_family.c.family_id.in_(gone)))
    return len(gone)
