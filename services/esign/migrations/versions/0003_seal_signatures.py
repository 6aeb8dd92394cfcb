"""The SM2 side of seals, and seal signatures (GB/T 38540) beside documents."""

from alembic import op
from sqlalchemy import Column, LargeBinary, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "sm2_seal",
        Column("seal_id", Text, primary_key=True),
        Column("certificate", LargeBinary, nullable=False),
        Column("wrapped_key", LargeBinary, nullable=False),
        Column("eseal", LargeBinary, nullable=False),
    )
    op.create_table(
        "certificate_ses",
        Column("number", Text, primary_key=True),
        Column("ses", LargeBinary, nullable=False),
    )
