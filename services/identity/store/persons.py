"""Persons, their credentials, pairwise subjects, consents and the record of who was given their data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from services.identity.domain.pairwise import Subject
from services.identity.domain.sign_in import Failures
from services.identity.store.tables import consent, credential, person, reveal, sign_in_failure, subject
from shuniu.kit.sql.types import LostRaceError, binding_of


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
class Credential:
    """What a password is checked against."""

    person_id: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Reveal:
    """Who was given which fields of a person, for which case and purpose."""

    reveal_id: str
    person_id: str
    receiver: str
    case_code: str
    fields: tuple[str, ...]
    purpose: str
    time_us: int


def get(conn: Connection, person_id: str) -> Person | None:
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


def get_credential(conn: Connection, login_index: str) -> Credential | None:
    row = conn.execute(select(credential).where(credential.c.login_index == login_index)).first()
    return None if row is None else Credential(row.person_id, row.password_hash)


def has_credential(conn: Connection, person_id: str) -> bool:
    return conn.execute(select(credential.c.person_id).where(credential.c.person_id == person_id)).first() is not None


def add_credential(conn: Connection, login_index: str, kept: Credential, now_us: int) -> None:
    """Keeps a login. The unit runs again when another replica took the name or the person at the same time."""
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


def failures(conn: Connection, login_index: str) -> Failures | None:
    row = conn.execute(select(sign_in_failure).where(sign_in_failure.c.login_index == login_index)).first()
    return None if row is None else Failures(row.window_us, row.failures)


def put_failures(conn: Connection, login_index: str, seen: Failures) -> None:
    row = {"login_index": login_index, "window_us": seen.window_us, "failures": seen.failures}
    binding_of(conn).dialect.upsert(conn, sign_in_failure, [row], ["login_index"], None)


def clear_failures(conn: Connection, login_index: str) -> None:
    conn.execute(delete(sign_in_failure).where(sign_in_failure.c.login_index == login_index))


def forget_failures(conn: Connection, before_us: int) -> None:
    conn.execute(delete(sign_in_failure).where(sign_in_failure.c.window_us < before_us))


def subject_of(conn: Connection, person_id: str, sector: str) -> str | None:
    found = select(subject.c.subject).where(subject.c.person_id == person_id, subject.c.sector == sector)
    return conn.execute(found).scalar()


def add_subject(conn: Connection, person_id: str, sector: str, made: Subject) -> None:
    row = {"sector": sector, "subject": made.value, "person_id": person_id, "epoch": made.epoch}
    try:
        conn.execute(insert(subject), row)
    except IntegrityError as overtaken:
        raise LostRaceError("subject") from overtaken


def by_subject(conn: Connection, sector: str, value: str) -> Person | None:
    person_id = conn.execute(
        select(subject.c.person_id).where(subject.c.sector == sector, subject.c.subject == value)
    ).scalar()
    return None if person_id is None else get(conn, person_id)


def put_consent(conn: Connection, person_id: str, platform: str, scope: str, now_us: int) -> None:
    row = {"person_id": person_id, "platform": platform, "scope": scope, "time_us": now_us}
    binding_of(conn).dialect.upsert(conn, consent, [row], ["person_id", "platform"], None)


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
