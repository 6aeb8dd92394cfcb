"""`shuniu init`: where a new hub listens."""

import ipaddress

import pytest

from shuniu.cli import init
from shuniu.cli.main import parser


@pytest.mark.parametrize("options", [[], ["--free-ports"], ["--host", "hub.example"]])
def test_listeners_are_given_as_addresses(options: list[str]) -> None:
    """Whatever the host name, listeners are IP addresses with ports: the edge binds addresses, not names."""
    edge, bus = init._addresses(parser().parse_args(["init", *options]))
    for address in (edge.people, edge.platforms, bus.listen, bus.websocket, bus.monitoring):
        host, _, port = address.rpartition(":")
        assert ipaddress.ip_address(host)
        assert 0 < int(port) < 65536


def test_issuer_and_platform_url_share_the_host() -> None:
    """Behind an external name both listeners are announced under it."""
    assert init._external("https://hub.example:8443", "0.0.0.0:9443") == "https://hub.example:9443"
    assert init._external("", "127.0.0.1:9443") == "https://127.0.0.1:9443"
