"""Decides which organisations hear an event.

1. A service names whom each of its topics is addressed to (its `events.py`, and the unit of work that publishes).
2. Working organisations that subscribed to the topic, for the event's division, hear it too.
3. Nobody hears it whose zone or clearance does not allow the event's label (`rpc/zones.py`).

The hub's own services hear every event, on the stream of the publishing service: they need no entry here.
"""

from shuniu.kit.feeds.registry import WORKING, Registry
from shuniu.kit.process import metrics
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc import zones


def recipients(
    registry: Registry, hub: HubSettings, topic: str, division: str, *direct: str, secrecy: str = "internal"
) -> list[str]:
    """Codes of the organisations that get an event, each once: those it is addressed to (`direct`), then those that
    subscribed. Those that may not receive it are left out and counted.
    """
    found = []
    for code in dict.fromkeys([*(code for code in direct if code), *subscribers(registry, topic, division)]):
        reason = refusal(registry, hub, code, secrecy)
        if reason:
            metrics.RECEIVERS_REFUSED.labels(reason).inc()
        else:
            found.append(code)
    return found


def refusal(registry: Registry, hub: HubSettings, code: str, secrecy: str = "internal") -> str:
    """Returns why a platform may not receive what is labelled so (ZONE_PAIR, SECRECY); empty when it may.

    A platform that the registry does not know yet is not refused: the relay parks what waits for it.
    """
    entry = registry.platform(code)
    if entry is None:
        return ""
    return zones.refusal(hub.zone, entry.zone or hub.zone, hub.zone_pairs, secrecy, entry.secrecy or "internal")


def subscribers(registry: Registry, topic: str, division: str) -> list[str]:
    """Working organisations that subscribed to a topic for a division."""
    return [
        entry.code
        for entry in registry.platforms()
        if entry.state in WORKING and any(subscribed(item, topic, division) for item in entry.subscriptions)
    ]


def subscribed(subscription: str, topic: str, division: str) -> bool:
    """Tells whether one subscription (`topic`, `topic.*`, with `@division prefix`) covers an event."""
    wanted, _, prefix = subscription.partition("@")
    if not division.startswith(prefix):
        return False
    if wanted.endswith(".*"):
        return topic.startswith(wanted[:-1])
    return topic == wanted
