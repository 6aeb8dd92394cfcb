"""The network a call came from. It tells anonymous callers apart, for fairness between them only."""

import ipaddress
from contextvars import ContextVar

FORWARDED_HEADER = "x-forwarded-for"
# One subscriber gets a /64 and may use any address in it (RFC 6177).
_SUBSCRIBER = 64

_current: ContextVar[str] = ContextVar("shuniu_network", default="")


def network_of(forwarded: str) -> str:
    """From `x-forwarded-for`, whose last address the edge wrote: an IPv4 address, or the /64 of an IPv6 one. Empty when
    there is none.
    """
    try:
        address = ipaddress.ip_address(forwarded.rpartition(",")[2].strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _SUBSCRIBER), strict=False))


def set_current(forwarded: str) -> None:
    _current.set(network_of(forwarded))


def current_network() -> str:
    """Network of the call that is being handled; empty when the edge did not say."""
    return _current.get()
