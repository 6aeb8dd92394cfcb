"""Documents by the SM3 of their OFD form. Revision 0015 computes those of earlier documents."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "certificate_ofd_sm3",
        Column("number", Text, primary_key=True),
        Column("sm3", Text, nullable=False),
    )
    op.create_index("certificate_ofd_sm3_digest", "certificate_ofd_sm3", ["sm3"])
