"""Signing flows: parties, documents, used authorisations, counters, and what they wait to tell the ledger."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

from shuniu.kit.store import RowNumber

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "flow",
        Column("id", Text, primary_key=True),
        Column("scenario", Text, nullable=False),
        Column("platform", Text, nullable=False),
        Column("case_code", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("was", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("document_sha256", Text, nullable=False),
        Column("begun_us", BigInteger, nullable=False),
        Column("deadline_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger, nullable=False),
        Column("work_us", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("failure", Text, nullable=False),
        Column("remind_us", BigInteger, nullable=False),
        Column("reminded", Integer, nullable=False),
        Column("reminded_us", BigInteger, nullable=False),
        Column("reason", Text, nullable=False),
        Column("final_sha256", Text, nullable=False),
        Column("ledger_index", BigInteger, nullable=False),
        Column("receipt", Text, nullable=False),
    )
    op.create_index("flow_platform", "flow", ["platform", "id"])
    op.create_index("flow_work", "flow", ["work_us"])
    op.create_index("flow_deadline", "flow", ["state", "deadline_us"])
    op.create_index("flow_remind", "flow", ["remind_us"])
    op.create_index("flow_final", "flow", ["final_sha256"])
    op.create_table(
        "flow_step",
        Column("flow_id", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("position", Integer, nullable=False),
        Column("title", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("group_number", Integer, nullable=False),
        Column("actor", Text, nullable=False),
        Column("mode", Text, nullable=False),
        Column("ial", Integer, nullable=False),
        Column("aal", Integer, nullable=False),
        Column("platform", Text, nullable=False),
        Column("person", Text, nullable=False),
        Column("seal_id", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("slot_us", BigInteger, nullable=False),
        Column("done_us", BigInteger, nullable=False),
    )
    op.create_index("flow_step_person", "flow_step", ["person", "flow_id"])
    op.create_index("flow_step_platform", "flow_step", ["platform", "flow_id"])
    op.create_table(
        "flow_document",
        Column("flow_id", Text, primary_key=True),
        Column("revision", Integer, nullable=False),
        Column("pdf", LargeBinary, nullable=False),
    )
    op.create_table(
        "flow_revision",
        Column("flow_id", Text, primary_key=True),
        Column("revision", Integer, primary_key=True),
        Column("step", Text, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("certificate_sha256", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
    )
    op.create_table(
        "used_consent",
        Column("token_id", Text, primary_key=True),
        Column("used_for", Text, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
    )
    op.create_index("used_consent_expires", "used_consent", ["expires_us"])
    op.create_table(
        "flow_journal",
        Column("number", RowNumber, primary_key=True, autoincrement=True),
        Column("flow_id", Text, nullable=False),
        Column("entry", LargeBinary, nullable=False),
        Column("ledger_index", BigInteger, nullable=False),
    )
    op.create_index("flow_journal_open", "flow_journal", ["ledger_index", "number"])
    op.create_index("flow_journal_flow", "flow_journal", ["flow_id", "number"])
    op.create_table(
        "flow_count",
        Column("scenario", Text, primary_key=True),
        Column("step", Text, primary_key=True),
        Column("outcome", Text, primary_key=True),
        Column("times", BigInteger, nullable=False),
    )
