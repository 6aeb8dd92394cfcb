"""Of a certificate whose key signed once only the digest is kept: it names a person."""

from hashlib import sha256

from alembic import op
from sqlalchemy import Column, LargeBinary, MetaData, Table, Text, select, update

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("once_certificate", Column("certificate_sha256", Text, nullable=False, server_default=""))
    made = Table(
        "once_certificate",
        MetaData(),
        Column("serial", Text),
        Column("certificate", LargeBinary),
        Column("certificate_sha256", Text),
    )
    conn = op.get_bind()
    for row in conn.execute(select(made.c.serial, made.c.certificate)).all():
        digest = sha256(bytes(row.certificate)).hexdigest()
        conn.execute(update(made).where(made.c.serial == row.serial).values(certificate_sha256=digest))
    op.drop_column("once_certificate", "certificate")
