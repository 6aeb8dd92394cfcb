"""Authorisation codes and consents. Codes are stored as SHA-256, instants in µs UTC."""

from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, delete, insert, select, update

from services.identity.openid.domain.authorization import Code
from shuniu.kit.store.types import LostRaceError, binding_of

TABLES: Final = MetaData()

_BATCH: Final = 500

authorization_code = Table(
    "authorization_code",
    TABLES,
    Column("code_hash", Text, primary_key=True),
    Column("session_id", Text, nullable=False, server_default=""),
    Column("platform", Text, nullable=False, server_default=""),
    Column("redirect_uri", Text, nullable=False, server_default=""),
    Column("scope", Text, nullable=False, server_default=""),
    Column("nonce", Text, nullable=False, server_default=""),
    Column("challenge", Text, nullable=False, server_default=""),
    Column("expires_us", BigInteger, nullable=False, server_default="0"),
    Column("used_us", BigInteger, nullable=False, server_default="0"),
    # The family begun with it; a replay ends that.
    Column("family_id", Text, nullable=False, server_default=""),
    Index("authorization_code_expiry", "expires_us"),
)

consent = Table(
    "consent",
    TABLES,
    Column("person_id", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
    Column("scope", Text, nullable=False, server_default=""),
    Column("time_us", BigInteger, nullable=False, server_default="0"),
)


def add_code(conn: Connection, code_hash: str, made: Code) -> None:
    row = {
        "code_hash": code_hash,
        "session_id": made.session_id,
        "platform": made.platform,
        "redirect_uri": made.redirect_uri,
        "scope": made.scope,
        "nonce": made.nonce,
        "challenge": made.challenge,
        "expires_us": made.expires_us,
    }
    conn.execute(insert(authorization_code), row)


def find_code(conn: Connection, code_hash: str) -> Code | None:
    row = conn.execute(select(authorization_code).where(authorization_code.c.code_hash == code_hash)).first()
    if row is None:
        return None
    return Code(
        row.session_id,
        row.platform,
        row.redirect_uri,
        row.scope,
        row.nonce,
        row.challenge,
        row.expires_us,
        row.used_us,
        row.family_id,
    )


def use_code(conn: Connection, code_hash: str, used: Code) -> None:
    """Marks a code used. The unit runs again when another replica was first: it then finds a replay."""
    done = conn.execute(
        update(authorization_code)
        .where(authorization_code.c.code_hash == code_hash, authorization_code.c.used_us == 0)
        .values(used_us=used.used_us, family_id=used.family_id)
    )
    if done.rowcount != 1:
        raise LostRaceError("authorization_code")


def put_consent(conn: Connection, person_id: str, platform: str, scope: str, now_us: int) -> None:
    row = {"person_id": person_id, "platform": platform, "scope": scope, "time_us": now_us}
    binding_of(conn).dialect.upsert(conn, consent, [row], ["person_id", "platform"], None)


def forget(conn: Connection, before: int) -> int:
    """Deletes codes that expired before an instant (µs); a batch of them. Returns how many."""
    over = select(authorization_code.c.code_hash).where(authorization_code.c.expires_us < before).limit(_BATCH)
    return conn.execute(delete(authorization_code).where(authorization_code.c.code_hash.in_(over))).rowcount
