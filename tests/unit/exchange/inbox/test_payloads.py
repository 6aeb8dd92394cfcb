"""Payloads of events as JSON."""

import json

from docs.generate import event_types
from services.exchange.inbox.payloads import as_json
from shuniu.api.events.v1 import events_pb2


def test_every_event_of_the_contract_has_its_payload() -> None:
    """Who has only HTTPS reads each event that the contract names."""
    assert [event.topic for event in event_types() if as_json(f"shuniu.{event.topic}.v1", b"") != "{}"] == []


def test_what_is_unknown_or_broken_has_no_json() -> None:
    """A type of a later version, and bytes that are no message, are left to those who read protobuf."""
    event = events_pb2.FlowChanged(id="01J")
    data = event.SerializeToString()
    assert json.loads(as_json("shuniu.esign.flow.begun.v1", data)) == {"id": "01J"}
    assert as_json("shuniu.esign.future.begun.v1", data) == ""
    assert as_json("shuniu.esign.flow.begun.v1", b"\xff") == ""
