"""The end of a special procedure, by which the hub ends it."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text, column, table, text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("case_file", Column("special_until_us", BigInteger))
    case_file = table("case_file", column("state", Text), column("counted_by", Text))
    # Counted anew when the service starts, which knows the calendar.
    op.execute(case_file.update().where(case_file.c.state == "SPECIAL").values(counted_by=""))
    special = text("special_until_us is not null")
    columns = ["special_until_us", "case_code"]
    op.create_index("case_file_special", "case_file", columns, sqlite_where=special, postgresql_where=special)
