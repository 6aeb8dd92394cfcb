"""Seals that a restored register lacks are remembered, so that no list speaks for them."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "forgotten_seal",
        Column("seal_id", Text, primary_key=True),
        Column("family", Text, primary_key=True),
        Column("ca", BigInteger, nullable=False),
    )
