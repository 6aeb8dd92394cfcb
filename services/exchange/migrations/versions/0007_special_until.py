"""The end of a special procedure, by which the hub ends it."""

from alembic import op
from sqlalchemy import BigInteger, Column, text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("case_file", Column("special_until_us", BigInteger))
    # Special procedures without a count are counted when the service starts, which knows the calendar.
    op.drop_index("case_file_counted", "case_file")
    counted = text("(counted_by is not null or state = 'SPECIAL')")
    op.create_index(
        "case_file_counted", "case_file", ["case_code", "counted_by"], sqlite_where=counted, postgresql_where=counted
    )
    special = text("special_until_us is not null")
    columns = ["special_until_us", "case_code"]
    op.create_index("case_file_special", "case_file", columns, sqlite_where=special, postgresql_where=special)
