"""Stores, for everybody, why an item is suspended or withdrawn."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Empty for what is suspended already: its reasons were written for the owner alone, not for the public.
    op.add_column("item", Column("public_reason", Text, nullable=False, server_default=""))
