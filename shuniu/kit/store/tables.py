"""The tables that every service has beside its own, so that a change, its events, its audit record and its answer
are one transaction.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from shuniu.kit.store.types import RowNumber

KIT: Final = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


# Facts about the store itself: its epoch, when it was restored, which steps of the kit it has had.
meta = Table("meta", KIT, Column("name", Text, primary_key=True), _number("value"))

# Named counters; the last sequence number of each aggregate is one.
counter = Table("counter", KIT, Column("name", Text, primary_key=True), _number("value"))

# Answers already given, by request id (AIP-155).
request_log = Table(
    "request_log",
    KIT,
    Column("caller_key", Text, primary_key=True),
    Column("rpc", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    _number("time_us"),
    Index("request_log_time", "time_us"),
)

# One row for each event; `digest` is SHA-256 of `data`, what a receiver's receipt must repeat.
outbox_event = Table(
    "outbox_event",
    KIT,
    Column("id", Text, primary_key=True),
    _text("type"),
    _text("source"),
    _text("aggregate"),
    _number("seq"),
    _number("time_us"),
    Column("data", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    _text("topic"),
    _text("division"),
    _text("traceparent"),
    _text("zone"),
    _text("secrecy"),
    Index("outbox_event_aggregate", "aggregate", "seq", unique=True),
)

# One row for each event and target. Position orders a target's deliveries; poll by state, never by "position > last":
# a slower transaction may still commit a smaller position.
outbox_delivery = Table(
    "outbox_delivery",
    KIT,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    _number("attempts"),
    _number("next_at_us"),
    _number("stream_seq"),
    _number("stored_us"),
    Column("receipt_digest", LargeBinary),
    _number("receipted_us"),
    _text("cause"),
    # When upkeep looks at the row next, whatever its state: no row is looked at before, none is forgotten.
    _number("look_us"),
    Index("outbox_delivery_state", "state", "target", "position"),
    Index("outbox_delivery_event", "event_id", "target", unique=True),
    Index("outbox_delivery_look", "look_us"),
    # Positions of deleted rows are never used again: order per target depends on it.
    sqlite_autoincrement=True,
)

# Events already taken in, with the digest of what was taken.
inbox = Table(
    "inbox",
    KIT,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    _number("time_us"),
    Index("inbox_time", "time_us"),
)

# Events that could not be handled, whole, with the cause, so that they can be looked at and sent again.
dead_letter = Table(
    "dead_letter",
    KIT,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    _text("stream"),
    _text("consumer"),
    _text("subject"),
    _text("event_id"),
    _text("source"),
    _text("type"),
    # The message's headers as a JSON object of strings.
    _text("headers"),
    Column("data", LargeBinary, nullable=False),
    _number("stream_seq"),
    _number("attempts"),
    _text("cause"),
    _number("time_us"),
    # 0 until the event was replayed.
    _number("replayed_us"),
    Index("dead_letter_open", "replayed_us", "id"),
    sqlite_autoincrement=True,
)

# Who did what: a hash chain for each writer.
audit = Table(
    "audit",
    KIT,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("algorithm"),
    _number("epoch"),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    _number("time_us"),
    _text("actor"),
    _text("actor_kind"),
    _text("action"),
    _text("object"),
    _text("outcome"),
    _text("request_id"),
    # JSON object, canonical form.
    _text("details"),
    Index("audit_time", "time_us"),
    Index("audit_object", "object", "time_us"),
)

# The end of each chain, so that cutting off the last records shows. Rows up to base_seq were archived.
audit_head = Table(
    "audit_head",
    KIT,
    Column("writer", Text, primary_key=True),
    _number("seq"),
    Column("hash", LargeBinary, nullable=False),
    _number("base_seq"),
    Column("base_hash", LargeBinary, nullable=False),
)

# Who may do what only one replica may do. `fence` grows with each change of holder.
lease = Table(
    "lease",
    KIT,
    Column("name", Text, primary_key=True),
    _text("holder"),
    _number("expires_us"),
    Column("fence", Integer, nullable=False, server_default="0"),
    _number("epoch"),
)


def kit_tables(metadata: MetaData) -> None:
    """Add the shared tables to a service's metadata, before or after its own.

    A service declares::

        metadata = MetaData()
        kit_tables(metadata)
        case = Table("case_file", metadata, ...)

    and creates them in its first migration with `shuniu.kit.store.migrations.create_kit_tables`.
    """
    for table in KIT.sorted_tables:
        table.to_metadata(metadata)
