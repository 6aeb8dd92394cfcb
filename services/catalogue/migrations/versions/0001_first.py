"""The first schema of the catalogue service."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text

from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store.migrations import create_kit_tables
from shuniu.kit.store.types import KeyText

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
        "item",
        Column("id", Text, primary_key=True),
        _text("owner"),
        _text("kind"),
        _text("code"),
        _text("division"),
        _text("base_id"),
        _text("base_code"),
        _text("state"),
        _text("public_state"),
        _number("version"),
        _number("changed_us"),
        Column("draft", LargeBinary, nullable=False),
        Column("published", LargeBinary),
        _text("editors"),
        _text("submitted_by"),
        _text("published_by"),
        _text("note"),
        Column("suspended", Integer, nullable=False),
        _number("public_version"),
        _number("public_us"),
        _number("feed_version"),
    )
    op.create_index("item_public", "item", ["public_state", "code", "id"])
    op.create_index("item_of_owner", "item", ["owner", "state", "code", "id"])
    op.create_index("item_of_division", "item", ["division", "code", "id"])
    op.create_index("item_of_base", "item", ["base_id"])
    op.create_index("item_feed", "item", ["feed_version"])
    op.create_table("item_code", Column("code", Text, primary_key=True), _text("item_id"))
    op.create_index("item_code_item", "item_code", ["item_id"])
    op.create_table(
        "item_token",
        Column("term", KeyText, primary_key=True),
        Column("field", Text, primary_key=True),
        Column("item_id", Text, primary_key=True),
    )
    op.create_index("item_token_item", "item_token", ["item_id"])
    op.create_table("item_document", Column("item_id", Text, primary_key=True), _text("data"))
