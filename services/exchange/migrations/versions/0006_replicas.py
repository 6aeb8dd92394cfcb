"""Calls are leased to the replica that works on them; streams of providers say which replica holds them."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("provider_call", Column("holder", Text, nullable=False, server_default=""))
    for name in ("lease_us", "fence", "version"):
        op.add_column("provider_call", Column(name, BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "provider_stream",
        Column("id", Text, primary_key=True),
        Column("provider", Text, nullable=False),
        Column("resources", Text, nullable=False),
        Column("holder", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("lease_us", BigInteger, nullable=False),
    )
    op.create_index("provider_stream_provider", "provider_stream", ["provider"])
