"""One row for each question to a provider. The row is stored permanently, its answer only for retries."""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from services.exchange.queries.digests import CallDigests
from services.exchange.queries.replies import Reply
from shuniu.kit.store import LostRaceError
from shuniu.kit.store.partial import partial
from shuniu.kit.store.sweeping import BATCH

TABLES: Final = MetaData()

OPEN: Final = "state = 'OPEN'"
"""Condition of the index of calls that have not ended; a question repeats it."""
KEPT: Final = "answer IS NOT NULL"
"""Condition of the index of calls whose answer is kept."""

# One row per question to a provider. `answer` is ciphertext, stored only while a retry may need it.
provider_call = Table(
    "provider_call",
    TABLES,
    Column("call_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("caller_key", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("grant_id", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("case_code", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    # The day whose quota it spent; empty while it spent none.
    Column("charged_day", Text, nullable=False),
    Column("question_sha256", Text, nullable=False),
    Column("answer_sha256", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("answered_us", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("answer", LargeBinary),
    Column("question_sm3", Text, nullable=False),
    Column("answer_sm3", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Index("provider_call_request", "caller_key", "request_id", unique=True),
    Index("provider_call_case", "case_code", "asked_us"),
    partial("provider_call_kept", "answered_us", where=KEPT),
    partial("provider_call_open", "begun_us", where=OPEN),
)


class CallState(StrEnum):
    """OPEN: begun, perhaps sent. DONE: answered. FAILED: no usable answer came, or it was not handed on."""

    OPEN = "OPEN"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class CallRow:
    """One question. Digests are hex, SHA-256 or by the profile SM3; `answer` is ciphertext, None when there is none
    or it is forgotten.
    """

    call_id: str
    kind: str
    caller_key: str
    request_id: str
    digest: bytes
    resource: str
    consumer: str
    provider: str
    grant_id: str = ""
    case_code: str = ""
    fields: tuple[str, ...] = ()
    purpose: str = ""
    state: CallState = CallState.OPEN
    charged_day: str = ""
    question_sha256: str = ""
    answer_sha256: str = ""
    asked_us: int = 0
    answered_us: int = 0
    result: str = ""
    transaction_id: str = ""
    answer: bytes | None = None
    question_sm3: str = ""
    answer_sm3: str = ""
    begun_us: int = 0

    def answered(self, reply: Reply, digests: CallDigests) -> "CallRow":
        """The row after the provider's answer, with its evidence."""
        return replace(
            self,
            state=CallState.DONE,
            asked_us=reply.asked_us,
            answered_us=reply.answered_us,
            result=reply.result,
            transaction_id=reply.transaction_id,
            **asdict(digests),
        )


_DIGESTS = ("question_sha256", "answer_sha256", "question_sm3", "answer_sm3")


def call_facts(row: CallRow) -> dict[str, Any]:
    """Returns the facts that the evidence of a call states."""
    return {
        "resource": row.resource,
        "consumer": row.consumer,
        "provider": row.provider,
        "grant": row.grant_id,
        "case": row.case_code,
        "fields": list(row.fields),
        "purpose": row.purpose,
        **{name: value for name in _DIGESTS if (value := getattr(row, name))},
        "asked_us": row.asked_us,
        "answered_us": row.answered_us,
        "result": row.result,
        "transaction": row.transaction_id,
    }


_COLUMNS = tuple(column.name for column in provider_call.columns)


def _values(row: CallRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return values | {"fields": json.dumps(row.fields), "state": row.state.value}


def _row(row: Row[Any]) -> CallRow:
    values = {name: getattr(row, name) for name in _COLUMNS}
    answer = None if row.answer is None else bytes(row.answer)
    return CallRow(
        **{
            **values,
            "digest": bytes(row.digest),
            "fields": tuple(json.loads(row.fields)),
            "state": CallState(row.state),
            "answer": answer,
        }
    )


def find_call(conn: Connection, caller_key: str, request_id: str) -> CallRow | None:
    row = conn.execute(
        select(provider_call).where(provider_call.c.caller_key == caller_key, provider_call.c.request_id == request_id)
    ).first()
    return None if row is None else _row(row)


def insert_call(conn: Connection, row: CallRow) -> None:
    """Stores a new call. Raises LostRaceError when the same request came by another replica at the same time."""
    try:
        conn.execute(insert(provider_call), _values(row))
    except IntegrityError as overtaken:
        raise LostRaceError(row.request_id) from overtaken


def update_call(conn: Connection, before: CallRow, row: CallRow) -> bool:
    """Changes a call; False when it is no longer as before. Each try of a request has a call id of its own, so a try
    that was overtaken changes nothing.
    """
    same = (provider_call.c.call_id == before.call_id, provider_call.c.state == before.state.value)
    return conn.execute(update(provider_call).where(*same).values(_values(row))).rowcount == 1


def open_calls(conn: Connection, before_us: int, limit: int) -> list[CallRow]:
    """Calls that began before an instant and have not ended, oldest first."""
    found = select(provider_call).where(text(OPEN), provider_call.c.begun_us < before_us)
    return [_row(row) for row in conn.execute(found.order_by(provider_call.c.begun_us).limit(limit))]


def forget_answers(conn: Connection, before_us: int) -> int:
    """Deletes the answers of calls that ended before an instant, `BATCH` at most; their evidence stays. Returns how
    many.
    """
    old = select(provider_call.c.call_id).where(text(KEPT), provider_call.c.answered_us < before_us).limit(BATCH)
    ids = list(conn.execute(old.order_by(provider_call.c.answered_us)).scalars())
    conn.execute(update(provider_call).where(provider_call.c.call_id.in_(ids)).values(answer=None))
    return len(ids)
