"""The SM3 of both forms of documents that were released before it was stored with the release."""

from typing import Final

from alembic import op
from sqlalchemy import Column, LargeBinary, MetaData, Table, Text, select

from shuniu.kit.crypto.sm import sm3
from shuniu.kit.store.types import binding_of

revision = "0015"
down_revision = "0014"

_BATCH: Final = 200


def upgrade() -> None:
    for digests, forms, column in (
        ("certificate_sm3", "certificate", "pdf"),
        ("certificate_ofd_sm3", "certificate_ofd", "ofd"),
    ):
        _fill(digests, forms, column)


def _fill(digests: str, forms: str, column: str) -> None:
    tables = MetaData()
    certificate = Table(
        "certificate", tables, Column("number", Text), Column("stage", Text), Column("pdf", LargeBinary)
    )
    form = (
        certificate
        if forms == "certificate"
        else Table(forms, tables, Column("number", Text), Column(column, LargeBinary))
    )
    known = Table(digests, tables, Column("number", Text, primary_key=True), Column("sm3", Text))
    wanted = select(form.c.number, form.c[column]).outerjoin(known, known.c.number == form.c.number)
    if form is not certificate:
        wanted = wanted.join(certificate, certificate.c.number == form.c.number)
    wanted = (
        wanted.where(certificate.c.stage == "ISSUED", known.c.number.is_(None)).order_by(form.c.number).limit(_BATCH)
    )
    conn, after = op.get_bind(), ""
    while rows := conn.execute(wanted.where(form.c.number > after)).all():
        after = rows[-1].number
        found = [{"number": row.number, "sm3": sm3(bytes(row[1])).hex()} for row in rows]
        # A replica of the version before may still write them.
        binding_of(conn).dialect.insert_ignore(conn, known, found)
