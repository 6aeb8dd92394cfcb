"""Resolves a platform's pairwise subject to its person."""

from sqlalchemy import Connection

from services.identity.persons import store as person_store
from services.identity.persons.store import Person
from services.identity.platforms import store as platform_store


def person_behind(conn: Connection, platform: str, subject: str) -> Person | None:
    """The person; None when the platform or the subject is unknown."""
    row = platform_store.find_platform(conn, platform)
    return None if row is None else person_store.find_by_subject(conn, row.sector, subject)
