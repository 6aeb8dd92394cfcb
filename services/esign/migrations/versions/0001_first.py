"""The first schema of esign."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Text

from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store.migrations import create_kit_tables

revision = "0001"
down_revision = None


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    replicas = MetaData()
    replica_tables(replicas)
    replicas.create_all(op.get_bind())
    op.create_table(
        "seal",
        Column("id", Text, primary_key=True),
        _text("owner"),
        _text("name"),
        _text("state"),
        _number("applied_us"),
        Column("certificate", LargeBinary),
        Column("wrapped_key", LargeBinary),
        _number("not_before_us"),
        _number("not_after_us"),
        _text("reason"),
    )
    op.create_index("seal_owner", "seal", ["owner", "id"])
    op.create_table(
        "certificate",
        Column("number", Text, primary_key=True),
        Column("case_code", Text, nullable=False, unique=True),
        _text("template"),
        _text("issuer"),
        _text("source_platform"),
        _text("holder"),
        _text("division"),
        _text("seal_id"),
        _number("signed_us"),
        Column("salt", LargeBinary, nullable=False),
        _text("stage"),
        _text("state"),
        _text("reason"),
        _text("sha256"),
        _text("qr"),
        Column("pdf", LargeBinary),
        _number("ledger_index"),
        _text("receipt"),
    )
    op.create_index("certificate_sha256", "certificate", ["sha256"])
    op.create_table(
        "ledger_head",
        Column("name", Text, primary_key=True),
        _number("size"),
        _text("checkpoint"),
    )
