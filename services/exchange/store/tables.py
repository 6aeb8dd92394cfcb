"""The tables of the exchange service. Instants are µs UTC; lists and maps are JSON text; ciphertext carries its key."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from shuniu.kit.feed import replica_tables
from shuniu.kit.sql import kit_tables

METADATA: Final = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# One row a case; `version` is the number of its last step, `due_us` its promised end while the clock runs.
case_file = Table(
    "case_file",
    METADATA,
    Column("case_code", Text, primary_key=True),
    _text("person_id"),
    _text("source_platform"),
    _text("handler_platform"),
    _text("item_code"),
    _text("base_code"),
    _text("item_title"),
    _text("division"),
    _text("result_template"),
    # Promised limit at the time of application; 0 units of no unit mean: none.
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
    Index("case_file_person", "person_id", "applied_us"),
    Index("case_file_handler", "handler_platform", "case_code"),
    Index("case_file_due", "state", "due_us"),
)

# The history: a case is the fold of its steps.
case_step = Table(
    "case_step",
    METADATA,
    Column("case_code", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("move"),
    _text("state"),
    _text("national"),
    _text("actor"),
    # Employee number of the officer; for the agency's own accounts, told to nobody else.
    _text("officer"),
    _number("at_us"),
    _text("note"),
    _text("missing"),
    _text("given"),
    _text("result"),
    _number("level"),
)

case_material = Table(
    "case_material",
    METADATA,
    Column("case_code", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    _text("sha256"),
    _text("media_type"),
    _number("given_us"),
)

# One person's word on one case.
evaluation = Table(
    "evaluation",
    METADATA,
    Column("case_code", Text, primary_key=True),
    _number("level"),
    _text("channel"),
    _text("comment"),
    _number("at_us"),
)

# Who a pairwise subject is, as identity said: so that known people are served while identity is away.
subject = Table(
    "subject",
    METADATA,
    Column("platform", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    _text("person_id"),
    _text("display_name"),
    _number("seen_us"),
)

resource = Table(
    "resource",
    METADATA,
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

# A grant is a contract; `spent` of a day is in grant_use.
resource_grant = Table(
    "resource_grant",
    METADATA,
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
    Index("resource_grant_consumer", "consumer", "id"),
    Index("resource_grant_provider", "provider", "id"),
    Index("resource_grant_state", "state", "ends_us"),
)

# Calls of one grant on one civil day (Asia/Shanghai, YYYYMMDD).
grant_use = Table(
    "grant_use",
    METADATA,
    Column("grant_id", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    _number("calls"),
)

# Evidence: one row a question to a provider. `answer` is ciphertext, kept only as long as a retry may ask for it.
provider_call = Table(
    "provider_call",
    METADATA,
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
    # The day whose quota it spent; empty while it spent none.
    _text("charged_day"),
    _text("question_sha256"),
    _text("answer_sha256"),
    _number("asked_us"),
    _number("answered_us"),
    _text("result"),
    _text("transaction_id"),
    Column("answer", LargeBinary),
    _text("question_sm3"),
    _text("answer_sm3"),
    Index("provider_call_request", "caller_key", "request_id", unique=True),
    Index("provider_call_case", "case_code", "asked_us"),
    Index("provider_call_answered", "answered_us"),
)

# What happened, as it can be proved later: the record, its salt, and the receipt once its digest is in the ledger.
# `ledger_index` is -1 until then.
evidence = Table(
    "evidence",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("kind"),
    _text("case_code"),
    # The platforms that took part and may have it.
    _text("first_party"),
    _text("second_party"),
    _number("time_us"),
    _text("record"),
    Column("salt", LargeBinary, nullable=False),
    _text("algorithm"),
    _text("digest"),
    _number("ledger_index"),
    _text("receipt"),
    Index("evidence_unlogged", "ledger_index", "id"),
    Index("evidence_case", "case_code", "id"),
)
