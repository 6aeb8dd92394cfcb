"""What settings of the exchange mean together."""

from pathlib import Path

import pytest

from services.exchange.config import ExchangeSettings, replica_address
from shuniu.kit.process.config import HubSettings

RUN = Path("/run/hub")
HUB = HubSettings("150000", "枢纽", "hub.test", "https://hub.test", Path("/data"), RUN)


@pytest.mark.parametrize(
    ("peer", "replica", "address"),
    [
        ("", "", "unix:/run/hub/exchange.peer.sock"),
        ("unix:/x/peer.sock", "", "unix:/x/peer.sock"),
        ("10.1.2.3:9001", "", "10.1.2.3:9001"),
        ("exchange-0.hub:9001", "", "exchange-0.hub:9001"),
        ("0.0.0.0:9001", "", ""),
        ("[::]:9001", "", ""),
        ("0.0.0.0:9001", "exchange-0.hub:9001", "exchange-0.hub:9001"),
    ],
)
def test_replicas_reach_each_other_where_the_settings_say(peer: str, replica: str, address: str) -> None:
    """At its own setting, else where its peer port listens; all addresses of a machine are the address of none."""
    settings = ExchangeSettings(peer_address=peer, replica_address=replica)
    assert replica_address(HUB, settings) == address
