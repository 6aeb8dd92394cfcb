"""Deadlines of acceptance and of special procedures, and the calendar that each was counted with."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text, column, table, text

revision = "0004"
down_revision = "0003"

# Cases that are not decided: their deadline is counted anew when the service starts.
_OPEN = ("SUBMITTED", "PRE_REVIEW", "CORRECTION", "ACCEPTED", "PROCESSING", "SPECIAL")


def upgrade() -> None:
    op.add_column("case_file", Column("provisional", BigInteger, nullable=False, server_default="0"))
    op.add_column("case_file", Column("counted_by", Text))
    op.add_column("case_step", Column("days", BigInteger, nullable=False, server_default="0"))
    case_file = table("case_file", column("state", Text), column("counted_by", Text))
    op.execute(case_file.update().where(case_file.c.state.in_(_OPEN)).values(counted_by=""))
    counted = text("counted_by is not null")
    columns = ["case_code", "counted_by"]
    op.create_index("case_file_counted", "case_file", columns, sqlite_where=counted, postgresql_where=counted)
