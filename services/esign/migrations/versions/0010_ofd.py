"""The OFD form of documents (GB/T 33190), beside their PDF. Documents from before have none."""

from alembic import op
from sqlalchemy import Column, LargeBinary, Text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "certificate_ofd",
        Column("number", Text, primary_key=True),
        Column("ofd", LargeBinary, nullable=False),
        Column("sha256", Text, nullable=False),
    )
    op.create_index("certificate_ofd_sha256", "certificate_ofd", ["sha256"])
