"""Licences as SD-JWT VC: holders, status lists, changes, and nonces that were used."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "licence",
        Column("number", Text, primary_key=True),
        Column("case_code", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("issuer", Text, nullable=False),
        Column("holder", Text, nullable=False),
        Column("division", Text, nullable=False),
        Column("seal_id", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("issued_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("list", BigInteger, nullable=False),
        Column("place", BigInteger, nullable=False),
        Column("salt", LargeBinary, nullable=False),
        Column("stage", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("sealed", LargeBinary),
        Column("ledger_index", BigInteger, nullable=False),
        Column("receipt", Text, nullable=False),
    )
    op.create_index("licence_case", "licence", ["case_code", "type"])
    op.create_index("licence_sha256", "licence", ["sha256"])
    op.create_index("licence_by_list", "licence", ["list", "state"])
    op.create_index("licence_stage", "licence", ["stage"])
    op.create_table(
        "licence_generation",
        Column("case_code", Text, primary_key=True),
        Column("type", Text, primary_key=True),
        Column("generation", Integer, primary_key=True),
    )
    op.create_table(
        "licence_place",
        Column("list", BigInteger, primary_key=True),
        Column("place", BigInteger, primary_key=True),
    )
    op.create_table(
        "licence_list",
        Column("list", BigInteger, primary_key=True),
        Column("version", BigInteger, nullable=False),
    )
    op.create_table(
        "licence_change",
        Column("number", Text, primary_key=True),
        Column("change", Integer, primary_key=True),
        Column("state", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("changed_us", BigInteger, nullable=False),
        Column("ledger_index", BigInteger, nullable=False),
    )
    op.create_index("licence_change_ledger", "licence_change", ["ledger_index"])
    op.create_table(
        "licence_nonce",
        Column("digest", Text, primary_key=True),
        Column("use", Text, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
    )
    op.create_index("licence_nonce_expires", "licence_nonce", ["expires_us"])
