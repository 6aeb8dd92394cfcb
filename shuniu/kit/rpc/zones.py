"""Rules for crossing from one security zone to another, up to a secrecy label: allowed per pair, default deny."""

from collections.abc import Collection
from typing import Final

# From the least to the most confidential. A label that is not here is above them all.
LABELS: Final = ("public", "internal", "sensitive")


def rank(label: str) -> int:
    return LABELS.index(label) if label in LABELS else len(LABELS)


def may_cross(source: str, target: str, pairs: Collection[str]) -> bool:
    """Tells whether anything may go from `source` to `target`. Pairs read `source>target`; within a zone all goes."""
    return source == target or f"{source}>{target}" in pairs


def refusal(source: str, target: str, pairs: Collection[str], secrecy: str, cleared_for: str) -> str:
    """Returns why a message labelled `secrecy` may not go to a receiver, UPPER_SNAKE; empty when it may."""
    if not may_cross(source, target, pairs):
        return "ZONE_PAIR"
    if secrecy not in LABELS or cleared_for not in LABELS or rank(secrecy) > rank(cleared_for):
        return "SECRECY"
    return ""
