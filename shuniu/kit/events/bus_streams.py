"""The bus's streams and consumers as they should be, and the numbers that tell a stream from a lost one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A stream as it should be. Times in seconds, sizes in bytes; 0 means without limit."""

    name: str
    subjects: tuple[str, ...]
    max_bytes: int = 0
    max_age_s: float = 0
    duplicate_window_s: float = 600
    replicas: int = 1
    # Refuse what does not fit rather than forget what nobody read.
    discard: str = "new"
    retention: str = "limits"
    max_msgs_per_subject: int = 0
    store_as: str = ""
    # Number of the first message when the stream is made; see `first_sequence`.
    first_seq: int = 0

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": self.name,
            "subjects": list(self.subjects),
            "retention": self.retention,
            "storage": "file",
            "discard": self.discard,
            "max_bytes": self.max_bytes or -1,
            "max_age": _ns(self.max_age_s),
            "max_msgs_per_subject": self.max_msgs_per_subject or -1,
            "discard_new_per_subject": self.max_msgs_per_subject > 0,
            "duplicate_window": _ns(self.duplicate_window_s),
            "num_replicas": self.replicas,
            "allow_atomic": True,
            "deny_delete": True,
        }
        if self.store_as:
            config["subject_transform"] = {"src": self.subjects[0], "dest": self.store_as}
        return config


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable pull consumer. ``ack_wait_s`` is how long the server waits before it delivers again."""

    name: str
    filters: tuple[str, ...] = ()
    ack_wait_s: float = 30
    max_deliver: int = -1
    max_ack_pending: int = 5000

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "durable_name": self.name,
            "name": self.name,
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "ack_wait": _ns(self.ack_wait_s),
            "max_deliver": self.max_deliver,
            "max_ack_pending": self.max_ack_pending,
        }
        if len(self.filters) == 1:
            config["filter_subject"] = self.filters[0]
        elif self.filters:
            config["filter_subjects"] = list(self.filters)
        return config


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)


# A minute, the unit in which streams tell when they were made, and the bits left for their messages: together 52,
# which every client's numbers hold exactly.
_INCARNATION_SECONDS = 60
_SEQUENCE_BITS = 28
# 2026-01-01T00:00:00Z
_INCARNATION_ORIGIN = 1_767_225_600


def first_sequence(now_s: int) -> int:
    """Returns the first number of a stream made now: its numbers differ from those of one that was lost before."""
    return (max(0, now_s - _INCARNATION_ORIGIN) // _INCARNATION_SECONDS << _SEQUENCE_BITS) + 1


def is_of_another(known: int, seq: int) -> bool:
    """Tells whether two message numbers are too far apart to be of one making of a stream. A stream made later begins
    2^28 higher for each minute, and none takes half as many messages in a minute. One that lives for years passes 2^28.
    """
    return abs(seq - known) > 1 << _SEQUENCE_BITS - 1


def begun_again(known: int, seq: int, *, duplicate: bool) -> bool:
    """Tells whether a stream that once gave the number `known` (0: none) was lost and made again, by what a new PubAck
    says.
    """
    if not known:
        return False
    return (seq <= known and not duplicate) or is_of_another(known, seq)


def inbox_stream(delivery_subject: str, max_bytes: int, *, now_s: int, replicas: int = 1) -> StreamSpec:
    """An organisation's stream INBOX: what the hub delivers, stored as ``inbox.>``, within a quota."""
    return StreamSpec(
        name="INBOX",
        subjects=(delivery_subject,),
        max_bytes=max_bytes,
        replicas=replicas,
        store_as="inbox.>",
        first_seq=first_sequence(now_s),
    )


def event_stream(area: str, *, now_s: int, replicas: int = 1) -> StreamSpec:
    """The hub's own stream of one area. Services build read models from it; for older rows they request a snapshot."""
    return StreamSpec(
        name=f"EVT_{area.upper()}",
        subjects=(f"evt.{area}.>",),
        max_age_s=30 * 86400,
        replicas=replicas,
        discard="old",
        first_seq=first_sequence(now_s),
    )


def submit_stream(*, replicas: int = 1) -> StreamSpec:
    """Stream of what organisations send, stored until each service took it; a flood fills its own subjects only."""
    return StreamSpec(
        name="SUBMIT",
        subjects=("submit.*.>",),
        max_age_s=30 * 86400,
        replicas=replicas,
        retention="interest",
        max_msgs_per_subject=200_000,
    )


def receipts_durable(area: str) -> str:
    """The name of a service's position among the receipts, apart from what else it reads of SUBMIT."""
    return f"{area}-receipts"


def receipt_consumer(durable: str) -> ConsumerSpec:
    """A service's position among the receipts. Made before the first delivery, since SUBMIT keeps what is wanted."""
    return ConsumerSpec(durable, ("submit.*.receipt",))


def advisory_stream(*, replicas: int = 1) -> StreamSpec:
    """Advisories about messages that died: the server sends them once and forgets, so a stream keeps them."""
    return StreamSpec(
        name="ADVISORY",
        subjects=("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",),
        max_bytes=64 * 1024 * 1024,
        max_age_s=30 * 86400,
        replicas=replicas,
        discard="old",
    )
