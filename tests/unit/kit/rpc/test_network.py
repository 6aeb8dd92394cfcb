"""The network of a caller without a name."""

import pytest

from shuniu.kit.rpc.network import current_network, network_of, set_current


@pytest.mark.parametrize(
    ("forwarded", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.7, ", ""),
    ],
)
def test_the_address_that_the_edge_wrote_counts(forwarded, network):
    """The last one; of IPv6 the subscriber's /64; what a caller put before it counts for nothing."""
    assert network_of(forwarded) == network


def test_the_current_call_has_one():
    """Set once a call, empty before."""
    assert current_network() == ""
    set_current("192.0.2.7")
    assert current_network() == "192.0.2.7"
