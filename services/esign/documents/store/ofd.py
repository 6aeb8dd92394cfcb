"""Stores the OFD form of documents: one row a document that was made as OFD too."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, Column, Connection, Index, LargeBinary, MetaData, Table, Text, bindparam, select

from shuniu.kit.store import binding_of

TABLES = MetaData()

certificate_ofd = Table(
    "certificate_ofd",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("ofd", LargeBinary, nullable=False),
    # Hex: by it the document is found when somebody verifies the file.
    Column("sha256", Text, nullable=False),
    Index("certificate_ofd_sha256", "sha256"),
)

_DIGESTS: BindParameter[str] = bindparam("digests", expanding=True)
_NUMBERS = select(certificate_ofd.c.sha256, certificate_ofd.c.number).where(certificate_ofd.c.sha256.in_(_DIGESTS))


def keep_packages(conn: Connection, made: Sequence[tuple[str, bytes, str]]) -> None:
    """Keeps the packages of documents once: number, bytes, SHA-256 in hex."""
    rows = [{"number": number, "ofd": ofd, "sha256": sha256} for number, ofd, sha256 in made]
    binding_of(conn).dialect.insert_ignore(conn, certificate_ofd, rows)


def ofd_of(conn: Connection, number: str) -> bytes:
    """The OFD form of a document; empty when it has none."""
    wanted = select(certificate_ofd.c.ofd).where(certificate_ofd.c.number == number)
    return bytes(conn.execute(wanted).scalar() or b"")


def numbers_of(conn: Connection, digests: Sequence[str]) -> dict[str, str]:
    """The numbers of documents whose OFD form has one of these SHA-256 (hex), by it."""
    return {row.sha256: row.number for row in conn.execute(_NUMBERS, {"digests": digests})}
