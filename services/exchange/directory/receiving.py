"""Decides whether a consumer may receive what a resource answers, by zones and clearance as they are now."""

from services.exchange.directory.domain import Resource
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc import zones


def refusal(base: Foundation, resource: Resource, consumer: str) -> str:
    """Returns why not: PLATFORM_UNKNOWN, ZONE_PAIR or SECRECY; empty when it may.

    Answers come from the provider through the hub: both ways into the consumer's zone have to be open.
    """
    provider, receiver = base.registry.platform(resource.provider), base.registry.platform(consumer)
    if provider is None or receiver is None:
        return "PLATFORM_UNKNOWN"
    hub = base.hub
    (source, _), (zone, cleared_for) = zones.standing(provider, hub), zones.standing(receiver, hub)
    if not zones.may_cross(source, zone, hub.zone_pairs):
        return "ZONE_PAIR"
    return zones.refusal(hub.zone, zone, hub.zone_pairs, resource.secrecy, cleared_for)
