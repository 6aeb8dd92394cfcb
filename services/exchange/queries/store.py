"""Questions to providers, and the streams that they are asked over.

One row for each question: it is stored permanently, its answer only for retries. One row for each stream, while it is
open. Leases end by the clock of the database, which all replicas share.
"""

import json
from collections.abc import Iterable, Sequence
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
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from services.exchange.queries.digests import CallDigests
from services.exchange.queries.replies import Reply
from shuniu.kit.store import LostRaceError, binding_of
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
    # The replica that works, or worked, on it, and until when no other may; 0: nobody works on it.
    Column("holder", Text, nullable=False),
    Column("lease_us", BigInteger, nullable=False),
    # `fence` grows with each try of the request, `version` with each change of the row.
    Column("fence", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("provider_call_request", "caller_key", "request_id", unique=True),
    Index("provider_call_case", "case_code", "asked_us"),
    partial("provider_call_kept", "answered_us", where=KEPT),
    partial("provider_call_open", "begun_us", where=OPEN),
)

# One row per open stream. `resources` is a JSON array of codes, `address` the peer address of the holding replica.
provider_stream = Table(
    "provider_stream",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("resources", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("lease_us", BigInteger, nullable=False),
    Index("provider_stream_provider", "provider"),
)


class CallState(StrEnum):
    """OPEN: begun, perhaps sent. DONE: answered. FAILED: no usable answer came, or it was not handed on."""

    OPEN = "OPEN"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class CallRow:
    """One question. Digests are hex, SHA-256 or by the profile SM3; `answer` is ciphertext, None when there is none
    or it is forgotten. `lease_us`: the end of the lease of replica `holder`, by the database's clock; 0 for none.
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
    holder: str = ""
    lease_us: int = 0
    fence: int = 0
    version: int = 0

    def held_by_another(self, replica: str, now_us: int) -> bool:
        """Tells whether another replica works on it. `now_us`: by the database's clock."""
        return self.state is CallState.OPEN and self.holder != replica and self.lease_us > now_us

    def answered(self, reply: Reply, digests: CallDigests) -> "CallRow":
        """The row after the provider's answer, with its evidence."""
        return replace(
            self,
            state=CallState.DONE,
            asked_us=reply.asked_us,
            answered_us=reply.answered_us,
            result=reply.result,
            transaction_id=reply.transaction_id,
            lease_us=0,
            **asdict(digests),
        )

    def failed(self, reason: str) -> "CallRow":
        """The row of a call that ended without an answer; the quota gets its call back."""
        return replace(self, state=CallState.FAILED, charged_day="", result=reason, lease_us=0)


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


def time_us(conn: Connection) -> int:
    """The instant now, µs, by the clock of the database: the one that leases are measured by."""
    return binding_of(conn).dialect.time_us(conn)


def update_call(conn: Connection, before: CallRow, row: CallRow) -> bool:
    """Changes a call; the row's version becomes the one after `before`. False when the call is no longer as `before`:
    another try took the request over, or the call was ended.
    """
    # A replica of an earlier version counts neither fence nor version, but gives each try a call id of its own.
    same = (
        provider_call.c.call_id == before.call_id,
        provider_call.c.state == before.state.value,
        provider_call.c.fence == before.fence,
        provider_call.c.version == before.version,
    )
    values = _values(row) | {"version": before.version + 1}
    return conn.execute(update(provider_call).where(*same).values(values)).rowcount == 1


def is_held(conn: Connection, caller_key: str, request_id: str, replica: str) -> bool:
    """Tells whether another replica than `replica` works on a request now."""
    known = find_call(conn, caller_key, request_id)
    return known is not None and known.held_by_another(replica, time_us(conn))


def open_calls(conn: Connection, before_us: int, limit: int) -> list[CallRow]:
    """Calls that began before an instant, have not ended and are held by no replica, oldest first."""
    c = provider_call.c
    found = select(provider_call).where(text(OPEN), c.begun_us < before_us, c.lease_us < time_us(conn))
    return [_row(row) for row in conn.execute(found.order_by(c.begun_us).limit(limit))]


def forget_answers(conn: Connection, before_us: int) -> int:
    """Deletes the answers of calls that ended before an instant, `BATCH` at most; their evidence stays. Returns how
    many.
    """
    old = select(provider_call.c.call_id).where(text(KEPT), provider_call.c.answered_us < before_us).limit(BATCH)
    ids = list(conn.execute(old.order_by(provider_call.c.answered_us)).scalars())
    conn.execute(update(provider_call).where(provider_call.c.call_id.in_(ids)).values(answer=None))
    return len(ids)


@dataclass(frozen=True, slots=True)
class StreamRow:
    """An open stream: whose it is and which resources it serves."""

    id: str
    provider: str
    resources: frozenset[str]


def hold_streams(conn: Connection, holder: str, address: str, streams: Iterable[StreamRow], ttl_us: int) -> None:
    """Makes `streams` the ones that a replica holds, for `ttl_us` from now; its other rows go."""
    c, until_us = provider_stream.c, time_us(conn) + ttl_us
    held = {stream.id: stream for stream in streams}
    known = set(conn.execute(select(c.id).where(c.holder == holder)).scalars())
    if gone := known - held.keys():
        conn.execute(delete(provider_stream).where(c.id.in_(gone)))
    if known & held.keys():
        conn.execute(update(provider_stream).where(c.holder == holder).values(lease_us=until_us))
    if new := [_stream_values(held[each]) for each in held.keys() - known]:
        common = {"holder": holder, "address": address, "lease_us": until_us}
        conn.execute(insert(provider_stream), [values | common for values in new])


def _stream_values(stream: StreamRow) -> dict[str, Any]:
    return {"id": stream.id, "provider": stream.provider, "resources": json.dumps(sorted(stream.resources))}


def addresses_with_stream(conn: Connection, provider: str, resource: str, replica: str) -> Sequence[str]:
    """Peer addresses of the replicas other than `replica` that hold a stream of a provider for a resource."""
    c = provider_stream.c
    leased = (c.provider == provider, c.holder != replica, c.lease_us > time_us(conn))
    found = select(c.address, c.resources).where(*leased)
    return sorted({row.address for row in conn.execute(found) if resource in json.loads(row.resources)})


def forget_streams(conn: Connection, lapsed_us: int) -> int:
    """Deletes the streams of replicas whose leases ended `lapsed_us` ago or earlier; returns how many."""
    old = provider_stream.c.lease_us < time_us(conn) - lapsed_us
    return conn.execute(delete(provider_stream).where(old)).rowcount
