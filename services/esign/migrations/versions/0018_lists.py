"""Certificates of seals with the key that issued them and their end; a version that each change of a seal raises."""

from alembic import op
from cryptography import x509
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table, Text, insert, select, update

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("seal_certificate", Column("issuer", Text, nullable=False, server_default=""))
    op.add_column("seal_certificate", Column("ends_us", BigInteger, nullable=False, server_default="0"))
    version = op.create_table(
        "seal_version", Column("name", Text, primary_key=True), Column("version", BigInteger, nullable=False)
    )
    op.get_bind().execute(insert(version), {"name": "seals", "version": 1})
    read_certificates(op.get_bind())


def read_certificates(conn: Connection) -> None:
    """Fills in what certificates say. A person's is encrypted and stays unknown, so every list of its family has it."""
    tables = MetaData()
    rows = Table(
        "seal_certificate",
        tables,
        *(Column(name, Text) for name in ("serial", "seal_id", "issuer")),
        Column("ends_us", BigInteger),
    )
    for name, key in (("seal", "id"), ("sm2_seal", "seal_id")):
        of = Table(name, tables, Column(key, Text), Column("certificate", LargeBinary))
        wanted = select(rows.c.serial, of.c.certificate).join(of, of.c[key] == rows.c.seal_id)
        for serial, data in conn.execute(wanted).all():
            try:
                found = x509.load_der_x509_certificate(bytes(data or b""))
                keys = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
            except (ValueError, x509.ExtensionNotFound):
                continue
            # A seal may have one certificate of each family.
            if f"{found.serial_number:x}" == serial:
                values = {
                    "issuer": (keys.key_identifier or b"").hex(),
                    "ends_us": int(found.not_valid_after_utc.timestamp()) * 1_000_000,
                }
                conn.execute(update(rows).where(rows.c.serial == serial).values(values))
