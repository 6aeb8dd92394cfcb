"""Persons, their pairwise subjects and the record of who was given their data. Instants are µs UTC."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table, Text, delete, insert, select
from sqlalchemy.exc import IntegrityError

from services.identity.persons.domain.pairwise import Subject
from shuniu.kit.process.ids import first_ulid_at
from shuniu.kit.store.types import LostRaceError, binding_of

TABLES: Final = MetaData()
_BATCH: Final = 500

person = Table(
    "person",
    TABLES,
    Column("person_id", Text, primary_key=True),
    Column("display_name", Text, nullable=False, server_default=""),
    Column("ial", Integer, nullable=False, server_default="1"),
    Column("created_us", BigInteger, nullable=False, server_default="0"),
    Column("verified_us", BigInteger, nullable=False, server_default="0"),
    # The authority's word: its transaction id and the digest of its answer.
    Column("transaction_id", Text, nullable=False, server_default=""),
    Column("evidence_sha256", Text, nullable=False, server_default=""),
    # Instead of it in a hub of the profile sm.
    Column("evidence_sm3", Text, nullable=False, server_default=""),
)

# Pairwise subjects given out; a subject stays when its key epoch ends.
subject = Table(
    "subject",
    TABLES,
    Column("sector", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("person_id", Text, nullable=False, server_default=""),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Index("subject_person", "person_id", "sector", unique=True),
)

# Who was given which fields of whom, and why; shown to the person.
reveal = Table(
    "reveal",
    TABLES,
    Column("reveal_id", Text, primary_key=True),
    Column("person_id", Text, nullable=False, server_default=""),
    Column("receiver", Text, nullable=False, server_default=""),
    Column("case_code", Text, nullable=False, server_default=""),
    Column("fields", Text, nullable=False, server_default=""),
    Column("purpose", Text, nullable=False, server_default=""),
    Column("time_us", BigInteger, nullable=False, server_default="0"),
    Index("reveal_person", "person_id", "reveal_id"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as identity knows one: no name, no number."""

    person_id: str
    display_name: str
    ial: int


@dataclass(frozen=True, slots=True)
class Proof:
    """The authority's word on a person: its transaction id, the digest of its answer (hex) and when; in a hub of the
    profile sm the digest is SM3.
    """

    transaction_id: str
    evidence_sha256: str
    verified_us: int
    evidence_sm3: str = ""


@dataclass(frozen=True, slots=True)
class Reveal:
    """Record that a receiver was given fields of a person, for a case and purpose."""

    reveal_id: str
    person_id: str
    receiver: str
    case_code: str
    fields: tuple[str, ...]
    purpose: str
    time_us: int


def find_person(conn: Connection, person_id: str) -> Person | None:
    row = conn.execute(select(person).where(person.c.person_id == person_id)).first()
    return None if row is None else Person(row.person_id, row.display_name, row.ial)


def put(conn: Connection, proved: Person, proof: Proof) -> None:
    row = {
        "person_id": proved.person_id,
        "display_name": proved.display_name,
        "ial": proved.ial,
        "created_us": proof.verified_us,
        "verified_us": proof.verified_us,
        "transaction_id": proof.transaction_id,
        "evidence_sha256": proof.evidence_sha256,
        "evidence_sm3": proof.evidence_sm3,
    }
    binding_of(conn).dialect.upsert(conn, person, [row], ["person_id"], None)


def find_subject(conn: Connection, person_id: str, sector: str) -> str | None:
    found = select(subject.c.subject).where(subject.c.person_id == person_id, subject.c.sector == sector)
    return conn.execute(found).scalar()


def add_subject(conn: Connection, person_id: str, sector: str, made: Subject) -> None:
    row = {"sector": sector, "subject": made.value, "person_id": person_id, "epoch": made.epoch}
    try:
        conn.execute(insert(subject), row)
    except IntegrityError as overtaken:
        raise LostRaceError("subject") from overtaken


def find_by_subject(conn: Connection, sector: str, value: str) -> Person | None:
    person_id = conn.execute(
        select(subject.c.person_id).where(subject.c.sector == sector, subject.c.subject == value)
    ).scalar()
    return None if person_id is None else find_person(conn, person_id)


def add_reveal(conn: Connection, given: Reveal) -> None:
    row = {
        "reveal_id": given.reveal_id,
        "person_id": given.person_id,
        "receiver": given.receiver,
        "case_code": given.case_code,
        "fields": json.dumps(given.fields),
        "purpose": given.purpose,
        "time_us": given.time_us,
    }
    conn.execute(insert(reveal), row)


def forget_reveals(conn: Connection, before_us: int) -> int:
    """Deletes records of reveals from before an instant (µs); a batch of them. Returns how many."""
    over = select(reveal.c.reveal_id).where(reveal.c.reveal_id < first_ulid_at(before_us)).limit(_BATCH)
    return conn.execute(delete(reveal).where(reveal.c.reveal_id.in_(over))).rowcount


def reveals(conn: Connection, person_id: str, before: str, limit: int) -> Sequence[Reveal]:
    """Records of a person, newest first, older than the record `before` (empty: from the newest)."""
    wanted = select(reveal).where(reveal.c.person_id == person_id)
    if before:
        wanted = wanted.where(reveal.c.reveal_id < before)
    rows = conn.execute(wanted.order_by(reveal.c.reveal_id.desc()).limit(limit))
    return [
        Reveal(
            row.reveal_id,
            row.person_id,
            row.receiver,
            row.case_code,
            tuple(json.loads(row.fields)),
            row.purpose,
            row.time_us,
        )
        for row in rows
    ]
