"""The digest of the authority's answer with SM3, in hubs of the profile sm."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("person", sa.Column("evidence_sm3", sa.Text(), nullable=False, server_default=""))
