"""Zones and labels: default deny."""

import pytest

from shuniu.kit.rpc import zones

PAIRS = ("police>government-extranet",)


@pytest.mark.parametrize(
    ("expected", "source", "target", "secrecy", "cleared"),
    [
        ("", "police", "police", "internal", "internal"),
        ("", "police", "government-extranet", "internal", "sensitive"),
        ("ZONE_PAIR", "government-extranet", "police", "public", "sensitive"),
        ("ZONE_PAIR", "police", "internet", "public", "sensitive"),
        ("SECRECY", "police", "police", "sensitive", "internal"),
        ("SECRECY", "police", "police", "", "sensitive"),
        ("SECRECY", "police", "police", "top", "top"),
        ("SECRECY", "police", "police", "public", "top"),
        ("SECRECY", "police", "police", "public", ""),
    ],
)
def test_what_may_cross(expected: str, source: str, target: str, secrecy: str, cleared: str) -> None:
    """Within a zone all goes, across zones what a pair allows, and never above the receiver's clearance or unlabelled."""
    assert expected == zones.refusal(source, target, PAIRS, secrecy, cleared)
