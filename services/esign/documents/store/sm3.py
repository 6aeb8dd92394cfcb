"""Issued documents by the SM3 of their bytes, for those who hash with nothing else: one table for each form."""

from collections.abc import Iterable
from enum import Enum

from sqlalchemy import Column, Connection, Index, MetaData, Table, Text, select

from shuniu.kit.store import binding_of

TABLES = MetaData()


def _digests(name: str) -> Table:
    return Table(
        name,
        TABLES,
        Column("number", Text, primary_key=True),
        Column("sm3", Text, nullable=False),
        Index(f"{name}_digest", "sm3"),
    )


class Form(Enum):
    """A form of documents, by the table of its digests."""

    PDF = _digests("certificate_sm3")
    OFD = _digests("certificate_ofd_sm3")


def find_number(conn: Connection, sm3: str) -> str | None:
    """The number of the document that has this SM3 (hex) in either of its forms."""
    for form in Form:
        digests = form.value
        found: str | None = conn.execute(select(digests.c.number).where(digests.c.sm3 == sm3)).scalar()
        if found is not None:
            return found
    return None


def keep(conn: Connection, form: Form, digests: Iterable[tuple[str, str]]) -> None:
    """Keeps (number, SM3 in hex) of documents in this form, once."""
    rows = [{"number": number, "sm3": sm3} for number, sm3 in digests]
    binding_of(conn).dialect.insert_ignore(conn, form.value, rows)
