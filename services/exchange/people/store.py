"""Persons behind pairwise subjects, as identity resolved them. Instants are µs UTC."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, select

from shuniu.kit.store import binding_of

TABLES: Final = MetaData()

# Resolved pairwise subjects: known people are served while identity is unavailable.
subject = Table(
    "subject",
    TABLES,
    Column("platform", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Person:
    """The person behind a pairwise subject, as identity resolved it."""

    person_id: str
    display_name: str


def find_person(conn: Connection, platform: str, pairwise: str) -> Person | None:
    row = conn.execute(
        select(subject.c.person_id, subject.c.display_name).where(
            subject.c.platform == platform, subject.c.subject == pairwise
        )
    ).first()
    return None if row is None else Person(row.person_id, row.display_name)


def keep_person(conn: Connection, platform: str, pairwise: str, person: Person, now_us: int) -> None:
    row = {
        "platform": platform,
        "subject": pairwise,
        "person_id": person.person_id,
        "display_name": person.display_name,
        "seen_us": now_us,
    }
    binding_of(conn).dialect.upsert(conn, subject, [row], ["platform", "subject"], "seen_us")
