"""Decides which organisations hear an event, from the contract alone: the payload's message declares the event type.

1. The platforms that the payload names in the fields that the contract calls addressees.
2. Working subscribers that the event type's audience includes: none, supervisors of the division, or all.
3. Nobody whose zone or clearance does not allow the event's label (`rpc/zones.py`).

The hub's own services hear every event, on the stream of the publishing service: they need no entry here.
"""

from collections.abc import Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from shuniu import national_numbers
from shuniu.api.common.v1 import audience_pb2
from shuniu.api.common.v1.audience_pb2 import EventType
from shuniu.kit.feeds.registry import WORKING, Registry
from shuniu.kit.process import metrics
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc import zones
from shuniu.kit.rpc.zones import UNLABELLED


def event_types(payload: Descriptor) -> list[EventType]:
    """The event types that a message declares; empty for one that is no payload."""
    return list(payload.GetOptions().Extensions[audience_pb2.event])


@cache
def event_type(payload: Descriptor, topic: str) -> EventType:
    """The event type of a topic. Raises LookupError for a topic that the payload's message does not declare."""
    found = next((each for each in event_types(payload) if each.topic == topic), None)
    if found is None:
        raise LookupError(f"{topic}: {payload.full_name} does not declare it")
    return found


def recipients(
    registry: Registry, hub: HubSettings, topic: str, payload: Message, division: str, secrecy: str = UNLABELLED
) -> list[str]:
    """Codes of the organisations that get an event, each once: the addressed, then the subscribers. Those that may not
    receive it are left out and counted. Raises LookupError as `event_type`.
    """
    kind = event_type(payload.DESCRIPTOR, topic)
    found = []
    for code in dict.fromkeys([*_addressed(kind, payload), *_subscribers(registry, kind, division)]):
        reason = refusal(registry, hub, code, secrecy)
        if reason:
            metrics.RECEIVERS_REFUSED.labels(reason).inc()
        else:
            found.append(code)
    return found


def refusal(registry: Registry, hub: HubSettings, code: str, secrecy: str = UNLABELLED) -> str:
    """Returns why a platform may not receive what is labelled so (ZONE_PAIR, SECRECY); empty when it may.

    A platform that the registry does not know yet is not refused: the relay parks what waits for it.
    """
    entry = registry.platform(code)
    if entry is None:
        return ""
    zone, cleared_for = zones.standing(entry, hub)
    return zones.refusal(hub.zone, zone, hub.zone_pairs, secrecy, cleared_for)


def _addressed(kind: EventType, payload: Message) -> Iterator[str]:
    for name in kind.addressees:
        value = getattr(payload, name)
        yield from filter(None, [value] if isinstance(value, str) else value)


def _subscribers(registry: Registry, kind: EventType, division: str) -> list[str]:
    if kind.audience not in (audience_pb2.AUDIENCE_SUPERVISORS, audience_pb2.AUDIENCE_PUBLIC):
        return []
    is_public = kind.audience == audience_pb2.AUDIENCE_PUBLIC
    # Who holds the scope hears of events in its own division and those below.
    above = national_numbers.upwards(division) if division else ()
    return [
        entry.code
        for entry in registry.subscribers(kind.topic, None if is_public else above)
        if entry.state in WORKING
        and (is_public or kind.scope in entry.scopes)
        and any(subscribed(item, kind.topic, division) for item in entry.subscriptions)
    ]


def subscribed(subscription: str, topic: str, division: str) -> bool:
    """Tells whether one subscription (`topic`, `topic.*`, with `@division prefix`) covers an event."""
    wanted, _, prefix = subscription.partition("@")
    if not division.startswith(prefix):
        return False
    if wanted.endswith(".*"):
        return topic.startswith(wanted[:-1])
    return topic == wanted
