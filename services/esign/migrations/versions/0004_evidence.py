"""Digests that other services logged, and documents by their SM3."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "evidence",
        Column("source", Text, primary_key=True),
        Column("digest", Text, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("time_us", BigInteger, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("since", BigInteger, nullable=False),
        Column("ledger_index", BigInteger, nullable=False),
    )
    op.create_table(
        "certificate_sm3",
        Column("number", Text, primary_key=True),
        Column("sm3", Text, nullable=False),
    )
    op.create_index("certificate_sm3_digest", "certificate_sm3", ["sm3"])
