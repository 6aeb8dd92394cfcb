"""The whole life of seals: review, pictures, replacement, revocation with its date; slots and keys used once."""

from alembic import op
from cryptography.x509 import load_der_x509_certificate
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, insert, select, text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name, default in (
        ("kind", "ORGANISATION"),
        ("holder", ""),
        ("person", ""),
        ("replaces", ""),
        ("applicant", ""),
        ("reviewer", ""),
        ("maker", ""),
    ):
        op.add_column("seal", Column(name, Text, nullable=False, server_default=default))
    op.add_column("seal", Column("version", BigInteger, nullable=False, server_default="1"))
    for name in ("revocation_reason", "revoked_us", "invalid_us"):
        op.add_column("seal", Column(name, BigInteger))
    op.execute(text("UPDATE seal SET holder = 'platform/' || owner, applicant = owner"))
    active = text("state = 'ACTIVE'")
    op.create_index("seal_one_active", "seal", ["holder"], unique=True, sqlite_where=active, postgresql_where=active)
    op.add_column("seal_certificate", Column("family", Text, nullable=False, server_default="P256"))
    _date_revocations()
    _list_sm2()
    _tables()


def _date_revocations() -> None:
    """Seals revoked before: reason and date were one text and the moment of the change."""
    op.execute(
        text(
            "UPDATE seal SET revocation_reason = 0, revoked_us = c.since_us, invalid_us = c.since_us "
            "FROM seal_certificate c WHERE c.seal_id = seal.id AND seal.state = 'REVOKED'"
        )
    )


def _list_sm2() -> None:
    tables = MetaData()
    sm2 = Table("sm2_seal", tables, Column("seal_id", Text), Column("certificate", LargeBinary))
    known = Table(
        "seal_certificate",
        tables,
        Column("serial", Text),
        Column("seal_id", Text),
        Column("since_us", BigInteger),
        Column("family", Text),
    )
    conn = op.get_bind()
    since = {row.seal_id: row.since_us for row in conn.execute(select(known.c.seal_id, known.c.since_us)).all()}
    for row in conn.execute(select(sm2)).all():
        serial = load_der_x509_certificate(bytes(row.certificate)).serial_number
        values = {"serial": f"{serial:x}", "seal_id": row.seal_id, "family": "SM2"}
        conn.execute(insert(known), {**values, "since_us": since.get(row.seal_id, 0)})


def _tables() -> None:
    op.create_table(
        "seal_picture",
        Column("seal_id", Text, primary_key=True),
        Column("source", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("width_mm", Integer, nullable=False),
        Column("height_mm", Integer, nullable=False),
    )
    op.create_table(
        "seal_change",
        Column("id", Text, primary_key=True),
        Column("seal_id", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("actor", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("ledger_index", BigInteger, nullable=False),
        Index("seal_change_seal", "seal_id", "id"),
        Index("seal_change_unlogged", "ledger_index"),
    )
    op.create_table(
        "slot_floor",
        Column("name", Text, primary_key=True),
        Column("at_us", BigInteger, nullable=False),
        Column("granted", BigInteger, nullable=False),
    )
    # No slot from here on is earlier than what was sealed before.
    op.execute(
        text(
            "INSERT INTO slot_floor (name, at_us, granted) "
            "SELECT 'slot', COALESCE(MAX(signed_us), 0), COUNT(*) FROM certificate"
        )
    )
    op.create_table(
        "once_certificate",
        Column("serial", Text, primary_key=True),
        Column("id", Text, nullable=False),
        Column("holder", Text, nullable=False),
        Column("certificate", LargeBinary, nullable=False),
        Column("made_us", BigInteger, nullable=False),
        Column("ledger_index", BigInteger, nullable=False),
        Index("once_certificate_holder", "holder", "id"),
    )
