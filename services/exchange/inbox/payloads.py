"""Writes an event's payload as JSON, for clients that read no protobuf."""

from typing import Final

from google.protobuf import json_format, message_factory
from google.protobuf.message import DecodeError, Message

from shuniu.api.events.v1 import events_pb2
from shuniu.kit.events.recipients import event_types

_MESSAGES: Final[dict[str, type[Message]]] = {
    f"shuniu.{each.topic}.v1": message_factory.GetMessageClass(payload)
    for payload in events_pb2.DESCRIPTOR.message_types_by_name.values()
    for each in event_types(payload)
}


def as_json(event_type: str, data: bytes) -> str:
    """The payload in protobuf's JSON mapping; empty for a type that this version does not know."""
    message = _MESSAGES.get(event_type)
    if message is None:
        return ""
    try:
        return json_format.MessageToJson(message.FromString(data), indent=None, ensure_ascii=False)
    except DecodeError:
        return ""
