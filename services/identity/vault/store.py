"""Stored persons of the vault: an index that only its key makes, and encrypted fields. There is no list and no scan."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from shuniu.kit.store.tables import kit_tables
from shuniu.kit.store.types import LostRaceError, binding_of

METADATA: Final = MetaData()
kit_tables(METADATA)

# index_key: see `PersonIndex`; fields = AES-GCM or SM4-GCM of a JSON object, bound to the person's id.
subject = Table(
    "subject",
    METADATA,
    Column("person_id", Text, primary_key=True),
    Column("index_key", LargeBinary, nullable=False),
    Column("fields", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False, server_default="0"),
    Column("changed_us", BigInteger, nullable=False, server_default="0"),
    Index("subject_index", "index_key", unique=True),
)

# How often a caller had data sealed for a receiver and purpose on a day (days since 1970 UTC).
use = Table(
    "use",
    METADATA,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("caller", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("used", BigInteger, nullable=False, server_default="0"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored person: id and encrypted fields."""

    person_id: str
    fields: bytes


def find_by_index(conn: Connection, index_key: bytes) -> Kept | None:
    row = conn.execute(select(subject.c.person_id, subject.c.fields).where(subject.c.index_key == index_key)).first()
    return None if row is None else Kept(row.person_id, bytes(row.fields))


def find_by_id(conn: Connection, person_id: str) -> Kept | None:
    row = conn.execute(select(subject.c.person_id, subject.c.fields).where(subject.c.person_id == person_id)).first()
    return None if row is None else Kept(row.person_id, bytes(row.fields))


def add(conn: Connection, kept: Kept, index_key: bytes, now_us: int) -> None:
    """Stores a new person. The unit runs again when another replica stored the same document at the same time."""
    row = {
        "person_id": kept.person_id,
        "index_key": index_key,
        "fields": kept.fields,
        "created_us": now_us,
        "changed_us": now_us,
    }
    try:
        conn.execute(insert(subject), row)
    except IntegrityError as overtaken:
        raise LostRaceError("subject") from overtaken


def index_sizes(conn: Connection) -> set[int]:
    """Sizes (bytes) of all index keys: each algorithm has its own. Reads the whole index."""
    return set(conn.execute(select(func.length(subject.c.index_key)).distinct()).scalars())


def reindex(conn: Connection, person_id: str, index_key: bytes) -> None:
    """A person is found by another key from now on."""
    conn.execute(update(subject).where(subject.c.person_id == person_id).values(index_key=index_key))


def change(conn: Connection, kept: Kept, now_us: int) -> None:
    conn.execute(
        update(subject).where(subject.c.person_id == kept.person_id).values(fields=kept.fields, changed_us=now_us)
    )


def forget_use(conn: Connection, before_day: int) -> None:
    conn.execute(delete(use).where(use.c.day < before_day))


def count_use(conn: Connection, day: int, caller: str, receiver: str, purpose: str) -> int:
    """Counts one more use and returns how many there were today."""
    match = (use.c.day == day, use.c.caller == caller, use.c.receiver == receiver, use.c.purpose == purpose)
    grown = conn.execute(update(use).where(*match).values(used=use.c.used + 1))
    if grown.rowcount == 0:
        row = {"day": day, "caller": caller, "receiver": receiver, "purpose": purpose, "used": 1}
        if binding_of(conn).dialect.insert_ignore(conn, use, [row]) == 0:
            raise LostRaceError(purpose)
        return 1
    return int(conn.execute(select(use.c.used).where(*match)).scalar_one())
