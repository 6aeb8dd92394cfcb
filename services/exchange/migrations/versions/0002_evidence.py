"""Evidence and its receipts."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, Text

revision = "0002"
down_revision = "0001"


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def upgrade() -> None:
    op.create_table(
        "evidence",
        Column("id", Text, primary_key=True),
        _text("kind"),
        _text("case_code"),
        _text("first_party"),
        _text("second_party"),
        _number("time_us"),
        _text("record"),
        Column("salt", LargeBinary, nullable=False),
        _text("algorithm"),
        _text("digest"),
        _number("ledger_index"),
        _text("receipt"),
    )
    op.create_index("evidence_unlogged", "evidence", ["ledger_index", "id"])
    op.create_index("evidence_case", "evidence", ["case_code", "id"])
