"""Sessions and the platforms that hold tokens of them. Secrets are stored as SHA-256, instants in µs UTC."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
    update,
)

from services.identity.platforms import store as platform_store
from services.identity.sessions.domain.sessions import Session
from services.identity.sessions.store import families
from shuniu.kit.store.partial import partial
from shuniu.kit.store.types import binding_of

TABLES: Final = MetaData()

# As they stand in the indexes, and in the questions that use them.
_LIVE: Final = "ended_us = 0"
_OVER: Final = "ended_us > 0"

session = Table(
    "session",
    TABLES,
    Column("session_id", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False, server_default=""),
    Column("person_id", Text, nullable=False, server_default=""),
    Column("authenticated_us", BigInteger, nullable=False, server_default="0"),
    Column("expires_us", BigInteger, nullable=False, server_default="0"),
    Column("aal", Integer, nullable=False, server_default="1"),
    # The store's epoch when it began: a session from before a restore may have ended since, so it is over.
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("ended_us", BigInteger, nullable=False, server_default="0"),
    Column("end_reason", Text, nullable=False, server_default=""),
    Index("session_secret", "secret_hash", unique=True),
    partial("session_live", "expires_us", where=_LIVE),
    partial("session_over", "expires_us", where=_OVER),
)

# Platforms that hold tokens of a session; profile_us is when one first asked for the person's name, 0 if never.
session_client = Table(
    "session_client",
    TABLES,
    Column("session_id", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
    Column("profile_us", BigInteger, nullable=False, server_default="0"),
)


_BATCH: Final = 200


def add(conn: Connection, opened: Session, secret_hash: str) -> None:
    row = {
        "session_id": opened.session_id,
        "secret_hash": secret_hash,
        "person_id": opened.person_id,
        "authenticated_us": opened.authenticated_us,
        "expires_us": opened.expires_us,
        "aal": opened.aal,
        "epoch": binding_of(conn).epoch,
    }
    conn.execute(insert(session), row)


def find_by_secret(conn: Connection, secret_hash: str) -> Session | None:
    row = conn.execute(select(session).where(session.c.secret_hash == secret_hash)).first()
    return None if row is None else _session(row)


def find_session(conn: Connection, session_id: str) -> Session | None:
    row = conn.execute(select(session).where(session.c.session_id == session_id)).first()
    return None if row is None else _session(row)


def expired(conn: Connection, now_us: int) -> list[Session]:
    """Sessions that nobody ended and whose time is over; a batch of them."""
    rows = conn.execute(select(session).where(text(_LIVE), session.c.expires_us <= now_us).limit(_BATCH))
    return [_session(row) for row in rows]


def from_before_a_restore(conn: Connection) -> list[Session]:
    """Sessions of an earlier life of the store that nobody ended in it; a batch of them. Looks at all live sessions."""
    rows = conn.execute(select(session).where(text(_LIVE), session.c.epoch != binding_of(conn).epoch).limit(_BATCH))
    return [_session(row) for row in rows]


def end(conn: Connection, over: Session) -> list[str] | None:
    """Stores a session's end with its families and puts it into the feed; returns the platforms that held tokens.

    None when it had ended already.
    """
    done = conn.execute(
        update(session)
        .where(session.c.session_id == over.session_id, session.c.ended_us == 0)
        .values(ended_us=over.ended_us, end_reason=over.end_reason)
    )
    if done.rowcount == 0:
        return None
    families.end_of_session(conn, over)
    platform_store.add_ended(conn, over.session_id, over.ended_us)
    held = select(session_client.c.platform).where(session_client.c.session_id == over.session_id)
    return list(conn.execute(held.order_by(session_client.c.platform)).scalars())


def add_client(conn: Connection, session_id: str, platform: str) -> None:
    row = {"session_id": session_id, "platform": platform, "profile_us": 0}
    binding_of(conn).dialect.insert_ignore(conn, session_client, [row])


def first_profile(conn: Connection, session_id: str, platform: str, now_us: int) -> bool:
    """Marks that the platform requested the person's name in this session; whether this was the first time."""
    done = conn.execute(
        update(session_client)
        .where(
            session_client.c.session_id == session_id,
            session_client.c.platform == platform,
            session_client.c.profile_us == 0,
        )
        .values(profile_us=now_us)
    )
    return done.rowcount == 1


def _session(row: Row[Any]) -> Session:
    return Session(
        row.session_id,
        row.person_id,
        row.authenticated_us,
        row.expires_us,
        row.aal,
        row.ended_us,
        row.end_reason,
    )


def forget(conn: Connection, before: int) -> int:
    """Deletes sessions that ended and expired before an instant (µs); a batch of them. Returns how many."""
    over = select(session.c.session_id).where(text(_OVER), session.c.expires_us < before).limit(_BATCH)
    gone = list(conn.execute(over).scalars())
    conn.execute(delete(session_client).where(session_client.c.session_id.in_(gone)))
    conn.execute(delete(session).where(session.c.session_id.in_(gone)))
    return len(gone)
