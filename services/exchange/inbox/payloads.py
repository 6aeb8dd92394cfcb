"""Writes an event's payload as JSON, for clients that read no protobuf."""

from typing import Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from shuniu.api.events.v1 import events_pb2

_MESSAGES: Final[dict[str, type[Message]]] = {
    **dict.fromkeys(("identity.platform.changed",), events_pb2.PlatformChanged),
    **dict.fromkeys(("identity.session.ended",), events_pb2.SessionEnded),
    **dict.fromkeys(
        ("catalogue.item.published", "catalogue.item.suspended", "catalogue.item.withdrawn"), events_pb2.ItemChanged
    ),
    **dict.fromkeys(
        (
            "exchange.case.submitted",
            "exchange.case.supplemented",
            "exchange.case.withdrawn",
            "exchange.case.moved",
        ),
        events_pb2.CaseChanged,
    ),
    **dict.fromkeys(("exchange.case.evaluated",), events_pb2.CaseEvaluated),
    **dict.fromkeys(("esign.certificate.issued", "esign.certificate.revoked"), events_pb2.CertificateChanged),
    **dict.fromkeys(("esign.seal.changed",), events_pb2.SealChanged),
}


def as_json(event_type: str, data: bytes) -> str:
    """The payload in protobuf's JSON mapping; empty for a type this version does not know."""
    message = _MESSAGES.get(event_type.removeprefix("shuniu.").removesuffix(".v1"))
    if message is None:
        return ""
    try:
        return json_format.MessageToJson(message.FromString(data), indent=None, ensure_ascii=False)
    except DecodeError:
        return ""
