"""The first schema of the exchange service."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text

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
        "case_file",
        Column("case_code", Text, primary_key=True),
        _text("person_id"),
        _text("source_platform"),
        _text("handler_platform"),
        _text("item_code"),
        _text("base_code"),
        _text("item_title"),
        _text("division"),
        _text("result_template"),
        _number("limit_amount"),
        _text("limit_unit"),
        _text("channel"),
        _text("applicant_display"),
        _text("state"),
        _number("version"),
        _number("applied_us"),
        Column("due_us", BigInteger),
        _text("missing"),
        _text("certificate_number"),
        _number("evaluation"),
        Column("form", LargeBinary, nullable=False),
    )
    op.create_table(
        "case_step",
        Column("case_code", Text, primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        _text("move"),
        _text("state"),
        _text("national"),
        _text("actor"),
        _text("officer"),
        _number("at_us"),
        _text("note"),
        _text("missing"),
        _text("given"),
        _text("result"),
        _number("level"),
    )
    op.create_table(
        "case_material",
        Column("case_code", Text, primary_key=True),
        Column("name", Text, primary_key=True),
        _text("sha256"),
        _text("media_type"),
        _number("given_us"),
    )
    op.create_table(
        "evaluation",
        Column("case_code", Text, primary_key=True),
        _number("level"),
        _text("channel"),
        _text("comment"),
        _number("at_us"),
    )
    op.create_table(
        "subject",
        Column("platform", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        _text("person_id"),
        _text("display_name"),
        _number("seen_us"),
    )
    op.create_table(
        "resource",
        Column("code", Text, primary_key=True),
        _text("provider"),
        _text("title"),
        _text("fields"),
        _text("share_class"),
        _text("secrecy"),
        Column("authority", Integer, nullable=False),
        _text("state"),
        _text("editor"),
        _text("reviewer"),
        _number("version"),
        _number("changed_us"),
    )
    op.create_table(
        "resource_grant",
        Column("id", Text, primary_key=True),
        _text("resource"),
        _text("consumer"),
        _text("provider"),
        _text("item_code"),
        _text("purpose"),
        _text("fields"),
        _number("daily_quota"),
        _number("begins_us"),
        _number("ends_us"),
        _text("state"),
        _text("reason"),
        Column("deadline_us", BigInteger),
        _number("version"),
    )
    op.create_table(
        "grant_use",
        Column("grant_id", Text, primary_key=True),
        Column("day", Text, primary_key=True),
        _number("calls"),
    )
    op.create_table(
        "provider_call",
        Column("call_id", Text, primary_key=True),
        _text("kind"),
        _text("caller_key"),
        _text("request_id"),
        Column("digest", LargeBinary, nullable=False),
        _text("grant_id"),
        _text("resource"),
        _text("consumer"),
        _text("provider"),
        _text("case_code"),
        _text("fields"),
        _text("purpose"),
        _text("state"),
        _text("charged_day"),
        _text("question_sha256"),
        _text("answer_sha256"),
        _number("asked_us"),
        _number("answered_us"),
        _text("result"),
        _text("transaction_id"),
        Column("answer", LargeBinary),
    )
    op.create_index("case_file_person", "case_file", ["person_id", "applied_us"])
    op.create_index("case_file_handler", "case_file", ["handler_platform", "case_code"])
    op.create_index("case_file_due", "case_file", ["state", "due_us"])
    op.create_index("resource_grant_consumer", "resource_grant", ["consumer", "id"])
    op.create_index("resource_grant_provider", "resource_grant", ["provider", "id"])
    op.create_index("resource_grant_state", "resource_grant", ["state", "ends_us"])
    op.create_index("provider_call_request", "provider_call", ["caller_key", "request_id"], unique=True)
    op.create_index("provider_call_case", "provider_call", ["case_code", "asked_us"])
    op.create_index("provider_call_answered", "provider_call", ["answered_us"])
