"""Issued documents by the SM3 of their bytes, for those who hash with nothing else."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Column, Connection, Index, MetaData, Table, Text, column, select, table

from shuniu.kit.store import binding_of

TABLES = MetaData()

certificate_sm3 = Table(
    "certificate_sm3",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("sm3", Text, nullable=False),
    Index("certificate_sm3_digest", "sm3"),
)


def number_of(conn: Connection, sm3: str) -> str | None:
    return conn.execute(select(certificate_sm3.c.number).where(certificate_sm3.c.sm3 == sm3)).scalar()


# Of `store.certificate`, which this module must not import.
_certificate = table("certificate", column("number"), column("pdf"), column("stage"))


def without_sm3(conn: Connection, issued: str, limit: int) -> Sequence[tuple[str, bytes]]:
    """Number and bytes of documents in the stage `issued` whose SM3 is not known yet. Looks at all documents."""
    known, found = certificate_sm3.c, _certificate.c
    wanted = (
        select(found.number, found.pdf)
        .select_from(_certificate.outerjoin(certificate_sm3, known.number == found.number))
        .where(found.stage == issued, known.number.is_(None))
        .limit(limit)
    )
    return [(row.number, bytes(row.pdf)) for row in conn.execute(wanted)]


def keep(conn: Connection, digests: Iterable[tuple[str, str]]) -> None:
    """(number, SM3 in hex) of documents."""
    rows = [{"number": number, "sm3": sm3} for number, sm3 in digests]
    binding_of(conn).dialect.insert_ignore(conn, certificate_sm3, rows)
