"""The first tables of the vault."""

import sqlalchemy as sa
from alembic import op

from shuniu.kit.store.migrations import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    op.create_table(
        "subject",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("index_key", sa.LargeBinary(), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_index("subject_index", "subject", ["index_key"], unique=True)
    op.create_table(
        "use",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("day", "caller", "receiver", "purpose"),
    )
