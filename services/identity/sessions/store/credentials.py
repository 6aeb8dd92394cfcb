"""Login credentials and the count of wrong passwords. Login names are stored as HMAC, instants in µs UTC."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, delete, insert, select
from sqlalchemy.exc import IntegrityError

from services.identity.sessions.domain.sign_in import Failures
from shuniu.kit.store.types import LostRaceError, binding_of

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

sign_in_failure = Table(
    "sign_in_failure",
    TABLES,
    Column("login_index", Text, primary_key=True),
    Column("window_us", BigInteger, nullable=False, server_default="0"),
    Column("failures", BigInteger, nullable=False, server_default="0"),
    Index("sign_in_failure_window", "window_us"),
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


def find_failures(conn: Connection, login_index: str) -> Failures | None:
    row = conn.execute(select(sign_in_failure).where(sign_in_failure.c.login_index == login_index)).first()
    return None if row is None else Failures(row.window_us, row.failures)


def put_failures(conn: Connection, login_index: str, seen: Failures) -> None:
    row = {"login_index": login_index, "window_us": seen.window_us, "failures": seen.failures}
    binding_of(conn).dialect.upsert(conn, sign_in_failure, [row], ["login_index"], None)


def clear_failures(conn: Connection, login_index: str) -> None:
    conn.execute(delete(sign_in_failure).where(sign_in_failure.c.login_index == login_index))


def forget_failures(conn: Connection, before_us: int) -> None:
    conn.execute(delete(sign_in_failure).where(sign_in_failure.c.window_us < before_us))
