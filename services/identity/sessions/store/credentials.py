"""Login credentials. Login names are stored as HMAC, instants in µs UTC."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError

from shuniu.kit.store.types import LostRaceError

TABLES: Final = MetaData()

# login_index = HMAC of the folded login name.
credential = Table(
    "credential",
    TABLES,
    Column("login_index", Text, primary_key=True),
    Column("person_id", Text, nullable=False, server_default=""),
    Column("password_hash", Text, nullable=False, server_default=""),
    Column("created_us", BigInteger, nullable=False, server_default="0"),
    Index("credential_person", "person_id", unique=True),
)


@dataclass(frozen=True, slots=True)
class Credential:
    """Stored credential that a password is checked against."""

    person_id: str
    password_hash: str


def find_credential(conn: Connection, login_index: str) -> Credential | None:
    row = conn.execute(select(credential).where(credential.c.login_index == login_index)).first()
    return None if row is None else Credential(row.person_id, row.password_hash)


def has_credential(conn: Connection, person_id: str) -> bool:
    return conn.execute(select(credential.c.person_id).where(credential.c.person_id == person_id)).first() is not None


def add_credential(conn: Connection, login_index: str, kept: Credential, now_us: int) -> None:
    """Stores a login. The unit runs again when another replica took the name or the person at the same time."""
    row = {
        "login_index": login_index,
        "person_id": kept.person_id,
        "password_hash": kept.password_hash,
        "created_us": now_us,
    }
    try:
        conn.execute(insert(credential), row)
    except IntegrityError as overtaken:
        raise LostRaceError("credential") from overtaken
