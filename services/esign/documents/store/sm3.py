"""Issued documents by the SM3 of their bytes, for those who hash with nothing else: one table for each form."""

from collections.abc import Iterable, Sequence
from enum import Enum

from sqlalchemy import Column, Connection, Index, LargeBinary, MetaData, Table, Text, column, select, table

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
    """A form of documents: the table of its digests, and the table and column of its bytes."""

    PDF = (_digests("certificate_sm3"), "certificate", "pdf")
    OFD = (_digests("certificate_ofd_sm3"), "certificate_ofd", "ofd")


def find_number(conn: Connection, sm3: str) -> str | None:
    """The number of the document that has this SM3 (hex) in either of its forms."""
    for form in Form:
        digests, *_ = form.value
        found: str | None = conn.execute(select(digests.c.number).where(digests.c.sm3 == sm3)).scalar()
        if found is not None:
            return found
    return None


# Of `store.certificate`, which this module must not import.
_certificate = table("certificate", column("number"), column("stage"))


def without_sm3(conn: Connection, form: Form, issued: str, limit: int) -> Sequence[tuple[str, bytes]]:
    """Number and bytes of documents in the stage `issued` whose SM3 in this form is not known yet. Looks at all
    documents.
    """
    digests, name, bytes_in = form.value
    stored = table(name, column("number"), column(bytes_in, LargeBinary)).alias("stored")
    wanted = (
        select(stored.c.number, stored.c[bytes_in])
        .select_from(
            stored.join(_certificate, _certificate.c.number == stored.c.number).outerjoin(
                digests, digests.c.number == stored.c.number
            )
        )
        .where(_certificate.c.stage == issued, digests.c.number.is_(None))
        .limit(limit)
    )
    return [(number, bytes(data)) for number, data in conn.execute(wanted)]


def keep(conn: Connection, form: Form, digests: Iterable[tuple[str, str]]) -> None:
    """Keeps (number, SM3 in hex) of documents in this form, once."""
    rows = [{"number": number, "sm3": sm3} for number, sm3 in digests]
    binding_of(conn).dialect.insert_ignore(conn, form.value[0], rows)
