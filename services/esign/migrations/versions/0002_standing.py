"""Seal certificates by serial number: what OCSP and the CRL answer from."""

from alembic import op
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text, insert, select

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "seal_certificate",
        Column("serial", Text, primary_key=True),
        Column("seal_id", Text, nullable=False),
        Column("since_us", BigInteger, nullable=False),
    )
    op.create_index("seal_certificate_seal", "seal_certificate", ["seal_id"])
    _fill()


def _fill() -> None:
    """The certificates made before; when a seal's state last changed was not kept, so it counts from its making."""
    tables = MetaData()
    seal = Table(
        "seal",
        tables,
        Column("id", Text),
        Column("certificate", LargeBinary),
        Column("not_before_us", BigInteger),
    )
    known = Table(
        "seal_certificate",
        tables,
        Column("serial", Text),
        Column("seal_id", Text),
        Column("since_us", BigInteger),
    )
    conn = op.get_bind()
    for row in conn.execute(select(seal).where(seal.c.certificate.is_not(None))).all():
        serial = load_der_x509_certificate(bytes(row.certificate)).serial_number
        conn.execute(insert(known), {"serial": f"{serial:x}", "seal_id": row.id, "since_us": row.not_before_us})
