"""Token-signing keys: public JWK in clear, private part encrypted. Instants are µs UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table, Text, insert, select, update

from services.identity.keys.domain import KeyState, SigningKey

TABLES: Final = MetaData()

# Private keys are encrypted under the key ring.
signing_key = Table(
    "signing_key",
    TABLES,
    Column("kid", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default=""),
    Column("public_jwk", Text, nullable=False, server_default=""),
    Column("private", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False, server_default="0"),
    Column("active_from_us", BigInteger, nullable=False, server_default="0"),
    Column("retire_at_us", BigInteger, nullable=False, server_default="0"),
)


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key with its material. `private` is encrypted under the key ring, context `signing_key/<kid>`."""

    key: SigningKey
    public_jwk: str
    private: bytes


def keys(conn: Connection) -> list[KeptKey]:
    """All keys, oldest first."""
    rows = conn.execute(select(signing_key).order_by(signing_key.c.created_us, signing_key.c.kid))
    return [
        KeptKey(
            SigningKey(row.kid, KeyState(row.state), row.created_us, row.active_from_us, row.retire_at_us),
            row.public_jwk,
            bytes(row.private),
        )
        for row in rows
    ]


def add(conn: Connection, made: KeptKey) -> None:
    row = {
        "kid": made.key.kid,
        "state": made.key.state.value,
        "public_jwk": made.public_jwk,
        "private": made.private,
        "created_us": made.key.created_us,
        "active_from_us": made.key.active_from_us,
        "retire_at_us": made.key.retire_at_us,
    }
    conn.execute(insert(signing_key), row)


def put_states(conn: Connection, changed: Sequence[SigningKey]) -> None:
    for key in changed:
        conn.execute(
            update(signing_key)
            .where(signing_key.c.kid == key.kid)
            .values(state=key.state.value, retire_at_us=key.retire_at_us)
        )
