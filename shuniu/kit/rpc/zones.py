"""Rules for crossing from one security zone to another, up to a secrecy label: allowed per pair, default deny."""

from collections.abc import Collection
from typing import Final

from shuniu.api.common.v1 import registry_pb2
from shuniu.kit.process.config import HubSettings

# From the least to the most confidential. A label that is not here is above them all.
LABELS: Final = ("public", "internal", "sensitive")
UNLABELLED: Final = "internal"
"""The label of what bears none, and the clearance of a platform whose entry states none."""


def rank(label: str) -> int:
    return LABELS.index(label) if label in LABELS else len(LABELS)


def may_cross(source: str, target: str, pairs: Collection[str]) -> bool:
    """Tells whether anything may go from `source` to `target`. Pairs read `source>target`; within a zone all goes."""
    return source == target or f"{source}>{target}" in pairs


def standing(entry: registry_pb2.PlatformEntry, hub: HubSettings) -> tuple[str, str]:
    """Zone and clearance of a platform. One whose entry states none stands in the hub's zone, cleared as UNLABELLED."""
    return entry.zone or hub.zone, entry.secrecy or UNLABELLED


def refusal(source: str, target: str, pairs: Collection[str], secrecy: str, cleared_for: str) -> str:
    """Returns why a message labelled `secrecy` may not go to a receiver, UPPER_SNAKE; empty when it may."""
    if not may_cross(source, target, pairs):
        return "ZONE_PAIR"
    if secrecy not in LABELS or cleared_for not in LABELS or rank(secrecy) > rank(cleared_for):
        return "SECRECY"
    return ""
