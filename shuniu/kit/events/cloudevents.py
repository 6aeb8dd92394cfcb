"""CloudEvents 1.0 over NATS in binary mode: attributes as headers, the payload as it is (NATS binding §3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

_CONTENT_TYPE: Final = "application/protobuf"


class Sendable(Protocol):
    """An event on its way out; `outbox.Event` and the relay's rows are such."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def aggregate(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def time_us(self) -> int: ...
    @property
    def division(self) -> str: ...
    @property
    def traceparent(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def secrecy(self) -> str: ...


class MalformedEventError(ValueError):
    """A message that is no CloudEvent of ours; the text names the attribute."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event that came in. ``time`` is RFC 3339; ``stream_seq`` its number in the stream, ``attempt`` from 1."""

    id: str
    type: str
    source: str
    aggregate: str
    seq: int
    time: str
    data: bytes
    subject: str
    division: str = ""
    traceparent: str = ""
    zone: str = ""
    secrecy: str = ""
    stream_seq: int = 0
    attempt: int = 1


def headers(event: Sendable) -> dict[str, str]:
    """The message headers of an event; attributes that are empty are left out."""
    instant = datetime.fromtimestamp(event.time_us // 1_000_000, UTC)
    found = {
        "Nats-Msg-Id": event.id,
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-type": event.type,
        "ce-source": event.source,
        "ce-subject": event.aggregate,
        "ce-time": f"{instant.isoformat()[:19]}.{event.time_us % 1_000_000:06}Z",
        "ce-seq": str(event.seq),
        "content-type": _CONTENT_TYPE,
    }
    optional = {
        "ce-division": event.division,
        "ce-zone": event.zone,
        "ce-secrecy": event.secrecy,
        "traceparent": event.traceparent,
    }
    return found | {name: value for name, value in optional.items() if value}


def received(subject: str, found: Mapping[str, str], data: bytes, *, stream_seq: int = 0, attempt: int = 1) -> Received:
    """Read an event from a message; raises MalformedEventError naming the attribute that is missing or wrong."""
    if found.get("ce-specversion") != "1.0":
        raise MalformedEventError("ce-specversion is not 1.0")
    for name in ("ce-id", "ce-type", "ce-source"):
        if not found.get(name):
            raise MalformedEventError(f"{name} is missing")
    seq = found.get("ce-seq", "0")
    if not (seq.isascii() and seq.isdecimal() and len(seq) < 19):
        raise MalformedEventError("ce-seq is no number")
    return Received(
        id=found["ce-id"],
        type=found["ce-type"],
        source=found["ce-source"],
        aggregate=found.get("ce-subject", ""),
        seq=int(seq),
        time=found.get("ce-time", ""),
        data=data,
        subject=subject,
        division=found.get("ce-division", ""),
        traceparent=found.get("traceparent", ""),
        zone=found.get("ce-zone", ""),
        secrecy=found.get("ce-secrecy", ""),
        stream_seq=stream_seq,
        attempt=attempt,
    )
