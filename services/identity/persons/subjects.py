"""Resolves a platform's pairwise subject to its person."""

from sqlalchemy import Connection

from services.identity.persons import store as persons
from services.identity.persons.store import Person
from services.identity.platforms import store as platform_rows


def person_behind(conn: Connection, platform: str, subject: str) -> Person | None:
    """The person; None when the platform or the subject is unknown."""
    row = platform_rows.get(conn, platform)
    return None if row is None else persons.by_subject(conn, row.sector, subject)
