"""Writes an event's payload as JSON, for clients that read no protobuf."""

from typing import Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from shuniu.api.events.v1 import events_pb2

# By topic, then by its aggregate.
_MESSAGES: Final[dict[str, type[Message]]] = {
    "identity.platform": events_pb2.PlatformChanged,
    "identity.session": events_pb2.SessionEnded,
    "catalogue.item": events_pb2.ItemChanged,
    "exchange.case": events_pb2.CaseChanged,
    "exchange.case.evaluated": events_pb2.CaseEvaluated,
    "esign.certificate": events_pb2.CertificateChanged,
    "esign.seal": events_pb2.SealChanged,
    "esign.licence": events_pb2.LicenceChanged,
    "esign.flow": events_pb2.FlowChanged,
}


def payload_type(event_type: str) -> type[Message] | None:
    """The message of an event type (`shuniu.<topic>.v1`); None for one that this version does not know."""
    topic = event_type.removeprefix("shuniu.").removesuffix(".v1")
    return _MESSAGES.get(topic) or _MESSAGES.get(topic.rpartition(".")[0])


def as_json(event_type: str, data: bytes) -> str:
    """The payload in protobuf's JSON mapping; empty for a type that this version does not know."""
    message = payload_type(event_type)
    if message is None:
        return ""
    try:
        return json_format.MessageToJson(message.FromString(data), indent=None, ensure_ascii=False)
    except DecodeError:
        return ""
