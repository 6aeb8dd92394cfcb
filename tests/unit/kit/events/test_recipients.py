"""Who hears an event: those it is addressed to, those that subscribed, and nobody who may not receive it."""

from dataclasses import replace
from pathlib import Path

import pytest

from shuniu.api.common.v1 import registry_pb2 as pb
from shuniu.api.events.v1.events_pb2 import CaseChanged, FlowChanged
from shuniu.kit.events.recipients import recipients, refusal, subscribed
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.process import metrics
from shuniu.kit.process.config import HubSettings
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.foundation import registry_of


@pytest.fixture
def hub(tmp_path: Path) -> HubSettings:
    return replace(
        HubSettings("150000", "枢纽", "hub.test", "https://hub.test", tmp_path, tmp_path),
        zone="police",
        zone_pairs=("police>extranet",),
    )


def _registry(clock: ManualClock, *entries: pb.PlatformEntry) -> Registry:
    registry = registry_of(None, clock)
    for entry in entries:
        registry.put(entry)
    return registry


def _entry(code: str, state: str = "ACTIVE", **values: object) -> pb.PlatformEntry:
    return pb.PlatformEntry(code=code, state=state, **values)  # type: ignore[arg-type]


def _refused(reason: str) -> float:
    return metrics.RECEIVERS_REFUSED.labels(reason)._value.get()


def test_the_addressed_come_first_and_each_once(clock: ManualClock, hub: HubSettings) -> None:
    """An event reaches its addressee even when it is suspended or not known yet, and a subscriber only once."""
    registry = _registry(
        clock,
        _entry("both", subscriptions=["exchange.case.*"], scopes=["case.supervise"], division="150100"),
        _entry("stopped", "SUSPENDED"),
    )
    for handler in ("both", "stopped", "new"):
        payload = CaseChanged(handler_platform=handler)
        heard = recipients(registry, hub, "exchange.case.submitted", payload, "150100")
        assert heard == list(dict.fromkeys([handler, "both"]))


def test_who_may_not_receive_is_left_out_and_counted(clock: ManualClock, hub: HubSettings) -> None:
    """An event that did not go out for zone or label is one count; to ask whether one could, counts nothing."""
    registry = _registry(
        clock, _entry("near", zone="extranet"), _entry("far", zone="internet"), _entry("low", secrecy="public")
    )
    before = _refused("ZONE_PAIR"), _refused("SECRECY")
    assert [refusal(registry, hub, code) for code in ("near", "far", "low", "new")] == ["", "ZONE_PAIR", "SECRECY", ""]
    assert (_refused("ZONE_PAIR"), _refused("SECRECY")) == before
    payload = FlowChanged(platform="near", party_platforms=["far", "low"])
    assert recipients(registry, hub, "esign.flow.begun", payload, "") == ["near"]
    assert (_refused("ZONE_PAIR"), _refused("SECRECY")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    ("subscription", "topic", "division", "expected"),
    [
        ("a.b.c", "a.b.c", "", True),
        ("a.b.c", "a.b.cd", "", False),
        ("a.b.*", "a.b.c", "150000", True),
        ("a.*", "a.b.c", "", True),
        ("a.*", "ab.c", "", False),
        ("a.b.c@15", "a.b.c", "150100", True),
        ("a.b.c@15", "a.b.c", "", False),
        ("a.b.c@1501", "a.b.c", "150200", False),
    ],
)
def test_subscription(subscription: str, topic: str, division: str, expected: bool) -> None:
    """`topic` or `topic.*`, with a division prefix after `@` when there is one."""
    assert subscribed(subscription, topic, division) is expected
